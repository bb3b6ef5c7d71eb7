"""Ending sessions: their access tokens become worthless, and the doors are told."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.auth import store
from services.auth.access_tokens import KEY_REVOCATION_LIFETIME, REVOCATION_LIFETIME
from services.auth.factors.store import delete_challenges
from services.auth.provider.store import end_sign_ins
from services.auth.records import EndedSession, Revocation
from shared.chassis.database import Executor, Transaction
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import SessionRevoked


async def revoke(transaction: Transaction, outbox: Outbox, ended: Sequence[EndedSession]) -> None:
    """Record that sessions ended: a row and an event each, in the act's transaction.

    The rows of the sessions are locked by their removal, which keeps the order of their events.
    """
    await _revoke(transaction, outbox, ended, lifetime=REVOCATION_LIFETIME)


async def end_sessions(
    transaction: Transaction, outbox: Outbox, user_id: UUID, *, keep: UUID | None = None
) -> list[EndedSession]:
    """End every session of a user but `keep`, and return what was ended.

    Those in which the user acts in the name of others end as well, and so do log-ins that wait
    for their second proof: the first one may be what was wrong. Applications that may stay signed
    in while their user is away are signed out, except where `keep` signed in. Call it with the
    account locked.
    """
    ended = await store.end_other_sessions(transaction, user_id, keep=keep)
    await end_sign_ins(transaction, user_id, keep=keep)
    await delete_challenges(transaction, user_id)
    await revoke(transaction, outbox, ended)
    return ended


async def revoke_keys(
    transaction: Transaction, outbox: Outbox, ended: Sequence[EndedSession]
) -> None:
    """Record that API keys ended, or that their owner was shut out, as `revoke` does."""
    await _revoke(transaction, outbox, ended, lifetime=KEY_REVOCATION_LIFETIME)


async def _revoke(
    transaction: Transaction,
    outbox: Outbox,
    ended: Sequence[EndedSession],
    *,
    lifetime: timedelta,
) -> None:
    if not ended:
        return
    await store.insert_revocations(transaction, ended, lifetime=lifetime)
    await outbox.emit_all(
        transaction,
        [
            (SessionRevoked(session_id=session.id, user_id=session.user_id), str(session.id))
            for session in ended
        ],
    )


class RevocationFeed:
    """The live revocations since a reader last asked.

    A cursor is a position in the database's transactions, taken before the rows are read: what
    was still uncommitted then lies at or after it, and is delivered by a later call. Rows may come
    twice, none is left out. A cursor from another history of the database, before a restore, or
    one that cannot be read, gets everything.
    """

    def __init__(self, database: Executor) -> None:
        self._database = database

    async def since(self, cursor: str | None) -> tuple[list[Revocation], str]:
        """Return live revocations and the cursor for the next call."""
        history, position = await store.revocation_position(self._database)
        start = _position_in(cursor, history)
        revocations = await store.list_revocations(self._database, start)
        return revocations, f"{history}.{position}"


def _position_in(cursor: str | None, history: str) -> int:
    known, _, position = (cursor or "").rpartition(".")
    if known != history or not (position.isascii() and position.isdigit()):
        return 0
    return int(position)

"""The statements about the end of an account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.auth.audit.store import Removal, allow_removal
from services.auth.records import Account, EndedSession
from shared.chassis.database import Executor, Transaction
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)

DELETIONS_KEPT: Final = timedelta(days=400)
"""How long it can be shown that an account was deleted everywhere."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is left of a deleted account."""

    user_id: UUID
    actor_id: UUID
    requested_at: datetime
    completed_at: datetime | None
    confirmations: dict[str, str | None]
    """By service, when it confirmed that it kept nothing."""

    @property
    def id(self) -> UUID:
        """Return by what pages are cut."""
        return self.user_id


@dataclass(frozen=True, slots=True)
class Traces:
    """By what other services find something of a deleted account's owner."""

    email: str
    farewell_link_id: UUID
    """Of the mail that tells the owner."""


@dataclass(frozen=True, slots=True)
class OverdueDeletions:
    """Deletions that were not confirmed in time."""

    deletions: int
    services: tuple[str, ...]
    """Who has not confirmed."""


async def delete_api_keys(executor: Executor, user_id: UUID) -> list[EndedSession]:
    """Remove the API keys of an account and return them."""
    rows = await executor.fetch(SQL["delete_api_keys"], user_id)
    return [EndedSession(**dict(row)) for row in rows]


async def delete_mails(executor: Executor, account: Account) -> None:
    """Forget the mails about an account or to its address."""
    await executor.execute(SQL["delete_mails"], account.id, account.email)


async def find_unerased(executor: Executor, service: str, after: timedelta) -> UUID | None:
    """Return an account that was deleted that long ago, which a service has not confirmed."""
    user_id: UUID | None = await executor.fetchval(SQL["find_unerased"], service, after)
    return user_id


async def strip_audit_log(
    transaction: Transaction, user_id: UUID, *, after: UUID, limit: int
) -> UUID | None:
    """Take the addresses and browsers of a user from up to `limit` entries behind one.

    Returns the last of these entries, None if there are no more.
    """
    await allow_removal(transaction, Removal.ERASURE)
    last: UUID | None = await transaction.fetchval(SQL["strip_audit_log"], user_id, after, limit)
    return last


async def delete_user(executor: Executor, user_id: UUID) -> None:
    """Remove an account whose sessions and keys are gone."""
    await executor.execute(SQL["delete_user"], user_id)


async def insert_deletion(
    executor: Executor,
    account_id: UUID,
    *,
    actor_id: UUID,
    traces: Traces | None,
    services: Sequence[str],
) -> None:
    """Remember a deletion and who has to confirm it; call it in a transaction.

    Without traces it is one of a service account, which has no address.
    """
    email, link_id = (None, None) if traces is None else (traces.email, traces.farewell_link_id)
    await executor.execute(SQL["insert_deletion"], account_id, actor_id, email, link_id)
    await executor.execute(SQL["insert_erasures"], account_id, list(services))


async def find_traces(executor: Executor, user_id: UUID) -> Traces | None:
    """Return by what to find something of a deleted account; None once all have confirmed."""
    row = await executor.fetchrow(SQL["find_traces"], user_id)
    return None if row is None else Traces(**dict(row))


async def confirm_erasure(executor: Executor, user_id: UUID, service: str) -> bool:
    """Note a service's confirmation; False if it is none that was waited for."""
    await executor.execute(SQL["lock_deletion"], user_id)
    return await executor.fetchval(SQL["confirm_erasure"], user_id, service) is not None


async def complete_deletion(executor: Executor, user_id: UUID) -> bool:
    """Forget the address if every service has confirmed; tell whether they all have."""
    return await executor.fetchval(SQL["complete_deletion"], user_id) is not None


async def list_deletions(
    executor: Executor, *, before: UUID | None, limit: int, outstanding: bool | None
) -> list[Deletion]:
    """Return deletions, those of the newest accounts first."""
    rows = await executor.fetch(SQL["list_deletions"], before, limit, outstanding)
    return [Deletion(**dict(row)) for row in rows]


async def count_overdue_deletions(executor: Executor, after: timedelta) -> OverdueDeletions:
    """Return what was not confirmed within a time."""
    row = await executor.fetchrow(SQL["count_overdue_deletions"], after)
    if row is None:
        return OverdueDeletions(0, ())
    return OverdueDeletions(row["deletions"], tuple(row["services"] or ()))


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` records of deletions that nobody asks for any more."""
    tag = await executor.execute(SQL["delete_old_deletions"], limit, DELETIONS_KEPT)
    return int(tag.rpartition(" ")[2])

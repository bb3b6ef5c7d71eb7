"""How an account gets, names and loses its passkeys."""

from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.access import (
    lock_own_account,
    own_account,
    require_own_session,
    require_recent,
)
from services.auth.audit.log import Action, record
from services.auth.factors import store as factors
from services.auth.factors.challenges import Challenges
from services.auth.factors.notices import FactorNotices
from services.auth.factors.recovery_codes import renew_codes
from services.auth.passkeys import store
from services.auth.passkeys.proofs import PasskeyChallenges
from services.auth.passkeys.records import Asker, Purpose, ShownPasskey
from services.auth.passkeys.relying_party import RelyingParty
from services.auth.records import Device
from services.auth.sessions import Sessions
from services.auth.ways_in import require_way_in
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.api.passkeys import PasskeyCreate
from shared.schemas.problems import FieldError, ProblemCode

MOST_PASSKEYS: Final = 20
"""Of one account."""


class PasskeyEnrolment:
    """Changes passkeys: logged, told to the owner by mail, one change after the other."""

    def __init__(
        self,
        database: Database,
        *,
        party: RelyingParty,
        challenges: PasskeyChallenges,
        factors: Challenges,
        notices: FactorNotices,
        sessions: Sessions,
    ) -> None:
        self._database = database
        self._party = party
        self._challenges = challenges
        self._factors = factors
        self._notices = notices
        self._sessions = sessions

    async def start(self, identity: Identity) -> dict[str, Any]:
        """Return what a browser needs to make a passkey that this session may add.

        Raises a 403 problem unless the user has proved lately who they are, with a second factor
        if they have one; 409 for too many passkeys, or where browsers would refuse to.
        """
        require_recent(identity)
        self._party.require_available()
        async with self._database.transaction() as transaction:
            account = await own_account(transaction, identity)
            await self._factors.require_second_proof(transaction, identity)
            existing = await store.list_credentials(transaction, account.id, limit=MOST_PASSKEYS)
            if len(existing) >= MOST_PASSKEYS:
                raise Problem(ProblemCode.PASSKEYS_FULL)
            challenge = await self._challenges.give(
                transaction, Purpose.REGISTRATION, _asker(identity)
            )
        return self._party.creation_options(account, challenge, existing)

    async def finish(
        self, identity: Identity, request: PasskeyCreate, device: Device
    ) -> tuple[ShownPasskey, list[str] | None]:
        """Add the passkey, and return recovery codes too if the account has none.

        Raises 400 `passkey_not_added`, whose attempt is over then, 422 for a name that cannot be
        shown, and as `start` does.
        """
        require_recent(identity)
        _require_showable(request.name)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, identity.user_id)
            await self._factors.require_second_proof(transaction, identity)
            added = await self._add(transaction, identity, request)
            codes = None
            if added is not None:
                await self._notices.changed(
                    transaction,
                    account,
                    Action.FACTOR_ADDED,
                    device,
                    change="A passkey was added.",
                    session_id=identity.session_id,
                )
                if request.end_other_sessions:
                    await self._sessions.end_others(
                        transaction, user_id=account.id, keep=identity.session_id
                    )
                if not await factors.count_recovery_codes(transaction, account.id):
                    codes = await renew_codes(transaction, account.id)
        # Raised outside the transaction, which would give the challenge back otherwise.
        if added is None:
            raise Problem(ProblemCode.PASSKEY_NOT_ADDED)
        return added, codes

    async def rename(
        self, identity: Identity, passkey_id: UUID, name: str, device: Device
    ) -> ShownPasskey:
        """Give a passkey another name. Raises 404 for another's, 422 for a name not to be shown."""
        user_id = require_own_session(identity)
        _require_showable(name)
        async with self._database.transaction() as transaction:
            renamed = await store.rename_passkey(
                transaction, passkey_id, user_id=user_id, name=name
            )
            if renamed is None:
                raise Problem(ProblemCode.PASSKEY_NOT_FOUND)
            await record(
                transaction,
                Action.PASSKEY_RENAMED,
                user_id=user_id,
                device=device,
                session_id=identity.session_id,
                passkey_id=str(passkey_id),
            )
        return renamed

    async def remove(self, identity: Identity, passkey_id: UUID, device: Device) -> None:
        """Remove a passkey, and with the last second factor the recovery codes.

        Raises 404 for another's, 409 for the last way in, and 403 unless the user has proved lately
        who they are, with a second factor.
        """
        user_id = require_recent(identity)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, user_id)
            await self._factors.require_second_proof(transaction, identity)
            if not await store.delete_passkey(transaction, passkey_id, user_id=account.id):
                raise Problem(ProblemCode.PASSKEY_NOT_FOUND)
            await require_way_in(transaction, account)
            if not await self._factors.methods(transaction, account.id):
                await factors.replace_recovery_codes(transaction, account.id, [])
            await self._notices.changed(
                transaction,
                account,
                Action.FACTOR_REMOVED,
                device,
                change="A passkey was removed.",
                session_id=identity.session_id,
            )

    async def _add(
        self, transaction: Transaction, identity: Identity, request: PasskeyCreate
    ) -> ShownPasskey | None:
        challenge = await self._challenges.take(
            transaction,
            request.credential.response.client_data,
            Purpose.REGISTRATION,
            _asker(identity),
        )
        if challenge is None:
            return None
        new = self._party.new_passkey(request.credential, challenge)
        if new is None:
            return None
        user_id = identity.user_id
        existing = await store.list_credentials(transaction, user_id, limit=MOST_PASSKEYS)
        if len(existing) >= MOST_PASSKEYS:
            raise Problem(ProblemCode.PASSKEYS_FULL)
        return await store.insert_passkey(
            transaction, new, passkey_id=uuid7(), user_id=user_id, name=request.name
        )


def _asker(identity: Identity) -> Asker:
    return Asker(identity.user_id, identity.session_id)


def _require_showable(name: str) -> None:
    if not name.isprintable() or name.isspace():
        message = "A name has no control characters, and more than spaces."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)]
        )

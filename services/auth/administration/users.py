"""Changing other people's accounts, each act logged in its own transaction."""

from collections.abc import Sequence
from uuid import UUID

from services.auth import store as accounts
from services.auth.administration import store
from services.auth.audit.log import Action, record
from services.auth.names import clean_name
from services.auth.records import Account, Device
from services.auth.revocations import revoke_keys
from services.auth.roles.roles import require_fitting, require_known
from services.auth.sessions import Sessions
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.outbox import Outbox
from shared.schemas.api.users import ManagedUserUpdate
from shared.schemas.events.auth import UserDisabled, UserEnabled
from shared.schemas.problems import ProblemCode
from shared.schemas.roles import ADMINISTRATOR


class Users:
    """Changes, shuts and deletes accounts, but never those of the last administrator."""

    def __init__(self, database: Database, outbox: Outbox, sessions: Sessions) -> None:
        self._database = database
        self._outbox = outbox
        self._sessions = sessions

    async def change(
        self, user_id: UUID, change: ManagedUserUpdate, by: UUID, device: Device
    ) -> None:
        """Change what was named, all of it or nothing.

        With other roles the sessions end, because their tokens name the old ones. Raises a 404
        problem, 422 for a name that is none and roles that there are not, and 409 for taking the
        last administrator away and for more than an access token can carry.
        """
        name = clean_name(change.name)
        async with self._database.transaction() as transaction:
            account = await self._locked(transaction, user_id)
            if change.roles is not None:
                await self._set_roles(transaction, account, change.roles, by, device)
            if "name" in change.model_fields_set:
                await accounts.rename_user(transaction, user_id, name)
                await record(
                    transaction, Action.USER_RENAMED, user_id=user_id, actor_id=by, device=device
                )

    async def _set_roles(
        self,
        transaction: Transaction,
        account: Account,
        roles: Sequence[str],
        by: UUID,
        device: Device,
    ) -> None:
        wanted = tuple(sorted(set(roles)))
        if wanted == tuple(sorted(account.roles)):
            return
        if ADMINISTRATOR not in wanted:
            await require_other_administrator(transaction, account)
        await require_known(transaction, wanted)
        await store.set_roles(transaction, account.id, wanted)
        await require_fitting(transaction, account.id)
        await self._sessions.end_others(transaction, user_id=account.id, keep=None)
        await record(
            transaction,
            Action.ROLES_CHANGED,
            user_id=account.id,
            actor_id=by,
            device=device,
            before=list(account.roles),
            after=list(wanted),
        )

    async def disable(self, user_id: UUID, reason: str | None, by: UUID, device: Device) -> None:
        """Let nobody in by an account: its sessions and the tokens of its keys end at once.

        Raises a 404 problem, and 409 for the last administrator. Doing it twice changes nothing.
        """
        async with self._database.transaction() as transaction:
            account = await self._locked(transaction, user_id)
            await require_other_administrator(transaction, account)
            if not await store.disable_user(transaction, user_id, reason):
                return
            await self._sessions.end_others(transaction, user_id=user_id, keep=None)
            keys = await store.list_key_ids(transaction, user_id)
            await revoke_keys(transaction, self._outbox, keys)
            await self._outbox.emit(
                transaction, UserDisabled(user_id=user_id), subject=str(user_id)
            )
            await record(
                transaction,
                Action.USER_DISABLED,
                user_id=user_id,
                actor_id=by,
                device=device,
                reason=reason,
            )

    async def enable(self, user_id: UUID, by: UUID, device: Device) -> None:
        """Let the owner in again; keys work again once their refusals end, in two minutes at most.

        Raises a 404 problem. Doing it twice changes nothing.
        """
        async with self._database.transaction() as transaction:
            await self._locked(transaction, user_id)
            if not await store.enable_user(transaction, user_id):
                return
            await self._outbox.emit(transaction, UserEnabled(user_id=user_id), subject=str(user_id))
            await record(
                transaction, Action.USER_ENABLED, user_id=user_id, actor_id=by, device=device
            )

    async def end_sessions(
        self, user_id: UUID, session_id: UUID | None, by: UUID, device: Device
    ) -> None:
        """End one session of a user, or all. Raises a 404 problem."""
        async with self._database.transaction() as transaction:
            await self._locked(transaction, user_id)
            if session_id is None:
                await self._sessions.end_others(transaction, user_id=user_id, keep=None)
            elif not await self._sessions.end(transaction, session_id, user_id=user_id):
                raise Problem(ProblemCode.SESSION_NOT_FOUND)
            await record(
                transaction,
                Action.SESSIONS_ENDED,
                user_id=user_id,
                actor_id=by,
                session_id=session_id,
                device=device,
            )

    async def _locked(self, transaction: Transaction, user_id: UUID) -> Account:
        account = await accounts.lock_user(transaction, user_id)
        if account is None:
            raise Problem(ProblemCode.USER_NOT_FOUND)
        return account


async def require_other_administrator(transaction: Transaction, account: Account) -> None:
    """Raise a 409 problem for taking the last administrator away.

    The answer holds until the transaction ends.
    """
    if ADMINISTRATOR not in account.roles:
        return
    if await store.is_last_administrator(transaction, account.id):
        raise Problem(ProblemCode.LAST_ADMINISTRATOR)

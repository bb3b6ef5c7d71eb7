"""Making, disabling and deleting accounts of programs."""

from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.accounts.store import insert_deletion
from services.auth.audit.log import Action, record
from services.auth.records import Device
from services.auth.revocations import revoke_keys
from services.auth.service_accounts import store
from services.auth.service_accounts.store import ServiceAccountRow
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.outbox import Outbox
from shared.schemas.api.service_accounts import ServiceAccountCreate
from shared.schemas.events.auth import UserDeleted
from shared.schemas.problems import FieldError, ProblemCode

AT_MOST: Final = 1000
ERASING_SERVICES: Final = ("files", "jobs", "realtime")
"""Who holds things of service accounts; mail does not, because they have no address."""


class ServiceAccounts:
    """Accounts that nobody logs in to: no address, no password, no sessions, only API keys.

    Their tokens name them as the user, so what a program makes belongs to its service account.
    """

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def create(
        self, transaction: Transaction, request: ServiceAccountCreate, by: UUID, device: Device
    ) -> ServiceAccountRow:
        """Make a service account.

        Raises a 422 problem for a name that is none or taken, 409 for too many accounts.
        """
        if not all(character.isprintable() for character in request.name):
            raise _wrong_name("A name has no control characters.")
        await store.lock_making_service_accounts(transaction)
        if await store.count_service_accounts(transaction) >= AT_MOST:
            raise Problem(ProblemCode.SERVICE_ACCOUNTS_FULL)
        row = await store.insert_service_account(
            transaction,
            uuid7(),
            name=request.name,
            description=request.description,
            created_by=by,
        )
        if row is None:
            raise _wrong_name("Another service account has this name.")
        await _log(transaction, Action.SERVICE_ACCOUNT_CREATED, row, by, device)
        return row

    async def read(self, account_id: UUID) -> ServiceAccountRow:
        """Return one service account. Raises a 404 problem."""
        row = await store.find_service_account(self._database, account_id)
        if row is None:
            raise Problem(ProblemCode.SERVICE_ACCOUNT_NOT_FOUND)
        return row

    async def disable(self, account_id: UUID, by: UUID, device: Device) -> ServiceAccountRow:
        """Let no key of an account work; their tokens end at once.

        Raises a 404 problem. Doing it twice changes nothing.
        """
        async with self._database.transaction() as transaction:
            row = await _locked(transaction, account_id)
            if await store.set_service_account_disabled(transaction, row.id, disabled=True):
                keys = await store.list_service_account_keys(transaction, row.id)
                await revoke_keys(transaction, self._outbox, keys)
                await _log(transaction, Action.SERVICE_ACCOUNT_DISABLED, row, by, device)
        return await self.read(account_id)

    async def enable(self, account_id: UUID, by: UUID, device: Device) -> ServiceAccountRow:
        """Let the keys of an account work again, once the last refusal of them has run out.

        Raises a 404 problem. Doing it twice changes nothing.
        """
        async with self._database.transaction() as transaction:
            row = await _locked(transaction, account_id)
            if await store.set_service_account_disabled(transaction, row.id, disabled=False):
                await _log(transaction, Action.SERVICE_ACCOUNT_ENABLED, row, by, device)
        return await self.read(account_id)

    async def delete(self, account_id: UUID, by: UUID, device: Device) -> None:
        """Remove an account with its keys; the other services remove what was its.

        Raises a 404 problem.
        """
        async with self._database.transaction() as transaction:
            row = await _locked(transaction, account_id)
            keys = await store.delete_service_account(transaction, row.id)
            await revoke_keys(transaction, self._outbox, keys)
            await insert_deletion(
                transaction, row.id, actor_id=by, traces=None, services=ERASING_SERVICES
            )
            await self._outbox.emit(transaction, UserDeleted(user_id=row.id), subject=str(row.id))
            await _log(transaction, Action.SERVICE_ACCOUNT_DELETED, row, by, device)


async def _locked(transaction: Transaction, account_id: UUID) -> ServiceAccountRow:
    row = await store.lock_service_account(transaction, account_id)
    if row is None:
        raise Problem(ProblemCode.SERVICE_ACCOUNT_NOT_FOUND)
    return row


async def _log(
    transaction: Transaction, action: Action, row: ServiceAccountRow, by: UUID, device: Device
) -> None:
    await record(
        transaction,
        action,
        user_id=None,
        actor_id=by,
        device=device,
        service_account_id=str(row.id),
        name=row.name,
    )


def _wrong_name(message: str) -> Problem:
    return Problem(
        ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)]
    )

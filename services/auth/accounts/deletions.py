"""Deleting accounts: here at once, everywhere else by an event that each service confirms."""

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth import store as auth_store
from services.auth.accounts import store
from services.auth.accounts.store import Traces
from services.auth.administration.users import require_other_administrator
from services.auth.audit.log import Action, record
from services.auth.mailing.mails import AccountMails
from services.auth.mailing.store import Mail
from services.auth.organisations.members import leave_everything
from services.auth.records import Account, Device
from services.auth.revocations import revoke_keys
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.idempotency.answers import forget_answers
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserDeleted, UserErased
from shared.schemas.events.envelope import Event
from shared.schemas.problems import ProblemCode

logger = logging.getLogger(__name__)

CONFIRMING_SERVICES: Final = ("files", "jobs", "mail", "realtime")
"""Who takes `user.deleted` and answers with `user.erased`."""
OWN_SERVICE: Final = "auth"
"""Confirms when the log of acts, which may be long, holds no places of the owner any more."""
FAREWELL_LIFETIME: Final = timedelta(days=2)
_NOWHERE: Final = Device(user_agent=None, address=None)


class Deletions:
    """Deletes accounts with everything that auth knows of them."""

    def __init__(self, database: Database, outbox: Outbox, mails: AccountMails) -> None:
        self._database = database
        self._outbox = outbox
        self._mails = mails

    async def delete(self, user_id: UUID, by: UUID, device: Device) -> None:
        """Remove an account for good; of several calls at the same time one does.

        Raises a 404 problem, and 409 for the last administrator and for the only owner of an
        organisation with other members.
        """
        async with self._database.transaction() as transaction:
            account = await auth_store.lock_user(transaction, user_id)
            if account is None:
                raise Problem(ProblemCode.USER_NOT_FOUND)
            await require_other_administrator(transaction, account)
            await leave_everything(transaction, self._outbox, user_id, by, device)
            # Revoked first: their tokens would outlive the account otherwise.
            keys = await store.delete_api_keys(transaction, account.id)
            await revoke_keys(transaction, self._outbox, keys)
            await store.delete_mails(transaction, account)
            await auth_store.delete_signups(transaction, account.email)
            await forget_answers(transaction, account.id)
            await store.delete_user(transaction, account.id)
            await record(
                transaction,
                Action.USER_DELETED,
                user_id=account.id,
                actor_id=by,
                # Where people were who delete themselves is to be forgotten as well.
                device=_NOWHERE if by == account.id else device,
            )
            farewell = await self._mails.send(transaction, _farewell(account))
            await store.insert_deletion(
                transaction,
                account.id,
                actor_id=by,
                traces=Traces(account.email, farewell),
                services=(*CONFIRMING_SERVICES, OWN_SERVICE),
            )
            await self._outbox.emit(
                transaction, UserDeleted(user_id=account.id), subject=str(account.id)
            )


def _farewell(account: Account) -> Mail:
    """Return a mail to an address that has no account any more, or a new one by then."""
    return Mail(
        purpose="farewell",
        email=account.email,
        template="account_deleted",
        template_otherwise="account_deleted",
        lifetime=FAREWELL_LIFETIME,
    )


async def on_user_erased(transaction: Transaction, event: Event[UserErased]) -> None:
    """Note in the inbox's transaction that a service has kept nothing of a deleted account."""
    user_id, service = event.data.user_id, event.data.service
    if not await confirm(transaction, user_id, service):
        logger.warning(
            "a service confirmed a deletion that it was not asked for",
            extra={"action": "erasure_unexpected", "user_id": user_id, "service": service},
        )


async def confirm(transaction: Transaction, user_id: UUID, service: str) -> bool:
    """Note that a service has kept nothing; False if it had said so before or was not asked."""
    if not await store.confirm_erasure(transaction, user_id, service):
        return False
    complete = await store.complete_deletion(transaction, user_id)
    await record(
        transaction,
        Action.USER_ERASED,
        user_id=user_id,
        device=_NOWHERE,
        service=service,
        everywhere=complete,
    )
    return True

"""Asking for another address, and confirming it on both sides."""

from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.access import lock_own_account
from services.auth.audit.log import Action, record
from services.auth.email_changes import store
from services.auth.email_changes.store import EmailChange
from services.auth.emails import require_email
from services.auth.links import LinkTokens
from services.auth.mailing.mails import AccountMails
from services.auth.mailing.store import Mail
from services.auth.password_resets import OUTSTANDING
from services.auth.records import Account, Device
from services.auth.sessions import Sessions
from shared.chassis.database import ConstraintViolation, Database, Transaction
from shared.chassis.errors import Problem
from shared.schemas.api.accounts import EmailConfirmationStatus
from shared.schemas.problems import FieldError, ProblemCode

PURPOSE: Final = "email_change"
LIFETIME: Final = timedelta(hours=2)
MOST_MAILS: Final = 5
"""To one address within a link's life."""


class Side(StrEnum):
    """Which of the two addresses a link was sent to."""

    OLD = "old"
    NEW = "new"


class EmailChanges:
    """Moves accounts to other addresses.

    Whoever steals a session cannot take the account along, because the old address has to agree;
    whoever mistypes the new one cannot lose it, because that has to agree too.
    """

    def __init__(
        self, database: Database, tokens: LinkTokens, mails: AccountMails, sessions: Sessions
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._mails = mails
        self._sessions = sessions

    async def request(self, user_id: UUID, email: str, *, session_id: UUID, device: Device) -> None:
        """Have a link sent to both addresses; a change asked for earlier is forgotten.

        Does the same for an address that another account has: its owner is told instead of asked,
        which is decided when the mail is rendered. Raises a 422 problem for what is no address or
        the present one, 429 when the old address got too many of these mails.
        """
        new_email = require_email(email)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, user_id)
            if new_email == account.email:
                message = "This is your present address already."
                raise Problem(
                    ProblemCode.VALIDATION_FAILED,
                    errors=[FieldError(field="email", message=message)],
                )
            change_id = uuid7()
            if not await self._ask_old(transaction, account, change_id, new_email):
                wait = str(int(LIFETIME.total_seconds()))
                raise Problem(ProblemCode.TOO_MANY_ATTEMPTS, headers={"Retry-After": wait})
            await self._ask_new(transaction, account, change_id, new_email)
            await store.replace_email_change(
                transaction,
                change_id=change_id,
                user_id=account.id,
                session_id=session_id,
                new_email=new_email,
                lifetime=LIFETIME,
            )
            await record(
                transaction,
                Action.EMAIL_CHANGE_REQUESTED,
                user_id=account.id,
                session_id=session_id,
                device=device,
            )

    async def withdraw(self, user_id: UUID, device: Device) -> None:
        """Forget the change that was asked for, and make its links worthless; none is fine."""
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, user_id)
            if await store.delete_email_change(transaction, user_id):
                await self._mails.discard(transaction, account, [PURPOSE])
                await record(
                    transaction, Action.EMAIL_CHANGE_WITHDRAWN, user_id=user_id, device=device
                )

    async def confirm(self, token: str, device: Device) -> EmailConfirmationStatus:
        """Redeem the link of one side, once; the second one moves the account.

        Every other session ends then, and the old address is told. Raises a 400 problem for a link
        that is no good, 409 if another account has got the address meanwhile.
        """
        try:
            async with self._database.transaction() as transaction:
                account, change = await self._redeem(transaction, token, device)
                if not change.is_complete:
                    return EmailConfirmationStatus.WAITING_FOR_OTHER
                await self._move(transaction, account, change, device)
                return EmailConfirmationStatus.CHANGED
        except ConstraintViolation as violation:
            if violation.constraint != "users_email_key":
                raise
        async with self._database.transaction() as transaction:
            account, _ = await self._redeem(transaction, token, device)
            await store.delete_email_change(transaction, account.id)
        raise Problem(ProblemCode.EMAIL_TAKEN)

    async def _ask_old(
        self, transaction: Transaction, account: Account, change_id: UUID, new_email: str
    ) -> bool:
        mail = Mail(
            purpose=PURPOSE,
            email=account.email,
            template="email_change_old",
            path="/email",
            lifetime=LIFETIME,
            user_id=account.id,
            variables={"new_email": new_email},
            data={"change_id": str(change_id), "side": Side.OLD.value},
        )
        return await self._mails.send_a_few(transaction, mail, most=MOST_MAILS)

    async def _ask_new(
        self, transaction: Transaction, account: Account, change_id: UUID, new_email: str
    ) -> None:
        mail = Mail(
            purpose=PURPOSE,
            email=new_email,
            template="email_change_new",
            template_taken="email_taken",
            path="/email",
            lifetime=LIFETIME,
            user_id=account.id,
            data={"change_id": str(change_id), "side": Side.NEW.value},
        )
        await self._mails.send_a_few(transaction, mail, most=MOST_MAILS)

    async def _redeem(
        self, transaction: Transaction, token: str, device: Device
    ) -> tuple[Account, EmailChange]:
        token_hash = self._tokens.hash_of_token(PURPOSE, token)
        if token_hash is None:
            raise Problem(ProblemCode.LINK_INVALID)
        account = await store.lock_account_of_link(transaction, token_hash, PURPOSE)
        link = await self._mails.take(transaction, PURPOSE, token)
        if account is None or link is None:
            raise Problem(ProblemCode.LINK_INVALID)
        side = Side(link.data["side"])
        change = await store.confirm_email_change(
            transaction, UUID(link.data["change_id"]), side=side.value
        )
        if change is None:
            raise Problem(ProblemCode.LINK_INVALID)
        await record(
            transaction,
            Action.EMAIL_CONFIRMED,
            user_id=account.id,
            device=device,
            side=side.value,
        )
        return account, change

    async def _move(
        self, transaction: Transaction, account: Account, change: EmailChange, device: Device
    ) -> None:
        # Links to the old address would let in whoever has it now.
        await self._mails.discard(transaction, account, OUTSTANDING)
        await store.set_email(transaction, account.id, change.new_email)
        await store.delete_email_change(transaction, account.id)
        await self._sessions.end_others(transaction, user_id=account.id, keep=change.session_id)
        await self._mails.notify(transaction, account, "email_changed")
        await record(transaction, Action.EMAIL_CHANGED, user_id=account.id, device=device)

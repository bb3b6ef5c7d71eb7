"""Telling owners what happened to their second factors."""

from typing import Final
from uuid import UUID

from services.auth import store as accounts
from services.auth.audit.log import Action, record
from services.auth.factors import store
from services.auth.mailing.mails import AccountMails
from services.auth.records import Account, Device
from shared.chassis.database import Transaction

CHANGED: Final = "factor_changed"
GUESSED: Final = "factor_guessed"


class FactorNotices:
    """Logs acts on second factors and tells the owner by mail, in the act's own transaction."""

    def __init__(self, mails: AccountMails) -> None:
        self._mails = mails

    async def changed(
        self,
        transaction: Transaction,
        account: Account,
        action: Action,
        device: Device,
        *,
        change: str,
        session_id: UUID,
    ) -> None:
        """Log a change and tell the owner; `change` is a sentence about it."""
        await record(transaction, action, user_id=account.id, device=device, session_id=session_id)
        await self._mails.notify(transaction, account, CHANGED, change=change)

    async def recovery_code_used(
        self, transaction: Transaction, user_id: UUID, device: Device
    ) -> None:
        """Log that a recovery code is spent, and tell the owner how many are left."""
        await record(transaction, Action.RECOVERY_CODE_USED, user_id=user_id, device=device)
        account = await accounts.find_user(transaction, user_id)
        if account is not None:
            left = await store.count_recovery_codes(transaction, user_id)
            change = f"A recovery code was used to prove that it was you. Codes left: {left}."
            await self._mails.notify(transaction, account, CHANGED, change=change)

    async def guessed(self, transaction: Transaction, user_id: UUID) -> None:
        """Tell the owner that somebody who got past the first step guesses at the second.

        Once in two days at most, so that nobody can fill a mailbox by it.
        """
        account = await accounts.find_user(transaction, user_id)
        if account is not None and not await store.was_notified(transaction, user_id, GUESSED):
            await self._mails.notify(transaction, account, GUESSED)

"""Asking for mails about accounts, and redeeming the links in them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.links import LinkTokens
from services.auth.mailing import store
from services.auth.mailing.store import Mail, TakenLink
from services.auth.records import Account
from shared.chassis.database import Database, Transaction
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import NoticeRequested

NOTICE_LIFETIME: Final = timedelta(days=2)


class AccountMails:
    """Has mails sent, in the transaction of what they are about.

    The event names the mail by its link's id. The mail service asks for recipient, template and
    variables when it renders, and the token is derived then, so neither the bus nor the database
    ever holds it.
    """

    def __init__(self, database: Database, outbox: Outbox, tokens: LinkTokens) -> None:
        self._database = database
        self._outbox = outbox
        self._tokens = tokens

    async def send(self, transaction: Transaction, mail: Mail) -> UUID:
        """Have a mail sent once the transaction commits; return the id of its link."""
        link_id = uuid7()
        await self._send(transaction, mail, link_id, most=None)
        return link_id

    async def send_a_few(self, transaction: Transaction, mail: Mail, *, most: int) -> bool:
        """Have a mail sent unless `most` of its purpose went to the address and are still good.

        Tells whether it is sent, which is nothing for somebody who gave another's address.
        """
        return await self._send(transaction, mail, uuid7(), most=most)

    async def _send(
        self, transaction: Transaction, mail: Mail, link_id: UUID, *, most: int | None
    ) -> bool:
        token_hash = self._tokens.hash(mail.purpose, link_id)
        inserted = await store.insert_mail(
            transaction, mail, link_id=link_id, token_hash=token_hash, most=most
        )
        if inserted:
            await self._outbox.emit(
                transaction, NoticeRequested(link_id=link_id), subject=str(link_id)
            )
        return inserted

    async def notify(
        self, transaction: Transaction, account: Account, template: str, **variables: str | None
    ) -> None:
        """Tell an account's owner what was done."""
        mail = Mail(
            purpose="notice",
            email=account.email,
            template=template,
            lifetime=NOTICE_LIFETIME,
            user_id=account.id,
            variables=variables,
        )
        await self.send(transaction, mail)

    async def take(self, transaction: Transaction, purpose: str, token: str) -> TakenLink | None:
        """Spend the link of a mailed token; None if it is no good, or not any more.

        It is spent when the transaction commits; others who redeem it meanwhile wait for that.
        """
        token_hash = self._tokens.hash_of_token(purpose, token)
        if token_hash is None:
            return None
        return await store.take_link(transaction, purpose, token_hash)

    async def peek(self, purpose: str, token: str) -> str | None:
        """Return the address that a mailed token was sent to, without spending its link."""
        token_hash = self._tokens.hash_of_token(purpose, token)
        if token_hash is None:
            return None
        return await store.find_link_address(self._database, purpose, token_hash)

    async def discard(
        self, transaction: Transaction, account: Account, purposes: Sequence[str]
    ) -> None:
        """Make an account's outstanding links of some purposes worthless."""
        await store.discard_links(
            transaction, user_id=account.id, email=account.email, purposes=purposes
        )

"""Logging in by mail: a link for any device, or six digits for the one that asked."""

import hmac
import secrets
from datetime import timedelta
from typing import Final

from services.auth import store as accounts
from services.auth.audit.log import Action, record
from services.auth.emails import require_email
from services.auth.entrance import Entrance, FactorRequired
from services.auth.links import LinkTokens
from services.auth.magic_links import store
from services.auth.magic_links.limits import CodeLimits
from services.auth.mailing.limits import MailLimits
from services.auth.mailing.mails import AccountMails
from services.auth.mailing.store import Counted, Mail, TakenLink, take_link
from services.auth.records import Account, Device, Method
from services.auth.secret_hashes import hash_secret
from services.auth.sessions import Grant
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.problems import ProblemCode

PURPOSE: Final = "magic_link"
LINK_LIFETIME: Final = timedelta(minutes=10)
LINK_FAILURES: Final = 5
_REQUEST_BYTES = 32


class MagicLinks:
    """Sends links that log in, and redeems them: each once, within ten minutes.

    The code stands for the link only together with the id that whoever asked was given; five
    wrong ones end both.
    """

    def __init__(
        self,
        database: Database,
        mails: AccountMails,
        tokens: LinkTokens,
        entrance: Entrance,
        *,
        mail_limits: MailLimits,
        code_limits: CodeLimits,
    ) -> None:
        self._database = database
        self._mails = mails
        self._tokens = tokens
        self._entrance = entrance
        self._mail_limits = mail_limits
        self._code_limits = code_limits

    async def request(self, email: str, device: Device) -> str:
        """Have a mail sent if somebody has the address, and return the id of the request.

        Does the same for every address; who has it is found out when the mail is rendered. Beyond
        the hour's share no mail is sent, and the answer does not tell. Raises a 422 problem for
        what is no address.
        """
        address = require_email(email)
        request_id = secrets.token_urlsafe(_REQUEST_BYTES)
        mail = Mail(
            purpose=PURPOSE,
            email=address,
            template="magic_link",
            path="/magic-link",
            lifetime=LINK_LIFETIME,
            has_code=True,
        )
        async with self._database.transaction() as transaction:
            if await self._mail_limits.may_send(transaction, Counted.MAIL, address, device):
                link_id = await self._mails.send(transaction, mail)
                await store.insert_request(
                    transaction, link_id=link_id, request_hash=hash_secret(request_id)
                )
        return request_id

    async def redeem_link(
        self, token: str, *, token_delivery: TokenDelivery, device: Device
    ) -> Grant | FactorRequired:
        """Log in with the token of a link. Raises 400 `link_invalid`, 403 if disabled."""
        email = await self._mails.peek(PURPOSE, token)
        if email is None:
            raise Problem(ProblemCode.LINK_INVALID)
        async with self._database.transaction() as transaction:
            # The account first, as everywhere: another password makes its links worthless.
            account = await accounts.hold_user_by_email(transaction, email)
            link = await self._mails.take(transaction, PURPOSE, token)
            return await self._enter(transaction, account, link, token_delivery, device)

    async def redeem_code(
        self, request_id: str, code: str, *, token_delivery: TokenDelivery, device: Device
    ) -> Grant | FactorRequired:
        """Log in with the code of a mail, on the device that asked for it.

        Raises 400 `code_invalid` for a wrong code, which is counted, 400 `link_invalid` once the
        link is spent or five codes were wrong, and 429 after too many wrong codes for one address
        within a day: the link still works then.
        """
        request_hash = hash_secret(request_id)
        email = await store.find_request_address(self._database, request_hash)
        if email is None:
            raise Problem(ProblemCode.LINK_INVALID)
        async with self._database.transaction() as transaction:
            account = await accounts.hold_user_by_email(transaction, email)
            asked = await store.lock_request(transaction, request_hash)
            if asked is None:
                raise Problem(ProblemCode.LINK_INVALID)
            await self._code_limits.count(transaction, asked.email)
            expected = self._tokens.code(PURPOSE, asked.link_id)
            given = "".join(code.split())
            if hmac.compare_digest(expected.encode(), given.encode()):
                await self._code_limits.forgive(transaction, asked.email)
                token_hash = self._tokens.hash(PURPOSE, asked.link_id)
                link = await take_link(transaction, PURPOSE, token_hash)
                return await self._enter(transaction, account, link, token_delivery, device)
            is_over = asked.failures + 1 >= LINK_FAILURES
            if is_over:
                await store.delete_link(transaction, asked.link_id)
            else:
                await store.count_failure(transaction, asked.link_id)
            await record(
                transaction,
                Action.LOGIN_FAILED,
                user_id=None if account is None else account.id,
                device=device,
                method=Method.MAIL.value,
            )
        # Raised outside the transaction, which would take the count back otherwise.
        raise Problem(ProblemCode.LINK_INVALID if is_over else ProblemCode.CODE_INVALID)

    async def _enter(
        self,
        transaction: Transaction,
        account: Account | None,
        link: TakenLink | None,
        token_delivery: TokenDelivery,
        device: Device,
    ) -> Grant | FactorRequired:
        if account is None or link is None:
            raise Problem(ProblemCode.LINK_INVALID)
        return await self._entrance.enter(
            transaction,
            account.id,
            method=Method.MAIL,
            token_delivery=token_delivery,
            device=device,
        )

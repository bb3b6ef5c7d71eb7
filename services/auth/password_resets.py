"""Getting back in without the password, and choosing a new one."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth import store
from services.auth.audit.log import Action, record
from services.auth.emails import require_email
from services.auth.logins import CURRENT_IS_WRONG, Logins
from services.auth.mailing.mails import AccountMails
from services.auth.mailing.store import Mail
from services.auth.new_passwords import NewPasswords
from services.auth.passwords import PasswordHasher
from services.auth.protections.known_devices import KnownDevices
from services.auth.records import Account, Device
from services.auth.sessions import Sessions
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

PURPOSE: Final = "password_reset"
LIFETIME: Final = timedelta(hours=1)
MOST_MAILS: Final = 5
"""For one address within a link's life; the links of those that were sent stay good."""
OUTSTANDING: Final = (PURPOSE, "magic_link", "email_change")
"""Links that a new password makes worthless."""


class PasswordResets:
    """Forgotten passwords by a mailed link, others by the current one."""

    def __init__(
        self,
        database: Database,
        hasher: PasswordHasher,
        mails: AccountMails,
        sessions: Sessions,
        *,
        logins: Logins,
        known_devices: KnownDevices,
        new_passwords: NewPasswords,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._mails = mails
        self._sessions = sessions
        self._logins = logins
        self._known_devices = known_devices
        self._new_passwords = new_passwords

    async def request(self, email: str) -> None:
        """Have a link sent to whoever has the address.

        Does the same for every address: whether there is an account is found out when the mail is
        rendered. Raises a 422 problem for what is no address.
        """
        mail = Mail(
            purpose=PURPOSE,
            email=require_email(email),
            template="password_reset",
            template_otherwise="no_account",
            path="/reset",
            lifetime=LIFETIME,
        )
        async with self._database.transaction() as transaction:
            await self._mails.send_a_few(transaction, mail, most=MOST_MAILS)

    async def reset(self, token: str, password: str, device: Device) -> None:
        """Give the account of a link another password, once; every session ends, none begins.

        A second factor stays as it is. Raises a 400 problem for a link that is spent or not ours,
        422 for a password that does not do; the link stays good then.
        """
        email = await self._mails.peek(PURPOSE, token)
        if email is None:
            raise Problem(ProblemCode.LINK_INVALID)
        password_hash = await self._hash(password, email)
        async with self._database.transaction() as transaction:
            # The account first, as everywhere: two links of it would wait for each other.
            account = await store.lock_user_by_email(transaction, email)
            link = await self._mails.take(transaction, PURPOSE, token)
            if link is None or account is None:
                raise Problem(ProblemCode.LINK_INVALID)
            await self._replace(transaction, account, password_hash, device, keep=None)

    async def change(
        self, user_id: UUID, session_id: UUID, current: str, password: str, device: Device
    ) -> None:
        """Replace a password by whoever knows it; every other session ends.

        Raises 401 `invalid_credentials` and 429 as a log-in does, 422 for a password that does not
        do.
        """
        account = await store.find_user(self._database, user_id)
        if account is None:
            raise Problem(ProblemCode.TOKEN_INVALID)
        account = await self._logins.authenticate(
            account.email, current, device, session_id=session_id
        )
        password_hash = await self._hash(password, account.email, account.name)
        async with self._database.transaction() as transaction:
            locked = await store.lock_user_by_email(transaction, account.email)
            if locked is None or locked.password_hash != account.password_hash:
                raise Problem(ProblemCode.INVALID_CREDENTIALS, CURRENT_IS_WRONG)
            await self._replace(transaction, locked, password_hash, device, keep=session_id)

    async def _hash(self, password: str, email: str, name: str | None = None) -> str:
        normalised = await self._new_passwords.require(password, email=email, name=name)
        async with self._hasher.slot() as slot:
            return await slot.hash(normalised)

    async def _replace(
        self,
        transaction: Transaction,
        account: Account,
        password_hash: str,
        device: Device,
        *,
        keep: UUID | None,
    ) -> None:
        await store.set_password(transaction, account.id, password_hash)
        await self._sessions.end_others(transaction, user_id=account.id, keep=keep)
        await self._known_devices.forget_others(transaction, account, device)
        await self._mails.discard(transaction, account, OUTSTANDING)
        await self._mails.notify(transaction, account, "password_changed")
        await record(transaction, Action.PASSWORD_CHANGED, user_id=account.id, device=device)

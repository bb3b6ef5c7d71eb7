"""Making administrators from the command line, by whoever runs the machine."""

from dataclasses import dataclass
from typing import Literal

from uuid_utils.compat import uuid7

from services.auth import store
from services.auth.administration.store import enable_user
from services.auth.audit.log import Action, record_by_operator
from services.auth.emails import normalise_email
from services.auth.mailing.mails import AccountMails
from services.auth.password_resets import OUTSTANDING
from services.auth.passwords import hash_password, require_new_password
from services.auth.protections.store import forget_devices
from services.auth.records import Account
from services.auth.revocations import end_sessions
from services.auth.roles.roles import require_fitting
from shared.chassis.database import Database, Transaction
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserEnabled, UserRegistered
from shared.schemas.roles import ADMINISTRATOR


class PasswordNeeded(Exception):  # noqa: N818 - says what it is
    """There is no account with this address, so a new one needs a password."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to an account, so that its owner is an administrator who can log in."""

    done: Literal["created", "promoted", "left as it is"]
    enabled: bool = False
    """Whether it was disabled before."""


class Administrators:
    """Makes and promotes administrators, each act logged in its own transaction."""

    def __init__(self, database: Database, outbox: Outbox, mails: AccountMails) -> None:
        self._database = database
        self._outbox = outbox
        self._mails = mails

    async def make(
        self, *, email: str, password: str, password_min_length: int, bcrypt_cost: int
    ) -> Outcome:
        """Make or promote an administrator, verified at once, and return what was done.

        A disabled account is enabled, as by the API. A given password replaces the one of an
        account that exists, as a reset does: links that were mailed are worthless, and the owner is
        told. An empty one leaves it. The account's sessions end if something changed, because their
        tokens name the old roles. Raises InvalidEmailError, PasswordNeeded, or Problem for a
        password that does not meet the rules and for roles that do not fit into a token.
        """
        address = normalise_email(email)
        password_hash = None
        if password:
            checked = require_new_password(password, min_length=password_min_length, email=address)
            password_hash = hash_password(checked, bcrypt_cost)
        async with self._database.transaction() as transaction:
            account = await store.lock_user_by_email(transaction, address)
            if account is None:
                await self._create(transaction, address, password_hash)
                return Outcome("created")
            enabled = await self._enable(transaction, account)
            if ADMINISTRATOR in account.roles and password_hash is None:
                return Outcome("left as it is", enabled=enabled)
            await self._promote(transaction, account)
            if password_hash is not None:
                await self._replace_password(transaction, account, password_hash)
            await end_sessions(transaction, self._outbox, account.id)
            return Outcome("promoted", enabled=enabled)

    async def _create(
        self, transaction: Transaction, address: str, password_hash: str | None
    ) -> None:
        if password_hash is None:
            raise PasswordNeeded
        created = await store.insert_user(
            transaction,
            user_id=uuid7(),
            email=address,
            name=None,
            password_hash=password_hash,
            roles=[ADMINISTRATOR],
        )
        await store.delete_signups(transaction, address)
        await self._outbox.emit(
            transaction, UserRegistered(user_id=created.id), subject=str(created.id)
        )
        await record_by_operator(
            transaction, Action.ACCOUNT_CREATED, user_id=created.id, roles=list(created.roles)
        )

    async def _enable(self, transaction: Transaction, account: Account) -> bool:
        if not await enable_user(transaction, account.id):
            return False
        await self._outbox.emit(
            transaction, UserEnabled(user_id=account.id), subject=str(account.id)
        )
        await record_by_operator(transaction, Action.USER_ENABLED, user_id=account.id)
        return True

    async def _promote(self, transaction: Transaction, account: Account) -> None:
        if ADMINISTRATOR in account.roles:
            return
        await store.grant_role(transaction, account.id, ADMINISTRATOR)
        await require_fitting(transaction, account.id)
        await record_by_operator(
            transaction,
            Action.ROLES_CHANGED,
            user_id=account.id,
            before=list(account.roles),
            after=sorted({*account.roles, ADMINISTRATOR}),
        )

    async def _replace_password(
        self, transaction: Transaction, account: Account, password_hash: str
    ) -> None:
        await store.set_password(transaction, account.id, password_hash)
        await forget_devices(transaction, account.id, keep=None)
        await self._mails.discard(transaction, account, OUTSTANDING)
        await self._mails.notify(transaction, account, "password_changed")
        await record_by_operator(transaction, Action.PASSWORD_CHANGED, user_id=account.id)

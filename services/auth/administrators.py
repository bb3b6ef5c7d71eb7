"""Making administrators from the command line, by whoever runs the machine."""

from uuid_utils.compat import uuid7

from services.auth import store
from services.auth.emails import normalise_email
from services.auth.passwords import hash_password, require_new_password
from services.auth.revocations import revoke
from shared.chassis.database import Database
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserRegistered
from shared.schemas.roles import ADMINISTRATOR


class PasswordNeeded(Exception):  # noqa: N818 - says what it is
    """There is no account with this address, so a new one needs a password."""


async def make_administrator(
    database: Database,
    outbox: Outbox,
    *,
    email: str,
    password: str,
    password_min_length: int,
    bcrypt_cost: int,
) -> str:
    """Make or promote an administrator, verified at once, and return what was done.

    A given password replaces the one of an account that exists; an empty one leaves it. The
    account's sessions end, because their tokens name the old roles. Raises InvalidEmailError,
    PasswordNeeded, or Problem for a password that does not meet the rules.
    """
    address = normalise_email(email)
    password_hash = None
    if password:
        checked = require_new_password(password, min_length=password_min_length, email=address)
        password_hash = hash_password(checked, bcrypt_cost)
    async with database.transaction() as transaction:
        account = await store.lock_user_by_email(transaction, address)
        if account is not None:
            await store.grant_role(transaction, account.id, ADMINISTRATOR)
            if password_hash is not None:
                await store.set_password(transaction, account.id, password_hash)
            ended = await store.end_other_sessions(transaction, account.id, keep=None)
            await revoke(transaction, outbox, ended)
            return "promoted"
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
        await outbox.emit(transaction, UserRegistered(user_id=created.id), subject=str(created.id))
        return "created"

"""Accounts that come from another system, with the password hashes they had there."""

from collections.abc import Sequence
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from uuid_utils.compat import uuid7

from services.auth import store
from services.auth.emails import InvalidEmailError, normalise_email
from services.auth.names import clean_name
from services.auth.passwords import is_known_hash
from services.auth.records import ImportedAccount
from shared.chassis.database import Database
from shared.chassis.errors import Problem

BATCH: Final = 500


class ImportLine(BaseModel):
    """One account, as a line of JSON."""

    model_config = ConfigDict(extra="forbid")

    email: str
    email_verified: bool = Field(
        description="Must be true: an address that nobody has confirmed is no proof of an account"
    )
    password_hash: str | None = Field(default=None, max_length=1000)
    name: str | None = Field(default=None, max_length=200)
    created_at: AwareDatetime | None = None


class BadLine(ValueError):  # noqa: N818 - what is wrong with the input
    """A line that cannot be imported; the message says why."""


def read_line(text: str) -> ImportedAccount:
    """Return the account of one line. Raises BadLine."""
    try:
        line = ImportLine.model_validate_json(text)
        email = normalise_email(line.email)
        name = clean_name(line.name)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadLine(f"{field}: {first['msg']}" if field else first["msg"]) from error
    except InvalidEmailError as error:
        raise BadLine(f"email: {error}") from error
    except Problem as error:
        raise BadLine(f"name: {error.detail}") from error
    if not line.email_verified:
        raise BadLine("email_verified: the address was never confirmed; let its owner sign up")
    if line.password_hash is not None and not is_known_hash(line.password_hash):
        raise BadLine("password_hash: neither bcrypt ($2a$, $2b$, $2y$) nor $argon2id$, $argon2i$")
    return ImportedAccount(
        id=uuid7(),
        email=email,
        name=name,
        password_hash=line.password_hash,
        created_at=line.created_at,
    )


async def import_accounts(database: Database, accounts: Sequence[ImportedAccount]) -> int:
    """Add those whose address has no account yet, and return how many that were.

    Repeating it adds nothing. No event tells of them: an import is no sign-up, and nobody wants a
    welcome after years.
    """
    added = 0
    for first in range(0, len(accounts), BATCH):
        added += await store.insert_imported_users(database, accounts[first : first + BATCH])
    return added

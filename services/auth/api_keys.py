"""API keys: how programs identify themselves."""

import hashlib
import secrets
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth import store
from services.auth.access_tokens import AccessTokenIssuer
from services.auth.records import ApiKeyRow
from services.auth.revocations import revoke
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.outbox import Outbox
from shared.schemas.api.auth import ApiKeyCreate
from shared.schemas.problems import FieldError, ProblemCode
from shared.schemas.roles import ADMINISTRATOR
from shared.schemas.scopes import is_for_administrators

KEY_PREFIX = "fh_"
_SECRET_BYTES = 32
_SHOWN_CHARACTERS = 9


class ApiKeys:
    """Makes, ends and exchanges API keys.

    A key is 256 random bits, so its plain SHA-256 is stored: there is nothing to guess.
    """

    def __init__(self, database: Database, outbox: Outbox, issuer: AccessTokenIssuer) -> None:
        self._database = database
        self._outbox = outbox
        self._issuer = issuer

    async def create(
        self, user_id: UUID, request: ApiKeyCreate, *, by_administrator: bool
    ) -> tuple[ApiKeyRow, str]:
        """Make a key and return it with its secret, which nobody can show again.

        Raises a 422 problem for a key of no use, a 403 one for scopes that only an administrator
        may give away.
        """
        _require_use(request)
        if not by_administrator:
            _require_own_scopes(request)
        secret = KEY_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        row = await store.insert_api_key(
            self._database,
            key_id=uuid7(),
            user_id=user_id,
            name=request.name,
            key_hash=_hash(secret),
            prefix=secret[:_SHOWN_CHARACTERS],
            scopes=sorted(set(request.scopes)),
            expires_at=request.expires_at,
        )
        return row, secret

    async def delete(self, user_id: UUID, key_id: UUID) -> None:
        """End a key and the tokens minted for it. Raises a 404 problem for another's key."""
        async with self._database.transaction() as transaction:
            deleted = await store.delete_api_key(transaction, key_id, user_id=user_id)
            if deleted is None:
                raise Problem(ProblemCode.API_KEY_NOT_FOUND)
            await revoke(transaction, self._outbox, [deleted])

    async def exchange(self, secret: str) -> tuple[str, int]:
        """Return an access token for a key and its life of at most 60 seconds.

        Raises a 401 problem for a key that is unknown, expired or deleted.
        """
        found = None
        if secret.startswith(KEY_PREFIX):
            found = await store.find_api_key(self._database, _hash(secret))
        if found is None:
            raise Problem(ProblemCode.API_KEY_INVALID)
        row, owner_roles = found
        await store.note_api_key_use(self._database, row.id)
        # Who is no administrator any more gave away what was not theirs to keep.
        scopes = [
            scope
            for scope in row.scopes
            if ADMINISTRATOR in owner_roles or not is_for_administrators(scope)
        ]
        return self._issuer.for_api_key(
            user_id=row.user_id, key_id=row.id, scopes=scopes, ends_at=row.expires_at
        )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _require_own_scopes(request: ApiKeyCreate) -> None:
    foreign = sorted({scope for scope in request.scopes if is_for_administrators(scope)})
    if foreign:
        raise Problem(
            ProblemCode.ADMINISTRATOR_REQUIRED,
            f"Only an administrator may give a key the scope `{foreign[0]}`.",
        )


def _require_use(request: ApiKeyCreate) -> None:
    errors = []
    if not request.scopes:
        errors.append(FieldError(field="scopes", message="A key needs at least one scope."))
    if request.expires_at is not None:
        if request.expires_at.tzinfo is None:
            message = "Give the time with its offset, such as 2030-01-31T12:00:00Z."
            errors.append(FieldError(field="expires_at", message=message))
        elif request.expires_at <= datetime.now(UTC):
            errors.append(FieldError(field="expires_at", message="The time lies in the past."))
    if any(not character.isprintable() for character in request.name):
        errors.append(FieldError(field="name", message="A name has no control characters."))
    if errors:
        raise Problem(ProblemCode.VALIDATION_FAILED, errors=errors)

"""API keys: how programs identify themselves."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.access import lock_own_account
from services.auth.access_tokens import AccessTokenIssuer
from services.auth.api_keys import store
from services.auth.audit.log import Action, record
from services.auth.networks import network_of
from services.auth.records import ApiKeyRow, Device
from services.auth.revocations import revoke_keys
from services.auth.secret_hashes import hash_secret
from services.auth.service_accounts.store import lock_service_account
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.outbox import Outbox
from shared.schemas.api.auth import ApiKeyCreate
from shared.schemas.problems import FieldError, ProblemCode
from shared.schemas.scopes import is_for_administrators

KEY_PREFIX = "fh_"
_SECRET_BYTES = 32
KEYS_AT_MOST: Final = 100
"""Live ones of one owner; whoever shuts the owner out revokes all in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOwner:
    """Whose keys are meant, and who acts on them from where."""

    user_id: UUID | None = None
    service_account_id: UUID | None = None
    """Either this or a user."""
    by: UUID
    device: Device

    @property
    def id(self) -> UUID:
        """Whom the tokens of the keys name."""
        owner = self.user_id or self.service_account_id
        assert owner is not None  # noqa: S101 - one of the two is given
        return owner


class ApiKeys:
    """Makes, renames, ends and exchanges API keys, each act logged in its own transaction.

    A key is 256 random bits, of which only a hash is stored.
    """

    def __init__(self, database: Database, outbox: Outbox, issuer: AccessTokenIssuer) -> None:
        self._database = database
        self._outbox = outbox
        self._issuer = issuer

    async def create(
        self, transaction: Transaction, owner: KeyOwner, request: ApiKeyCreate
    ) -> tuple[ApiKeyRow, str]:
        """Make a key and return it with its secret, which is shown after the commit only.

        Whether whoever asks may give the scopes away is decided before. Raises a 422 problem for a
        key of no use, 409 for too many keys, and 401 or 404 if the owner is gone.
        """
        _require_use(request)
        secret = KEY_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        await _lock(transaction, owner)
        if await store.count_api_keys(transaction, owner.id) >= KEYS_AT_MOST:
            raise Problem(ProblemCode.API_KEYS_FULL)
        row = await store.insert_api_key(
            transaction,
            key_id=uuid7(),
            user_id=owner.user_id,
            service_account_id=owner.service_account_id,
            name=request.name,
            key_hash=hash_secret(secret),
            scopes=sorted(set(request.scopes)),
            expires_at=request.expires_at,
        )
        await _log(transaction, Action.API_KEY_CREATED, owner, row.id, scopes=list(row.scopes))
        return row, secret

    async def rename(self, owner: KeyOwner, key_id: UUID, name: str) -> ApiKeyRow:
        """Give a key another name. Raises a 404 problem for another's key, 422 for no name."""
        errors = _faults_of_name(name)
        if errors:
            raise Problem(ProblemCode.VALIDATION_FAILED, errors=errors)
        async with self._database.transaction() as transaction:
            row = await store.rename_api_key(transaction, key_id, owner_id=owner.id, name=name)
            if row is None:
                raise Problem(ProblemCode.API_KEY_NOT_FOUND)
            await _log(transaction, Action.API_KEY_RENAMED, owner, row.id)
        return row

    async def delete(self, owner: KeyOwner, key_id: UUID) -> None:
        """End a key and the tokens minted for it. Raises a 404 problem for another's key."""
        async with self._database.transaction() as transaction:
            deleted = await store.delete_api_key(transaction, key_id, owner_id=owner.id)
            if deleted is None:
                raise Problem(ProblemCode.API_KEY_NOT_FOUND)
            await revoke_keys(transaction, self._outbox, [deleted])
            await _log(transaction, Action.API_KEY_DELETED, owner, key_id)

    async def exchange(
        self, secret: str, address: IPv4Address | IPv6Address | None
    ) -> tuple[str, int]:
        """Return an access token for a key and its life of at most 60 seconds.

        `address` is where the key was used. Raises a 401 problem for a key that is unknown, expired
        or deleted, or whose owner is disabled.
        """
        found = None
        if secret.startswith(KEY_PREFIX):
            found = await store.find_api_key(self._database, hash_secret(secret))
        if found is None:
            raise Problem(ProblemCode.API_KEY_INVALID)
        row, keeps_all_scopes = found
        network = None if address is None else network_of(address)
        await store.note_api_key_use(self._database, row.id, network)
        # Who is no administrator any more gave away what was not theirs to keep.
        scopes = [
            scope for scope in row.scopes if keeps_all_scopes or not is_for_administrators(scope)
        ]
        return self._issuer.for_api_key(
            user_id=row.owner_id, key_id=row.id, scopes=scopes, ends_at=row.expires_at
        )


async def _lock(transaction: Transaction, owner: KeyOwner) -> None:
    # So that of many requests at once none counts too few.
    if owner.service_account_id is None:
        await lock_own_account(transaction, owner.id)
    elif await lock_service_account(transaction, owner.id) is None:
        raise Problem(ProblemCode.SERVICE_ACCOUNT_NOT_FOUND)


async def _log(
    transaction: Transaction, action: Action, owner: KeyOwner, key_id: UUID, **details: Any
) -> None:
    if owner.service_account_id is not None:
        details["service_account_id"] = str(owner.service_account_id)
    await record(
        transaction,
        action,
        user_id=owner.user_id,
        actor_id=owner.by,
        device=owner.device,
        key_id=str(key_id),
        **details,
    )


def _require_use(request: ApiKeyCreate) -> None:
    errors = []
    if not request.scopes:
        errors.append(FieldError(field="scopes", message="A key needs at least one scope."))
    if request.expires_at is not None and request.expires_at <= datetime.now(UTC):
        errors.append(FieldError(field="expires_at", message="The time lies in the past."))
    errors += _faults_of_name(request.name)
    if errors:
        raise Problem(ProblemCode.VALIDATION_FAILED, errors=errors)


def _faults_of_name(name: str) -> list[FieldError]:
    if all(character.isprintable() for character in name):
        return []
    return [FieldError(field="name", message="A name has no control characters.")]

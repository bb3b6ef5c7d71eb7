"""Setting connections up."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.auth.audit.log import Action, record
from services.auth.federation import store
from services.auth.federation.errors import ProviderUnavailable
from services.auth.federation.presets import PRESETS
from services.auth.federation.providers import Providers
from services.auth.federation.records import Connection
from services.auth.master_key import MasterKey
from services.auth.records import Device
from shared.chassis.database import ConstraintViolation, Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.sealing import Seal
from shared.schemas.api.connections import ConnectionCreate, ConnectionKind, ConnectionUpdate
from shared.schemas.problems import FieldError, ProblemCode


class ConnectionSecrets:
    """Keeps the secrets of connections encrypted, each for its own row."""

    def __init__(self, master_key: MasterKey) -> None:
        self._seal = Seal(master_key.derive("connection-secrets"))

    def seal(self, secret: str, connection_id: str) -> bytes:
        """Return a secret as it is stored."""
        return self._seal.seal(secret.encode(), place=f"connection {connection_id}")

    def open(self, connection: Connection) -> str:
        """Return the secret of a connection. Raises Unsealable for another master key."""
        place = f"connection {connection.id}"
        return self._seal.open(connection.sealed_secret, place=place).decode()


class Connections:
    """Makes, changes and removes connections; each act is logged in its own transaction."""

    def __init__(
        self, database: Database, providers: Providers, secrets: ConnectionSecrets
    ) -> None:
        self._database = database
        self._providers = providers
        self._secrets = secrets

    async def prepare(self, request: ConnectionCreate) -> Connection:
        """Return what a request asks for, to be added.

        The provider may be asked, so call it outside of a transaction. Raises a 422 problem for
        what cannot work: a provider named by its issuer that does not answer as one, a key that is
        none.
        """
        preset = PRESETS[request.kind]
        connection = Connection(
            id=request.id,
            name=request.name,
            kind=request.kind,
            issuer=request.issuer or preset.issuer or "",
            client_id=request.client_id,
            sealed_secret=self._secrets.seal(request.client_secret, request.id),
            scopes=_scopes(request.kind, request.scopes),
            team_id=request.team_id,
            key_id=request.key_id,
            is_enabled=request.is_enabled,
            created_at=datetime.now(UTC),
        )
        _require_complete(connection, request.client_secret)
        if request.issuer is not None:
            try:
                await self._providers.metadata(connection)
            except ProviderUnavailable as error:
                raise _fault("issuer", f"This provider cannot be used: {error}.") from error
        return connection

    async def create(
        self, transaction: Transaction, connection: Connection, by: UUID, device: Device
    ) -> Connection:
        """Add what was prepared. Raises a 422 problem for an id that is taken."""
        try:
            connection = await store.insert_connection(transaction, connection)
        except ConstraintViolation as violation:
            if violation.constraint != "connections_pkey":
                raise
            raise _fault("id", "There is a connection with this id.") from violation
        await record(
            transaction,
            Action.CONNECTION_CREATED,
            user_id=None,
            actor_id=by,
            device=device,
            connection=connection.id,
        )
        return connection

    async def update(
        self, connection_id: str, request: ConnectionUpdate, by: UUID, device: Device
    ) -> Connection:
        """Change what a request names. Raises a 404 problem, and 422 as `prepare` does."""
        async with self._database.transaction() as transaction:
            connection = await store.lock_connection(transaction, connection_id)
            if connection is None:
                raise Problem(ProblemCode.CONNECTION_NOT_FOUND)
            changes = request.model_dump(exclude_none=True)
            changed = sorted(changes)
            secret = changes.pop("client_secret", None)
            if secret is not None:
                changes["sealed_secret"] = self._secrets.seal(secret, connection_id)
            if "scopes" in changes:
                changes["scopes"] = _scopes(connection.kind, changes["scopes"])
            connection = replace(connection, **changes)
            _require_complete(connection, secret)
            await store.update_connection(transaction, connection)
            await record(
                transaction,
                Action.CONNECTION_CHANGED,
                user_id=None,
                actor_id=by,
                device=device,
                connection=connection_id,
                changed=changed,
            )
        return connection

    async def delete(self, connection_id: str, by: UUID, device: Device) -> None:
        """Remove a connection; accounts stay. Raises a 404 problem."""
        async with self._database.transaction() as transaction:
            if not await store.delete_connection(transaction, connection_id):
                raise Problem(ProblemCode.CONNECTION_NOT_FOUND)
            await record(
                transaction,
                Action.CONNECTION_REMOVED,
                user_id=None,
                actor_id=by,
                device=device,
                connection=connection_id,
            )


def _scopes(kind: ConnectionKind, wanted: list[str] | None) -> tuple[str, ...]:
    preset = PRESETS[kind]
    if not wanted:
        return preset.scopes
    needed = ("openid",) if preset.has_id_tokens else ()
    return tuple(dict.fromkeys((*needed, *wanted)))


def _require_complete(connection: Connection, secret: str | None) -> None:
    if not connection.issuer:
        raise _fault("issuer", "Say which provider: the address that its ID tokens name as `iss`.")
    if connection.kind is not ConnectionKind.APPLE:
        return
    for field in ("team_id", "key_id"):
        if getattr(connection, field) is None:
            raise _fault(field, "Sign in with Apple needs the ids of team and key.")
    if secret is not None and not _is_apple_key(secret):
        raise _fault("client_secret", "Give the private key as the .p8 file from Apple has it.")


def _is_apple_key(pem: str) -> bool:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)


def _fault(field: str, message: str) -> Problem:
    return Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=field, message=message)])

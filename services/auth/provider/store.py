"""The statements of the OpenID provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.auth.signing_keys import Algorithm
from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Client:
    """A row of `oauth_clients`."""

    id: str
    name: str
    secret_hash: bytes | None
    """None for a public client, which cannot keep a secret."""
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    is_trusted: bool
    """Whether users are not asked, because it is the owner's own."""
    backchannel_logout_uri: str | None
    """Where it is told that somebody's session has ended."""
    id_token_algorithm: Algorithm
    backchannel_logout_session_required: bool
    """What it said; every notice names the session."""
    require_pkce: bool
    """Always for a public client."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Who sits at a browser."""

    id: UUID
    user_id: UUID
    methods: list[str]
    authenticated_at: datetime
    email: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user allowed an application."""

    client_id: str
    name: str
    scopes: list[str]
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """A sign-in that is about to be."""

    id: UUID
    client_id: str
    user_id: UUID
    session_id: UUID | None
    """The session that it ends with; None if it may stay."""
    sid: UUID
    """The session that it was made in, as the application is told."""
    scopes: Sequence[str]
    nonce: str | None
    methods: Sequence[str]
    authenticated_at: datetime


@dataclass(frozen=True, slots=True)
class EndedGrant:
    """A sign-in that was ended."""

    client_id: str
    user_id: UUID
    sid: UUID | None


@dataclass(frozen=True, slots=True)
class Participant:
    """An application that a session signed into."""

    client_id: str
    sid: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class UsedCode:
    """What a code was made for."""

    grant_id: UUID
    redirect_uri: str
    code_challenge: str | None
    """None if the request brought none."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A live sign-in with its user."""

    id: UUID
    client_id: str
    user_id: UUID
    sid: UUID | None
    scopes: list[str]
    nonce: str | None
    methods: list[str]
    authenticated_at: datetime
    refresh_counter: int
    expires_at: datetime
    email: str
    name: str | None
    roles: list[str]
    updated_at: datetime
    since_refresh: timedelta


def _client(row: Record) -> Client:
    return Client(
        id=row["id"],
        name=row["name"],
        secret_hash=row["secret_hash"],
        redirect_uris=tuple(row["redirect_uris"]),
        post_logout_redirect_uris=tuple(row["post_logout_redirect_uris"]),
        scopes=tuple(row["scopes"]),
        is_trusted=row["is_trusted"],
        backchannel_logout_uri=row["backchannel_logout_uri"],
        id_token_algorithm=Algorithm(row["id_token_algorithm"]),
        backchannel_logout_session_required=row["backchannel_logout_session_required"],
        require_pkce=row["require_pkce"],
        created_at=row["created_at"],
    )


async def insert_client(executor: Executor, client: Client) -> Client:
    """Add an application. Raises ConstraintViolation for a name that another one has."""
    return _client(await executor.fetchrow(SQL["insert_client"], *_values(client)))


async def update_client(executor: Executor, client: Client) -> Client:
    """Replace what an application is. Raises ConstraintViolation for a name of another one."""
    return _client(await executor.fetchrow(SQL["update_client"], *_values(client)))


async def lock_client(executor: Executor, client_id: str) -> Client | None:
    """Return an application, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_client"], client_id)
    return None if row is None else _client(row)


def _values(client: Client) -> tuple[object, ...]:
    return (
        client.id,
        client.name,
        client.secret_hash,
        list(client.redirect_uris),
        list(client.post_logout_redirect_uris),
        list(client.scopes),
        client.is_trusted,
        client.backchannel_logout_uri,
        client.id_token_algorithm.value,
        client.backchannel_logout_session_required,
        client.require_pkce,
    )


async def find_client(executor: Executor, client_id: str) -> Client | None:
    """Return an application."""
    row = await executor.fetchrow(SQL["find_client"], client_id)
    return None if row is None else _client(row)


async def list_clients(executor: Executor, *, after: str, limit: int) -> list[Client]:
    """Return applications by their names."""
    return [_client(row) for row in await executor.fetch(SQL["list_clients"], after, limit)]


async def delete_client(executor: Executor, client_id: str) -> bool:
    """Remove an application; False if there is none."""
    return await executor.fetchval(SQL["delete_client"], client_id) is not None


async def find_browser_session(
    executor: Executor, session_id: UUID, counter: int, *, grace: timedelta
) -> BrowserSession | None:
    """Return the live session whose refresh token has this counter, or had it within `grace`."""
    row = await executor.fetchrow(SQL["find_browser_session"], session_id, counter, grace)
    return None if row is None else BrowserSession(**dict(row))


async def now(executor: Executor) -> datetime:
    """Return the time by the database's clock."""
    moment: datetime = await executor.fetchval(SQL["now"])
    return moment


async def find_consent(executor: Executor, user_id: UUID, client_id: str) -> frozenset[str]:
    """Return the scopes that a user allowed an application before."""
    scopes = await executor.fetchval(SQL["find_consent"], user_id, client_id)
    return frozenset(scopes or ())


async def put_consent(
    executor: Executor, user_id: UUID, client_id: str, scopes: Sequence[str]
) -> None:
    """Remember what a user allows."""
    await executor.execute(SQL["put_consent"], user_id, client_id, list(scopes))


async def list_consents(executor: Executor, user_id: UUID) -> list[Consent]:
    """Return up to a hundred applications that a user allowed something, newest first."""
    return [Consent(**dict(row)) for row in await executor.fetch(SQL["list_consents"], user_id)]


async def delete_consent(executor: Executor, user_id: UUID, client_id: str) -> bool:
    """Take a consent back and end the sign-ins under it; False if there is none."""
    deleted = await executor.fetchval(SQL["delete_consent"], user_id, client_id)
    await executor.execute(SQL["delete_grants_of_client"], user_id, client_id)
    return deleted is not None


async def end_sign_ins(executor: Executor, user_id: UUID, *, keep: UUID | None) -> None:
    """End every sign-in of a user but those of the session `keep`, those that may stay included."""
    await executor.execute(SQL["delete_grants_of_user"], user_id, keep)


async def sign_everybody_out(executor: Executor, client_id: str) -> None:
    """End every sign-in at an application and forget the consents to it."""
    await executor.execute(SQL["delete_consents_of_client"], client_id)
    await executor.execute(SQL["delete_every_grant_of_client"], client_id)


async def insert_grant(executor: Executor, grant: NewGrant, *, lifetime: timedelta) -> None:
    """Begin a sign-in."""
    await executor.execute(
        SQL["insert_grant"],
        grant.id,
        grant.client_id,
        grant.user_id,
        grant.session_id,
        grant.sid,
        list(grant.scopes),
        grant.nonce,
        list(grant.methods),
        grant.authenticated_at,
        lifetime,
    )


async def insert_code(
    executor: Executor, code_hash: bytes, code: UsedCode, *, lifetime: timedelta
) -> None:
    """Remember a code by its hash."""
    await executor.execute(
        SQL["insert_code"],
        code_hash,
        code.grant_id,
        code.redirect_uri,
        code.code_challenge,
        lifetime,
    )


async def use_code(executor: Executor, code_hash: bytes) -> UsedCode | None:
    """Spend a code; None if it is spent, expired or unknown."""
    row = await executor.fetchrow(SQL["use_code"], code_hash)
    return None if row is None else UsedCode(**dict(row))


async def find_used_grant(executor: Executor, code_hash: bytes) -> UUID | None:
    """Return the sign-in that a code was made for."""
    grant_id: UUID | None = await executor.fetchval(SQL["find_used_grant"], code_hash)
    return grant_id


async def find_grant(executor: Executor, grant_id: UUID) -> Grant | None:
    """Return a live sign-in."""
    row = await executor.fetchrow(SQL["find_grant"], grant_id)
    return None if row is None else Grant(**dict(row))


async def rotate_grant(executor: Executor, grant_id: UUID, counter: int) -> bool:
    """Advance the refresh token of a sign-in from `counter`; False if it is not there."""
    return await executor.fetchval(SQL["rotate_grant"], grant_id, counter) is not None


async def insert_participant(executor: Executor, session_id: UUID, client_id: str) -> bool:
    """Remember that a session signed into an application; False if it has ended."""
    return await executor.fetchval(SQL["insert_participant"], session_id, client_id) is not None


async def is_participant(executor: Executor, session_id: UUID, client_id: str, sid: UUID) -> bool:
    """Tell whether what an application was told as `sid` is this session."""
    is_one: bool = await executor.fetchval(SQL["is_participant"], session_id, client_id, sid)
    return is_one


async def take_participants(executor: Executor, session_id: UUID) -> list[Participant]:
    """Forget the applications of a session and return those that want to hear of its end."""
    rows = await executor.fetch(SQL["take_participants"], session_id)
    return [Participant(**dict(row)) for row in rows]


async def move_sign_ins(executor: Executor, session_id: UUID, replaced_by: UUID) -> None:
    """Give the sign-ins of a session to the one that takes its place."""
    await executor.execute(SQL["move_participants"], session_id, replaced_by)
    await executor.execute(SQL["move_grants"], session_id, replaced_by)


async def delete_grant(executor: Executor, grant_id: UUID) -> EndedGrant | None:
    """End a sign-in and return what it was; None if there is none."""
    row = await executor.fetchrow(SQL["delete_grant"], grant_id)
    return None if row is None else EndedGrant(**dict(row))


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` rows of each kind whose time is over; return how many in all."""
    tags = [
        await executor.execute(SQL["delete_expired_codes"], limit),
        await executor.execute(SQL["delete_expired_grants"], limit),
        await executor.execute(SQL["delete_expired_participants"], limit),
    ]
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)

"""Who asks: verification of access tokens, with a bounded cache that honours expiry."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from starlette.requests import Request

from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode
from shared.schemas.roles import ADMINISTRATOR, OrganisationRole

AUDIENCE = "freehold"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a header value, not a secret
ALGORITHM = "ES256"
MAXIMUM_TOKEN_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified access token says. Revocation is checked at the doors, not here."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[str]
    scopes: frozenset[str] | None
    """None for a user's session, which may do all its user may; a set for an API key."""
    expires_at: int
    """Seconds since the epoch."""
    authenticated_at: int = 0
    """When the user last proved who they are, in seconds since the epoch."""
    methods: frozenset[str] = frozenset()
    """How they did; empty for an API key."""
    impersonator_id: UUID | None = None
    """The administrator who acts in the user's name, if one does."""
    permissions: frozenset[str] = frozenset()
    """What the user's roles allow; empty for an API key, which has scopes instead."""
    organisation_id: UUID | None = None
    """The organisation that the session acts for, if one was chosen."""
    organisation_role: OrganisationRole | None = None
    """What the user is in it."""

    @property
    def is_administrator(self) -> bool:
        """Whether the user administers this installation, and asks in a session of their own."""
        return ADMINISTRATOR in self.roles and self.scopes is None

    def has_permission(self, name: str) -> bool:
        """Tell whether a session's user may do something; administrators may do everything."""
        return self.is_administrator or name in self.permissions


class InvalidToken(Exception):  # noqa: N818 - a verdict on the client's token
    """The token proves nothing; `code` says why."""

    def __init__(self, code: ProblemCode) -> None:
        self.code = code
        super().__init__(code.value)


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, key_id: str) -> EllipticCurvePublicKey | None:
        """Return the key with this id, or None."""


class TokenVerifier:
    """Verifies access tokens. A signature is checked once, then remembered until it expires.

    The cache is bounded; the least recently used token leaves it first.
    """

    def __init__(self, keys: KeySource, *, issuer: str, capacity: int = 10_000) -> None:
        self._keys = keys
        self._issuer = issuer
        self._capacity = capacity
        self._cache: OrderedDict[str, Identity] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Return whom the token names. Raises InvalidToken, or Unavailable if keys cannot be had.

        Safe to call from many tasks; cancelling is safe.
        """
        identity = self._cache.get(token)
        if identity is None:
            identity = await self._check(token)
            self._cache[token] = identity
            if len(self._cache) > self._capacity:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(token)
        if identity.expires_at <= time.time():
            self._cache.pop(token, None)
            raise InvalidToken(ProblemCode.TOKEN_EXPIRED)
        return identity

    async def _check(self, token: str) -> Identity:
        if len(token) > MAXIMUM_TOKEN_LENGTH:
            raise InvalidToken(ProblemCode.TOKEN_INVALID)
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header.get("typ") != ACCESS_TOKEN_TYPE or not isinstance(key_id, str):
                raise InvalidToken(ProblemCode.TOKEN_INVALID)
            key = await self._keys.key(key_id)
            if key is None:
                raise InvalidToken(ProblemCode.TOKEN_INVALID)
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "sid", "jti"]},
            )
            return _identity(claims)
        except jwt.ExpiredSignatureError as error:
            raise InvalidToken(ProblemCode.TOKEN_EXPIRED) from error
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise InvalidToken(ProblemCode.TOKEN_INVALID) from error


class Authenticator:
    """Reads the bearer token of a request."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def identify(self, request: Request) -> Identity:
        """Return who asks. Raises Problem with status 401."""
        # Of two headers one might be read here and the other at the door: together they are none.
        authorization = ", ".join(request.headers.getlist("authorization"))
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated(ProblemCode.AUTHENTICATION_REQUIRED)
        try:
            return await self._verifier.verify(token.strip())
        except InvalidToken as error:
            raise unauthenticated(error.code) from error


def unauthenticated(code: ProblemCode) -> Problem:
    """Return the 401 problem with the challenge that the standard asks for."""
    return Problem(code, headers={"WWW-Authenticate": "Bearer"})


def _identity(claims: dict[str, Any]) -> Identity:
    scope = claims.get("scope")
    actor = claims.get("act")
    organisation = claims.get("org")
    return Identity(
        user_id=UUID(claims["sub"]),
        session_id=UUID(claims["sid"]),
        roles=frozenset(claims.get("roles", ())),
        scopes=None if scope is None else frozenset(scope.split()),
        expires_at=int(claims["exp"]),
        authenticated_at=int(claims.get("auth_time", 0)),
        methods=frozenset(claims.get("amr", ())),
        impersonator_id=None if actor is None else UUID(actor["sub"]),
        permissions=frozenset(claims.get("permissions", ())),
        organisation_id=None if organisation is None else UUID(organisation),
        organisation_role=None if organisation is None else OrganisationRole(claims["org_role"]),
    )

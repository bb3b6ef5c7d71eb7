"""Access tokens: short-lived, signed, checked by every service on its own."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from uuid_utils.compat import uuid7

from services.auth.records import SessionWithRights
from services.auth.signing_keys import Algorithm, KeyRing
from shared.chassis.identity.tokens import ACCESS_TOKEN_TYPE, AUDIENCE

SESSION_TOKEN_SECONDS = 900
API_KEY_TOKEN_SECONDS = 60
REVOCATION_LIFETIME = timedelta(seconds=SESSION_TOKEN_SECONDS + 60)
"""How long a revocation is kept: the longest token and a minute for clocks that differ."""
KEY_REVOCATION_LIFETIME = timedelta(seconds=API_KEY_TOKEN_SECONDS + 60)
"""The same of an API key, whose tokens are short: one that is good again is refused until then."""


class AccessTokenIssuer:
    """Signs access tokens in the name of the public address."""

    def __init__(self, keys: KeyRing, *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer

    def for_session(self, session: SessionWithRights, *, roles: Sequence[str]) -> tuple[str, int]:
        """Return a token and its life in seconds, which never outlasts the session."""
        seconds = min(SESSION_TOKEN_SECONDS, int(session.expires_at.timestamp() - time.time()))
        claims: dict[str, Any] = {
            "roles": list(roles),
            "permissions": list(session.permissions),
            "amr": list(session.methods),
            "auth_time": int(session.authenticated_at.timestamp()),
        }
        if session.organisation_id is not None and session.organisation_role is not None:
            claims["org"] = str(session.organisation_id)
            claims["org_role"] = session.organisation_role.value
        if session.impersonator_id is not None:
            claims["act"] = {"sub": str(session.impersonator_id)}
        return self._sign(session.user_id, session.id, seconds, claims), seconds

    def for_api_key(
        self, *, user_id: UUID, key_id: UUID, scopes: Sequence[str], ends_at: datetime | None
    ) -> tuple[str, int]:
        """Return a token that speaks for an API key: its scopes, and none of its owner's roles."""
        seconds = API_KEY_TOKEN_SECONDS
        if ends_at is not None:
            seconds = min(seconds, int(ends_at.timestamp() - time.time()))
        claims: dict[str, Any] = {"roles": [], "scope": " ".join(scopes)}
        return self._sign(user_id, key_id, seconds, claims), seconds

    def _sign(
        self, user_id: UUID, session_id: UUID, seconds: int, claims: Mapping[str, Any]
    ) -> str:
        now = int(time.time())
        key = self._keys.newest(Algorithm.ES256)
        return jwt.encode(
            {
                "iss": self._issuer,
                "aud": AUDIENCE,
                "sub": str(user_id),
                "sid": str(session_id),
                "jti": str(uuid7()),
                "iat": now,
                "exp": now + seconds,
                **claims,
            },
            key.private_key,
            algorithm=Algorithm.ES256.value,
            headers={"typ": ACCESS_TOKEN_TYPE, "kid": key.id},
        )

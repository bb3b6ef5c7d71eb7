"""What applications get for a code, and what the tokens are good for."""

import hmac
import re
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped] # authlib ships no types
    create_s256_code_challenge,
)
from authlib.oidc.core.util import (  # type: ignore[import-untyped] # the same
    create_half_hash,
)
from joserfc import jwt
from joserfc.errors import JoseError
from uuid_utils.compat import uuid7

from services.auth.audit.log import Action, record
from services.auth.provider import store
from services.auth.provider.errors import OAuthError
from services.auth.provider.signing import sign, verification_key
from services.auth.provider.store import Client, Grant
from services.auth.records import Device
from services.auth.refresh_tokens import RefreshClaim, RefreshTokens
from services.auth.secret_hashes import hash_secret
from services.auth.sessions import REUSE_GRACE
from services.auth.signing_keys import Algorithm, KeyRing
from services.auth.token_headers import unverified_header
from shared.chassis.database import Database

TOKEN_SECONDS: Final = 600
ACCESS_TYPE: Final = "at+jwt"
ID_TYPE: Final = "JWT"
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint answers."""

    access_token: str
    id_token: str
    refresh_token: str
    scopes: tuple[str, ...]


class ProviderTokens:
    """Redeems codes and refresh tokens, and says what an access token is good for.

    An access token of an application names the userinfo endpoint as its audience, so that no
    service of the house takes it for a session's.
    """

    def __init__(
        self, database: Database, keys: KeyRing, refresh_tokens: RefreshTokens, *, issuer: str
    ) -> None:
        self._database = database
        self._keys = keys
        self._refresh_tokens = refresh_tokens
        self._issuer = issuer
        self._audience = f"{issuer}/oauth2/userinfo"

    async def redeem(self, client: Client, form: dict[str, str], device: Device) -> Tokens:
        """Exchange a code, once. Raises OAuthError `invalid_grant` or `invalid_request`.

        A code that comes again was copied: what was given out for it ends, and that is committed
        before the error is raised.
        """
        verifier = form.get("code_verifier")
        if verifier is None and client.require_pkce:
            raise OAuthError("invalid_request", "The parameter code_verifier is missing.")
        if verifier is not None and not _VERIFIER.fullmatch(verifier):
            raise OAuthError("invalid_grant", "The code_verifier is malformed.")
        code_hash = hash_secret(_required(form, "code"))
        redirect_uri = _required(form, "redirect_uri")
        code = await store.use_code(self._database, code_hash)
        if code is None:
            used = await store.find_used_grant(self._database, code_hash)
            if used is not None:
                await self._end(used, Action.APPLICATION_CODE_MISUSED, device, reason="spent")
            raise OAuthError("invalid_grant", "The code is spent, expired or unknown.")
        grant = await store.find_grant(self._database, code.grant_id)
        if grant is None:
            raise OAuthError("invalid_grant", "The sign-in has ended.")
        if (
            grant.client_id != client.id
            or not _is_proof(verifier, code.code_challenge)
            or redirect_uri != code.redirect_uri
        ):
            await self._end(
                code.grant_id, Action.APPLICATION_CODE_MISUSED, device, reason="mismatch"
            )
            raise OAuthError("invalid_grant", "The code was made for another request.")
        return self._tokens(
            grant, grant.refresh_counter, tuple(grant.scopes), client.id_token_algorithm
        )

    async def refresh(self, client: Client, form: dict[str, str], device: Device) -> Tokens:
        """Exchange a refresh token for its successor. Raises OAuthError.

        The one just replaced yields the current one for ten seconds; an older one was copied, and
        ends the sign-in.
        """
        claim = self._refresh_tokens.read(_required(form, "refresh_token"))
        grant = None if claim is None else await store.find_grant(self._database, claim.session_id)
        if claim is None or grant is None or grant.client_id != client.id:
            raise OAuthError("invalid_grant", "The refresh token is expired, ended or unknown.")
        scopes = tuple(form.get("scope", " ".join(grant.scopes)).split())
        if not set(scopes) <= set(grant.scopes):
            raise OAuthError("invalid_scope", "A refresh cannot widen what was allowed.")
        if claim.counter == grant.refresh_counter and await store.rotate_grant(
            self._database, grant.id, claim.counter
        ):
            return self._tokens(grant, claim.counter + 1, scopes, client.id_token_algorithm)
        fresh = await store.find_grant(self._database, grant.id)
        if fresh is not None and _was_just_replaced(claim, fresh):
            return self._tokens(fresh, fresh.refresh_counter, scopes, client.id_token_algorithm)
        await self._end(grant.id, Action.APPLICATION_TOKEN_REUSED, device)
        raise OAuthError("invalid_grant", "The refresh token was used before; sign in again.")

    async def revoke(self, client: Client, form: dict[str, str], device: Device) -> None:
        """End the sign-in that a refresh or access token of the client belongs to, if there is.

        Raises OAuthError `invalid_request` without a token.
        """
        token = _required(form, "token")
        claim = self._refresh_tokens.read(token)
        grant_id = None if claim is None else claim.session_id
        if grant_id is None:
            claims = await self._claims(token)
            grant_id = None if claims is None else UUID(claims["gid"])
        grant = None if grant_id is None else await store.find_grant(self._database, grant_id)
        if grant is not None and grant.client_id == client.id:
            await self._end(grant.id, Action.APPLICATION_SIGNED_OUT, device)

    async def introspect(self, client: Client, form: dict[str, str]) -> dict[str, Any]:
        """Say whether a token of the client is good, and for what (RFC 7662).

        A refresh token says no `token_type` and no `aud`: it opens nothing. Raises OAuthError
        `invalid_request` without a token.
        """
        token = _required(form, "token")
        claim = self._refresh_tokens.read(token)
        if claim is not None:
            return await self._introspect_refresh_token(client, claim)
        claims = await self._claims(token)
        grant = None
        if claims is not None:
            grant = await store.find_grant(self._database, UUID(claims["gid"]))
        if claims is None or grant is None or grant.client_id != client.id:
            return {"active": False}
        names = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id")
        return {
            "active": True,
            "token_type": "Bearer",
            "scope": " ".join(_granted(claims, grant)),
        } | {name: claims[name] for name in names}

    async def _introspect_refresh_token(
        self, client: Client, claim: RefreshClaim
    ) -> dict[str, Any]:
        grant = await store.find_grant(self._database, claim.session_id)
        is_good = grant is not None and (
            claim.counter == grant.refresh_counter or _was_just_replaced(claim, grant)
        )
        if grant is None or grant.client_id != client.id or not is_good:
            return {"active": False}
        return {
            "active": True,
            "iss": self._issuer,
            "sub": str(grant.user_id),
            "client_id": grant.client_id,
            "scope": " ".join(grant.scopes),
            "exp": int(grant.expires_at.timestamp()),
        }

    async def _end(self, grant_id: UUID, action: Action, device: Device, **details: Any) -> None:
        async with self._database.transaction() as transaction:
            ended = await store.delete_grant(transaction, grant_id)
            if ended is not None:
                await record(
                    transaction,
                    action,
                    user_id=ended.user_id,
                    session_id=ended.sid,
                    device=device,
                    client_id=ended.client_id,
                    **details,
                )

    async def userinfo(self, token: str) -> dict[str, Any]:
        """Return what an access token's application may know. Raises OAuthError `invalid_token`."""
        claims = await self._claims(token)
        grant = None
        if claims is not None:
            grant = await store.find_grant(self._database, UUID(claims["gid"]))
        if claims is None or grant is None:
            raise OAuthError(
                "invalid_token", "The token is expired, ended or not ours.", status=401
            )
        return {"sub": str(grant.user_id)} | _profile(grant, set(_granted(claims, grant)))

    async def hinted(self, id_token: str) -> dict[str, Any] | None:
        """Return the claims of an ID token of ours, expired or not, or None."""
        try:
            token = await self._decode(id_token)
        except (JoseError, ValueError):
            return None
        claims: dict[str, Any] = dict(token.claims)
        is_ours = (
            token.header.get("typ") == ID_TYPE
            and claims.get("iss") == self._issuer
            and "azp" in claims
        )
        return claims if is_ours else None

    def _tokens(
        self, grant: Grant, counter: int, scopes: tuple[str, ...], algorithm: Algorithm
    ) -> Tokens:
        now = int(time.time())
        access_token = sign(
            self._keys,
            Algorithm.ES256,
            ACCESS_TYPE,
            {
                "iss": self._issuer,
                "sub": str(grant.user_id),
                "aud": self._audience,
                "client_id": grant.client_id,
                "scope": " ".join(scopes),
                "gid": str(grant.id),
                "jti": str(uuid7()),
                "iat": now,
                "exp": now + TOKEN_SECONDS,
            },
        )
        claims = {
            "iss": self._issuer,
            "sub": str(grant.user_id),
            "aud": grant.client_id,
            "azp": grant.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "auth_time": int(grant.authenticated_at.timestamp()),
            "amr": grant.methods,
            "at_hash": create_half_hash(access_token, algorithm.value).decode(),
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        if grant.sid is not None:
            claims["sid"] = str(grant.sid)
        id_token = sign(self._keys, algorithm, ID_TYPE, claims | _profile(grant, set(scopes)))
        refresh_token = self._refresh_tokens.write(RefreshClaim(grant.id, counter))
        return Tokens(access_token, id_token, refresh_token, scopes)

    async def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            decoded = await self._decode(token)
        except (JoseError, ValueError):
            return None
        claims: dict[str, Any] = dict(decoded.claims)
        is_ours = (
            decoded.header.get("typ") == ACCESS_TYPE
            and claims.get("iss") == self._issuer
            and claims.get("aud") == self._audience
            and "gid" in claims
        )
        return claims if is_ours and claims["exp"] > time.time() else None

    async def _decode(self, token: str) -> jwt.Token:
        header = unverified_header(token)
        algorithm, key = await verification_key(self._keys, str(header.get("kid")))
        return jwt.decode(token, key, algorithms=[algorithm.value])


def _required(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"The parameter {name} is missing.")
    return form[name]


def _was_just_replaced(claim: RefreshClaim, grant: Grant) -> bool:
    return claim.counter == grant.refresh_counter - 1 and abs(grant.since_refresh) <= REUSE_GRACE


def _is_proof(verifier: str | None, challenge: str | None) -> bool:
    # A verifier for a code without a challenge is refused as well: whoever injects a code that they
    # got without PKCE would otherwise talk the application's own protection down (RFC 9700).
    if verifier is None or challenge is None:
        return verifier is challenge
    return hmac.compare_digest(create_s256_code_challenge(verifier), challenge)


def _granted(claims: dict[str, Any], grant: Grant) -> list[str]:
    return [scope for scope in claims["scope"].split() if scope in grant.scopes]


def _profile(grant: Grant, scopes: set[str]) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if "email" in scopes:
        claims |= {"email": grant.email, "email_verified": True}
    if "profile" in scopes:
        claims |= {
            "preferred_username": grant.email,
            "updated_at": int(grant.updated_at.timestamp()),
        }
        if grant.name is not None:
            claims["name"] = grant.name
    if "roles" in scopes:
        claims["roles"] = grant.roles
    return claims

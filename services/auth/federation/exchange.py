"""From the code that a browser brings back to who it is."""

import base64
import json
import time
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from services.auth.emails import InvalidEmailError, normalise_email
from services.auth.federation.connections import ConnectionSecrets
from services.auth.federation.errors import ProviderUnavailable, UntrustedAnswer
from services.auth.federation.id_tokens import LONGEST_SUBJECT, checked_claims
from services.auth.federation.presets import PRESETS
from services.auth.federation.providers import Metadata, Providers
from services.auth.federation.records import Connection, Profile
from services.auth.names import clean_name
from shared.chassis.errors import Problem
from shared.schemas.api.connections import ConnectionKind

APPLE_SECRET_SECONDS: Final = 300
_SUCCESS: Final = 200
_FORM: Final = "application/x-www-form-urlencoded"


class CodeExchange:
    """Redeems codes at providers."""

    def __init__(self, providers: Providers, secrets: ConnectionSecrets) -> None:
        self._providers = providers
        self._secrets = secrets

    async def profile(
        self,
        connection: Connection,
        metadata: Metadata,
        *,
        code: str,
        verifier: str,
        nonce: str,
        redirect_uri: str,
        posted_user: str | None = None,
    ) -> Profile:
        """Return who a code stands for. Raises UntrustedAnswer and ProviderUnavailable.

        `posted_user` is what Apple tells beside the code, at the first log-in only: people's names.
        """
        tokens = await self._redeem(
            connection,
            metadata,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            },
        )
        if not PRESETS[connection.kind].has_id_tokens:
            return await self._github_profile(metadata, _bearer(tokens))
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise UntrustedAnswer("the provider gave no ID token")
        claims = await checked_claims(id_token, connection, metadata, self._providers, nonce=nonce)
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            claims = await self._with_userinfo(claims, metadata.userinfo_endpoint, tokens)
        vouched = claims.get(PRESETS[connection.kind].verified_claim)
        return Profile(
            issuer=claims["iss"],
            subject=claims["sub"],
            email=_email(claims.get("email")),
            # Apple and Microsoft write booleans as texts at times, Microsoft as numbers too.
            is_email_verified=vouched is True or str(vouched).lower() in {"true", "1"},
            name=_name(claims.get("name")) or _posted_name(posted_user),
        )

    async def _redeem(
        self, connection: Connection, metadata: Metadata, form: dict[str, str]
    ) -> dict[str, Any]:
        headers = {"Content-Type": _FORM}
        secret = self._secrets.open(connection)
        if connection.kind is ConnectionKind.APPLE:
            secret = _apple_secret(connection, secret)
        if "client_secret_basic" in metadata.token_auth_methods:
            pair = f"{quote_plus(connection.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form = form | {"client_id": connection.client_id, "client_secret": secret}
        status, answer = await self._providers.call(
            "POST", metadata.token_endpoint, headers, urlencode(form).encode()
        )
        if status != _SUCCESS or not isinstance(answer, dict) or "error" in answer:
            error = answer.get("error") if isinstance(answer, dict) else None
            if error == "invalid_grant":
                raise UntrustedAnswer("the provider does not know the code")
            raise ProviderUnavailable(
                f"its token endpoint answers with status {status} and error {error!r}"
            )
        return answer

    async def _with_userinfo(
        self, claims: dict[str, Any], url: str, tokens: dict[str, Any]
    ) -> dict[str, Any]:
        status, info = await self._providers.call("GET", url, _bearer(tokens))
        if status != _SUCCESS or not isinstance(info, dict):
            raise ProviderUnavailable(f"its userinfo endpoint answers with status {status}")
        if info.get("sub") != claims["sub"]:
            raise UntrustedAnswer("userinfo is about somebody else")
        return info | claims

    async def _github_profile(self, metadata: Metadata, bearer: dict[str, str]) -> Profile:
        """Return the profile by GitHub's API, which has neither ID tokens nor a verified claim."""
        url = str(metadata.userinfo_endpoint)
        status, user = await self._providers.call("GET", url, bearer)
        emails_status, emails = await self._providers.call("GET", f"{url}/emails", bearer)
        if status != _SUCCESS or emails_status != _SUCCESS or not isinstance(user, dict):
            raise ProviderUnavailable(f"its API answers with status {max(status, emails_status)}")
        subject = str(user.get("id", ""))
        if not subject.isdigit() or len(subject) > LONGEST_SUBJECT:
            raise UntrustedAnswer("the provider names nobody")
        primary = next(
            (
                found
                for found in (emails if isinstance(emails, list) else [])
                if isinstance(found, dict) and found.get("primary") is True
            ),
            {},
        )
        return Profile(
            issuer=metadata.issuer,
            subject=subject,
            email=_email(primary.get("email")),
            is_email_verified=primary.get("verified") is True,
            name=_name(user.get("name")),
        )


def _apple_secret(connection: Connection, private_key: str) -> str:
    now = int(time.time())
    claims = {
        "iss": connection.team_id,
        "iat": now,
        "exp": now + APPLE_SECRET_SECONDS,
        "aud": connection.issuer,
        "sub": connection.client_id,
    }
    header = {"alg": "ES256", "kid": connection.key_id}
    return jwt.encode(header, claims, ECKey.import_key(private_key))


def _bearer(tokens: dict[str, Any]) -> dict[str, str]:
    token = tokens.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise UntrustedAnswer("the provider gave no access token")
    return {"Authorization": f"Bearer {token}"}


def _email(value: object) -> str | None:
    try:
        return normalise_email(value) if isinstance(value, str) else None
    except InvalidEmailError:
        return None


def _name(value: object) -> str | None:
    try:
        return clean_name(value) if isinstance(value, str) else None
    except Problem:
        return None


def _posted_name(user: str | None) -> str | None:
    # Nobody signs it, so it is taken for a name and never for an address.
    try:
        name = json.loads(user or "{}")["name"]
        return _name(f"{name['firstName']} {name['lastName']}")
    except (ValueError, KeyError, TypeError, RecursionError):
        return None

"""An application that signs its users in with Authlib."""

import secrets
import time
from typing import Any

import httpx2
import pytest
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped] # it ships no types
    AsyncOAuth2Client,
    OAuthError,
)
from authlib.oauth2.rfc6749.errors import (  # type: ignore[import-untyped] # the same
    MismatchingStateException,
)
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.auth.oauth_application import CALLBACK, EMAIL, Application

SCOPE = "openid profile email offline_access"


async def _metadata(served: Application) -> dict[str, Any]:
    issuer = served.auth.settings.public_url
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(f"{issuer}/.well-known/openid-configuration")
        metadata: dict[str, Any] = answer.json()
    assert metadata["issuer"] == issuer
    return metadata


async def _verified(
    metadata: dict[str, Any], id_token: str, *, audience: str, algorithm: str, nonce: str | None
) -> dict[str, Any]:
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        keys = KeySet.import_key_set((await client.get(metadata["jwks_uri"])).json())
    token = jwt.decode(id_token, keys, algorithms=[algorithm])
    wanted: dict[str, Any] = {
        "iss": {"essential": True, "value": metadata["issuer"]},
        "aud": {"essential": True, "value": audience},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
    }
    if nonce is not None:
        wanted["nonce"] = {"essential": True, "value": nonce}
    JWTClaimsRegistry(now=lambda: int(time.time()), leeway=0, **wanted).validate(token.claims)
    return dict(token.claims)


async def _through_the_browser(served: Application, address: str) -> str:
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as browser:
        answer = await browser.get(address, headers={"Cookie": served.cookie})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


@pytest.mark.parametrize(
    ("method", "algorithm"),
    [
        ("client_secret_basic", "ES256"),
        ("client_secret_post", "ES256"),
        ("client_secret_basic", "RS256"),
        ("none", "RS256"),
    ],
)
async def test_authlib_logs_in_reads_and_refreshes(
    served: Application, method: str, algorithm: str
) -> None:
    await served.register(
        name="Authlib", is_public=method == "none", id_token_signed_response_alg=algorithm
    )
    metadata = await _metadata(served)
    nonce, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
    async with AsyncOAuth2Client(
        served.client["client_id"],
        served.client["client_secret"],
        token_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        scope=SCOPE,
        code_challenge_method="S256",
    ) as client:
        address, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        location = await _through_the_browser(served, address)
        token = await client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=location,
            state=state,
            code_verifier=verifier,
        )
        said = await _verified(
            metadata,
            token["id_token"],
            audience=served.client["client_id"],
            algorithm=algorithm,
            nonce=nonce,
        )
        info = (await client.get(metadata["userinfo_endpoint"])).json()
        assert (info["sub"], info["email"]) == (said["sub"], EMAIL)

        renewed = dict(await client.refresh_token(metadata["token_endpoint"]))
        assert renewed["refresh_token"] != token["refresh_token"]
        again = await _verified(
            metadata,
            renewed["id_token"],
            audience=served.client["client_id"],
            algorithm=algorithm,
            nonce=None,
        )
        assert (again["sub"], again["auth_time"]) == (said["sub"], said["auth_time"])
        assert (await client.get(metadata["userinfo_endpoint"])).json() == info

        if method != "none":
            seen = await client.introspect_token(
                metadata["introspection_endpoint"], token=renewed["access_token"]
            )
            assert seen.json()["active"] is True
        revoked = await client.revoke_token(
            metadata["revocation_endpoint"], token=renewed["refresh_token"]
        )
        assert revoked.status_code == 200
        assert (await client.get(metadata["userinfo_endpoint"])).status_code == 401


async def test_authlib_refuses_an_answer_to_somebody_elses_request(served: Application) -> None:
    metadata = await _metadata(served)
    async with AsyncOAuth2Client(
        served.client["client_id"],
        served.client["client_secret"],
        redirect_uri=CALLBACK,
        scope=SCOPE,
        code_challenge_method="S256",
    ) as client:
        address, _ = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier="v" * 43
        )
        location = await _through_the_browser(served, address)
        with pytest.raises(MismatchingStateException):
            await client.fetch_token(
                metadata["token_endpoint"],
                authorization_response=location,
                state="another",
                code_verifier="v" * 43,
            )
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.fetch_token(
                metadata["token_endpoint"],
                authorization_response=location,
                code_verifier="w" * 43,
            )

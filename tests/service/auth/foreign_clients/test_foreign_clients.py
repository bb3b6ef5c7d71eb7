"""Client libraries that know nothing of Freehold sign people in with it, over real HTTP."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from authlib.integrations.requests_client import (  # type: ignore[import-untyped] # ships no types
    OAuth2Session,
)
from joserfc import jwt
from joserfc.jwk import KeySet

from shared.chassis.database import Database
from tests.parts.processes import new_folder
from tests.parts.receiver import Receiver
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.auth.auth_service import PASSWORD, bearer, claims, make_administrator
from tests.service.auth.federation.houses import house
from tests.service.auth.logout_worker import consume, tokens, worker
from tests.service.auth.oauth_application import EMAIL, Application

PROGRAM = Path(__file__).with_name("openid_client")
ARRIVAL = "http://127.0.0.1:9/callback"
AFTER = "http://127.0.0.1:9/bye"
_LEAST_NODE = 20


@pytest.fixture
async def application(database: Database, database_url: str) -> AsyncIterator[Application]:
    async with house("127.0.0.1", database, database_url) as auth:
        application = Application(auth, await make_administrator(auth))
        await application.register(
            redirect_uris=[ARRIVAL], post_logout_redirect_uris=[AFTER], is_trusted=False
        )
        await auth.register(EMAIL)
        yield application


class Person:
    """Somebody at a browser, which keeps cookies and follows nothing by itself."""

    def __init__(self, application: Application) -> None:
        self._issuer = application.auth.settings.public_url
        self._http = httpx2.AsyncClient(base_url=self._issuer, timeout=PATIENCE_SECONDS)

    async def sign_in(self, address: str) -> str:
        """Go to an address of the provider, log in, agree, and return where it ends."""
        async with self._http:
            asked = await self._http.get(address)
            assert asked.headers["location"].startswith("/oauth2/sign-in?")
            body = {"email": EMAIL, "password": PASSWORD}
            assert (await self._http.post("/v1/auth/login", json=body)).status_code == 200
            parameters = dict(httpx2.URL(address).params)
            consent = {"parameters": parameters, "allow": True}
            answer = await self._http.post("/oauth2/consent", json=consent)
            assert answer.status_code == 200, answer.text
            location: str = answer.json()["location"]
            return location


async def test_authlibs_client_signs_in_renews_and_ends_it(application: Application) -> None:
    issuer = application.auth.settings.public_url
    metadata = await _document(f"{issuer}/.well-known/openid-configuration")
    session = OAuth2Session(
        application.client["client_id"],
        application.client["client_secret"],
        scope="openid profile email offline_access",
        redirect_uri=ARRIVAL,
        code_challenge_method="S256",
    )
    verifier = "v" * 48
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-1"
    )
    arrived = await Person(application).sign_in(address)

    token = await asyncio.to_thread(
        session.fetch_token,
        metadata["token_endpoint"],
        authorization_response=arrived,
        code_verifier=verifier,
        state=state,
    )
    keys = KeySet.import_key_set(await _document(metadata["jwks_uri"]))
    id_token = jwt.decode(
        token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"]
    )
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": application.client["client_id"]},
        nonce={"essential": True, "value": "n-1"},
        exp={"essential": True},
    ).validate(id_token.claims)
    user = await asyncio.to_thread(session.get, metadata["userinfo_endpoint"])
    assert (user.json()["sub"], user.json()["email"]) == (id_token.claims["sub"], EMAIL)

    renewed = await asyncio.to_thread(session.refresh_token, metadata["token_endpoint"])
    assert renewed["access_token"] != token["access_token"]
    await asyncio.to_thread(
        session.revoke_token,
        metadata["revocation_endpoint"],
        token=renewed["refresh_token"],
        token_type_hint="refresh_token",
    )
    ended = await asyncio.to_thread(session.get, metadata["userinfo_endpoint"])
    assert ended.status_code == 401


def _node_version() -> int:
    if shutil.which("npm") is None:
        return 0
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return int(told.stdout.lstrip("v").partition(".")[0])


needs_node = pytest.mark.skipif(
    _node_version() < _LEAST_NODE,
    reason=f"openid-client needs npm and Node.js {_LEAST_NODE}, which Debian 12 does not have",
)


@pytest.fixture(scope="module")
def packages() -> Iterator[Path]:
    """The programs, with the packages that their lock names."""
    folder = new_folder("openid-client")
    for file in PROGRAM.iterdir():
        shutil.copy(file, folder)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@needs_node
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_openid_client_from_npm_signs_in_renews_and_ends_it(
    application: Application, packages: Path, algorithm: str
) -> None:
    await application.register(
        name="openid-client",
        redirect_uris=[ARRIVAL],
        post_logout_redirect_uris=[AFTER],
        id_token_signed_response_alg=algorithm,
        is_trusted=False,
    )
    client = application.client
    process = await asyncio.create_subprocess_exec(
        "node",
        "log_in.mjs",
        *(application.auth.settings.public_url, client["client_id"], client["client_secret"]),
        *(ARRIVAL, AFTER, algorithm),
        cwd=packages,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        address = (await _told(process))["authorize"]
        arrived = await Person(application).sign_in(address)
        assert process.stdin is not None
        process.stdin.write(json.dumps({"arrived": arrived}).encode() + b"\n")
        got = await _told(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

    assert got["user"]["email"] == EMAIL
    assert got["sub"] == got["user"]["sub"] == got["renewed"]
    assert (got["active"], got["activeAfterRevocation"]) == (True, False)
    assert got["logout"].startswith(f"{application.auth.settings.public_url}/oauth2/logout?")


@needs_node
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_an_application_in_javascript_believes_a_logout_token(
    served: Application, packages: Path, algorithm: str
) -> None:
    receiver = Receiver()
    await receiver.start()
    await served.register(
        name="Listener",
        backchannel_logout_uri=receiver.url,
        backchannel_logout_session_required=True,
        id_token_signed_response_alg=algorithm,
    )
    signed_in = claims({"access_token": (await served.sign_in())["id_token"]})
    await served.auth.post("/v1/auth/logout", {}, **bearer(served.session))
    async with worker(served.auth) as notices:
        await consume(served.auth, notices)
        await eventually(receiver.count, 1)
    await receiver.stop()
    [token] = tokens(receiver)
    issuer, client_id = served.auth.settings.public_url, served.client["client_id"]

    async def hear(audience: str) -> subprocess.CompletedProcess[str]:
        command = ["node", "hear_logout.mjs", issuer, audience, algorithm, token]
        return await asyncio.to_thread(
            subprocess.run, command, cwd=packages, check=False, capture_output=True, text=True
        )

    heard = await hear(client_id)
    assert heard.returncode == 0, heard.stderr
    said = json.loads(heard.stdout)
    assert (said["sub"], said["sid"]) == (signed_in["sub"], signed_in["sid"])
    assert 'unexpected "aud" claim value' in (await hear("client-of-somebody-else")).stderr


async def _told(process: asyncio.subprocess.Process) -> Any:
    assert process.stdout is not None
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)
    assert line, (await process.stderr.read()).decode()
    return json.loads(line)


async def _document(address: str) -> Any:
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        return (await client.get(address)).json()

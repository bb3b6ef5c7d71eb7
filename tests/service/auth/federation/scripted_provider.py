"""An OpenID provider on loopback that lies, stalls or errs as each test wants it to."""

import base64
import hashlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives import serialization
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.chassis.serve import WebServer

CLIENT_ID = "freehold-here"
_KEY = RSAKey.generate_key(2048, {"kid": "one"})
CLIENT_SECRET = "secret of the client: a+b&c"


@dataclass
class Asked:
    """What the client sent to the token endpoint."""

    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class ScriptedProvider:
    """Gives codes for whoever `person` says; every deviation is a field."""

    port: int
    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "248289761001",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada Lovelace",
        }
    )
    claims: dict[str, Any] = field(default_factory=dict)
    """Replace those of the ID token; None leaves one out."""
    document: dict[str, Any] = field(default_factory=dict)
    """Replace those of the discovery document."""
    header: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    algorithm: str = "RS256"
    sign_with: Any = None
    """In place of the key that is published."""
    discovery: Response | None = None
    token_answer: Response | None = None
    id_token: str | None = None
    github_emails: Any = None
    key: RSAKey = field(default_factory=lambda: _KEY)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def log_in(self, location: str, **changes: str | None) -> dict[str, str]:
        """Do what a browser's user does there, and return what the browser brings back."""
        asked = dict(parse_qsl(urlsplit(location).query))
        assert location.startswith(f"{self.issuer}/")
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        said: dict[str, str | None] = {"code": code, "state": asked["state"], **changes}
        return {name: value for name, value in said.items() if value is not None}

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discover),
                Route("/tenant/v2.0/.well-known/openid-configuration", self._discover),
                Route("/jwks", self._keys),
                Route("/token", self._token, methods=["POST"]),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/api/v3/user", self._github_user),
                Route("/api/v3/user/emails", self._github_mails),
            ]
        )

    async def _discover(self, _: Request) -> Response:
        self.fetched.append("discovery")
        if self.discovery is not None:
            return self.discovery
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **({} if self.userinfo is None else {"userinfo_endpoint": f"{self.issuer}/userinfo"}),
            **self.document,
        }
        return JSONResponse({name: value for name, value in document.items() if value is not None})

    async def _keys(self, _: Request) -> Response:
        self.fetched.append("keys")
        public = self.key.as_dict(private=False) | {"use": "sig"}
        return JSONResponse({"keys": [public]})

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.asked.append(Asked(dict(request.headers), form))
        if self.token_answer is not None:
            return self.token_answer
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        answer = {"access_token": "an-access-token", "token_type": "Bearer"}
        if "openid" in asked["scope"].split():
            answer["id_token"] = self.id_token or self._signed(asked)
        return JSONResponse(answer)

    def _signed(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        person = {"sub": self.person["sub"]} if self.userinfo is not None else self.person
        claims = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **person,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one", **self.header}
        return signed(header, claims, self.sign_with or self.key)

    async def _userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer an-access-token"
        return JSONResponse(self.userinfo)

    async def _github_user(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer an-access-token"
        return JSONResponse({"id": 583231, "name": "Ada", "email": "not-asked@example.com"})

    async def _github_mails(self, _: Request) -> Response:
        return JSONResponse(self.github_emails)


def signed(header: dict[str, Any], claims: dict[str, Any], key: RSAKey | ECKey | OctKey) -> str:
    """Return a token signed by any algorithm, or by none."""
    if header["alg"] != "none":
        return jwt.encode(header, claims, key, algorithms=[header["alg"]])
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, claims)
    ]
    return ".".join([*parts, ""])


@asynccontextmanager
async def serving(application: Any, port: int) -> AsyncIterator[None]:
    """Answer on loopback for as long as the context lasts."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    listener.setblocking(False)  # noqa: FBT003 - the interface's own
    server = WebServer(application, listener)
    await server.start()
    try:
        yield
    finally:
        await server.stop()
        listener.close()

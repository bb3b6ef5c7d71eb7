"""The auth service in this process, on a real database, as its callers see it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import jwt

from services.auth.app import web
from services.auth.cleanup import CleanUp
from services.auth.settings import AuthSettings
from shared.chassis.database import Database
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.lifecycle import Lifecycle
from tests.parts.postgres import emptying

PUBLIC_URL = "http://127.0.0.1:8080"
ALLOWED_ORIGIN = "https://app.example.com"
ADMIN = "admin@example.com"
PASSWORD = "correct horse battery staple"
OWNER_ADDRESS = "203.0.113.7"
TABLES = ("users", "signups", "links", "sessions", "revocations", "login_failures", "api_keys")
# What stays is as a new installation has it: made once, at its first start.
_EMPTYING = emptying("outbox_cursor", "signing_keys", "password_cost", "roles")


def settings(database_url: str, **changes: Any) -> AuthSettings:
    return AuthSettings.model_validate(
        {
            "run_dir": Path("/nonexistent"),
            "public_url": PUBLIC_URL,
            "client_origins": ALLOWED_ORIGIN,
            "internal_key": "internal key of these tests, long enough",
            "master_key": "master key of these tests, long enough too",
            "postgres_url": database_url,
            "amqp_url": "amqp://nobody@127.0.0.1:1/freehold",
            "bcrypt_cost": 4,
            "federation_allowed_networks": "127.0.0.1/32",
            **changes,
        }
    )


async def empty(database: Database) -> None:
    """Delete everything that a test before has left."""
    await database.execute(f"{_EMPTYING}; DELETE FROM roles WHERE NOT is_built_in")


@dataclass
class AuthService:
    """A running web process and the tables behind it."""

    client: httpx2.AsyncClient
    database: Database
    settings: AuthSettings

    async def post(self, path: str, body: object = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=named)

    async def internal(
        self, method: str, path: str, *, source: str, body: object = None
    ) -> httpx2.Response:
        token = ServiceClient(self.settings, source=source, target="auth")._token()
        return await self.client.request(
            method, path, json=body, headers={"Authorization": f"Bearer {token}"}
        )

    async def sign_up(self, email: str, password: str = PASSWORD, name: str | None = None) -> UUID:
        """Ask for an account and return the id of its link."""
        answer = await self.post(
            "/v1/auth/signup", {"email": email, "password": password, "name": name}
        )
        assert answer.status_code == 202, answer.text
        return UUID((await self.events())[-1]["data"]["link_id"])

    async def mail(self, link_id: UUID) -> dict[str, Any]:
        """Return what the mail service is told about a link."""
        answer = await self.internal("GET", f"/internal/links/{link_id}", source="mail")
        assert answer.status_code == 200, answer.text
        mail: dict[str, Any] = answer.json()
        return mail

    async def mailed_token(self, link_id: UUID) -> str:
        url: str = (await self.mail(link_id))["variables"]["url"]
        return url.partition("#token=")[2]

    async def register(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        """Make an account by its mail and return its first session."""
        token = await self.mailed_token(await self.sign_up(email, password))
        answer = await self.post("/v1/auth/verify", {"token": token, "token_delivery": "body"})
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.json()
        return session

    async def log_in(self, email: str, password: str = PASSWORD, **headers: str) -> httpx2.Response:
        body = {"email": email, "password": password, "token_delivery": "body"}
        return await self.post("/v1/auth/login", body, **headers)

    async def refresh(self, token: str) -> httpx2.Response:
        return await self.post("/v1/auth/refresh", {"refresh_token": token})

    async def events(self) -> list[dict[str, Any]]:
        """Return the events in the outbox, oldest first."""
        rows = await self.database.fetch("SELECT body FROM outbox ORDER BY id")
        return [row["body"] for row in rows]

    async def event_types(self) -> list[str]:
        return [event["type"] for event in await self.events()]

    async def counts(self) -> dict[str, int]:
        """Return how many rows each table has, leaving the empty ones out."""
        counts = {
            table: await self.database.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES
        }
        return {table: count for table, count in counts.items() if count}

    async def forget_events(self) -> None:
        await self.database.execute("DELETE FROM outbox")

    async def acts(self) -> list[tuple[str, UUID | None]]:
        """Return what the audit log holds and whom it was done to, oldest first."""
        rows = await self.database.fetch("SELECT action, user_id FROM audit_log ORDER BY id")
        return [(row["action"], row["user_id"]) for row in rows]

    async def clean_up(self, *, batch: int = 1000) -> int:
        """Do what a worker does once a minute, and return how many rows it removed."""
        kept_for = timedelta(days=self.settings.audit_days)
        clean_up = CleanUp(self.database, Lifecycle(), audit_kept_for=kept_for)
        return await clean_up.run_once(batch=batch)

    async def revoked(self) -> set[str]:
        """Return the sessions that the doors are told to refuse."""
        answer = await self.internal("GET", "/internal/revocations", source="gateway")
        return {item["session_id"] for item in answer.json()["items"]}


async def make_administrator(auth: AuthService, email: str = ADMIN) -> dict[str, Any]:
    """Make an account that may do everything and return a session of it."""
    await auth.register(email)
    await auth.database.execute(
        "UPDATE users SET roles = '{administrator}' WHERE email = $1", email
    )
    session: dict[str, Any] = (await auth.log_in(email)).json()
    return session


def bearer(session: dict[str, Any]) -> dict[str, str]:
    """Return the header that a holder of a session sends."""
    return {"Authorization": f"Bearer {session['access_token']}"}


def claims(session: dict[str, Any]) -> dict[str, Any]:
    """Return what an access token says."""
    decoded: dict[str, Any] = jwt.decode(
        session["access_token"], options={"verify_signature": False}
    )
    return decoded


def assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    """Check an error's status, code and shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = json.loads(answer.text)
    assert body["code"] == code
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()


@asynccontextmanager
async def running(database: Database, chosen: AuthSettings) -> AsyncIterator[AuthService]:
    """Run a web process for as long as the context lasts."""
    lifecycle = Lifecycle()
    try:
        transport = httpx2.ASGITransport(await web(chosen, lifecycle))
        # The edge sets the header on every request.
        headers = {"X-Real-IP": OWNER_ADDRESS}
        async with httpx2.AsyncClient(
            transport=transport, base_url=PUBLIC_URL, headers=headers
        ) as client:
            yield AuthService(client, database, chosen)
    finally:
        await lifecycle.stop()

"""Freehold as a whole stack: nginx, gateway, auth, PostgreSQL."""

import asyncio
from typing import Any, Final

import psutil

from benchmarks.login_peers.connection import Connection
from tests.journey.client import PASSWORD, Client
from tests.journey.stack import RunningStack

PARTS: Final = ("nginx", "gateway", "auth", "postgres")


class Freehold:
    """What its public address offers."""

    name = "Freehold"
    bcrypt_cost = 12

    def __init__(self) -> None:
        self.stack = RunningStack(
            {"FREEHOLD_LIMITS": "off", "FREEHOLD_BCRYPT_COST": str(self.bcrypt_cost)}
        )

    def start(self) -> None:
        """Start the stack."""
        self.stack.up()
        self.port = self.stack.port

    def stop(self) -> None:
        """Stop the stack and delete its data."""
        self.stack.remove()

    def processes(self) -> list[psutil.Process]:
        """Return what takes part in a request."""
        roots = [psutil.Process(pid) for part in PARTS for pid in self.stack.pids(part)]
        return roots + [child for root in roots for child in root.children(recursive=True)]

    async def sign_up(self, count: int) -> list[str]:
        """Make accounts and return their addresses."""
        addresses = []
        for _ in range(count):
            async with Client(self.stack) as client:
                await client.sign_up()
                addresses.append(client.email)
        return addresses

    async def log_in(self, connection: Connection, email: str) -> dict[str, Any]:
        """Open a session."""
        body = {"email": email, "password": PASSWORD, "token_delivery": "body"}
        session: dict[str, Any] = await connection.ask("POST", "/v1/auth/login", body)
        return session

    async def refresh(self, connection: Connection, session: dict[str, Any]) -> dict[str, Any]:
        """Renew a session; its refresh token is replaced."""
        body = {"refresh_token": session["refresh_token"]}
        renewed: dict[str, Any] = await connection.ask("POST", "/v1/auth/refresh", body)
        return renewed

    async def check(self, connection: Connection, session: dict[str, Any]) -> None:
        """Read the account that a token names."""
        await connection.ask("GET", "/v1/auth/me", token=session["access_token"])

    async def lag(self, seconds: float) -> list[float]:
        """Return how long a request took that needs neither a password nor a row."""
        connection = await Connection.open(self.port)
        taken = []
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        while loop.time() < ends_at:
            began = loop.time()
            await connection.ask("GET", "/.well-known/jwks.json")
            taken.append(loop.time() - began)
            await asyncio.sleep(0.02)
        await connection.close()
        return taken

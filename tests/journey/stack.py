"""A whole stack, started by the launcher as its owner would, in its own folder and ports."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from deploy.bootstrap.account import service_account
from deploy.local.home import Home
from deploy.local.settings import Configuration
from deploy.local.stack import Stack as StackFiles
from tests.parts.processes import free_port

LAUNCHER = Path(__file__).parents[2] / "freehold"


class RunningStack:
    """One stack under test, driven by its public command line."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fh-journey-", dir="/tmp")) / "home"
        self.home.parent.chmod(0o755)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("FREEHOLD_")
            },
            "FREEHOLD_HOME": str(self.home),
            "FREEHOLD_PORT": str(self.port),
            **(settings or {}),
        }
        if os.geteuid() == 0:
            account = service_account()
            os.chown(self.home.parent, account.uid, account.gid)

    def run(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run the launcher and return what it prints; its whole output explains a failure."""
        done = subprocess.run(
            [sys.executable, str(LAUNCHER), *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"freehold {' '.join(arguments)} gave {done.returncode}:\n"
                f"{done.stdout}\n{done.stderr}"
            )
        return done.stdout

    def up(self) -> str:
        """Start everything and return when it serves."""
        return self.run("up", "--detach")

    def remove(self) -> None:
        """Stop everything and delete its folder."""
        self.run("down", check=False)
        shutil.rmtree(self.home.parent, ignore_errors=True)

    def status(self) -> dict[str, Any]:
        """Return what `status --json` says."""
        answer: dict[str, Any] = json.loads(self.run("status", "--json", check=False))
        return answer

    def pids(self, part: str) -> list[int]:
        """Return the processes of a part."""
        return [
            instance["pid"]
            for entry in self.status()["parts"]
            if entry["name"] == part
            for instance in entry["instances"]
            if instance["pid"]
        ]

    def kill(self, part: str) -> None:
        """Kill one process of a part with SIGKILL."""
        os.kill(self.pids(part)[0], signal.SIGKILL)

    def wait_healthy(self, seconds: float = 180) -> None:
        """Return when status says that all is well."""
        deadline = time.monotonic() + seconds
        while not (status := self.status())["healthy"]:
            if time.monotonic() > deadline:
                raise AssertionError(json.dumps(status, indent=2))
            time.sleep(0.2)

    def inbox(self, address: str) -> list[dict[str, Any]]:
        """Return the mails that came for an address."""
        mails: list[dict[str, Any]] = json.loads(self.run("inbox", "--json", "--to", address))
        return mails

    async def mails(
        self, address: str, count: int = 1, seconds: float = 180
    ) -> list[dict[str, Any]]:
        """Wait for mails to an address."""
        async with asyncio.timeout(seconds):
            while len(mails := await asyncio.to_thread(self.inbox, address)) < count:
                await asyncio.sleep(0.3)
        return mails

    async def query(self, schema: str, statement: str) -> list[Any]:
        """Run a statement in one service's schema, as the database's administrator."""
        home = Home(self.home)
        recorded = Configuration.recorded(home)
        assert recorded is not None
        running = json.loads(home.running.read_text())
        run_dir = Path(running["control_socket"]).parent
        files = StackFiles.of(home, recorded, run_dir, LAUNCHER.parent)
        connection = await asyncpg.connect(
            files.database_administration_url(), server_settings={"search_path": schema}
        )
        try:
            rows: list[Any] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    async def events(self) -> list[tuple[str, str]]:
        """Return (service, routing key) of all that was ever put into the outboxes."""
        return sorted(
            [
                (schema, row["routing_key"])
                for schema in ("auth", "files", "mail", "realtime", "jobs")
                for row in await self.query(schema, "SELECT routing_key FROM outbox")
            ]
        )


def new_address() -> str:
    """Return an e-mail address nobody has used."""
    return f"user-{secrets.token_hex(6)}@example.com"

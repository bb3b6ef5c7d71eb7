"""What is changed at a running node: accounts by its own tool, queues and exchanges over AMQP."""

import contextlib
import json
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aio_pika
from aio_pika.abc import AbstractChannel

from deploy.local.errors import LauncherError
from deploy.rabbitmq.configuration import password_hash
from deploy.rabbitmq.programs import EVENTS_EXCHANGE, Program, binding_key, user

TEMPORARY_ACCOUNT = "freehold.launcher"
TIMEOUT_SECONDS = 60.0


class Node:
    """A running node of this machine, reached with the cookie and the ports of its environment."""

    def __init__(
        self, rabbitmqctl: Path, environment: Mapping[str, str], address: str, broker_host: str
    ) -> None:
        """Take the tool, the environment that the node was started with, host:port and vhost."""
        self._rabbitmqctl = rabbitmqctl
        self._environment = {
            **environment,
            # The tool is a node itself for a moment, and as private as the other.
            "RABBITMQ_CTL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._address = address
        self._broker_host = broker_host

    def import_definitions(self, definitions: Mapping[str, Any]) -> None:
        """Add or change what the definitions name; nothing is removed. Raises LauncherError."""
        self._run("import_definitions", stdin=json.dumps(definitions))

    def delete_user(self, name: str) -> None:
        """Remove an account; its connections are closed. Raises LauncherError."""
        self._run("delete_user", name)

    async def restrict(self, program: Program, nouns_before: Iterable[str]) -> None:
        """Close the way for what the program may not emit any more."""
        stale = set(nouns_before) - set(program.emits)
        if not stale:
            return
        async with self._channel() as channel:
            events = await channel.get_exchange(EVENTS_EXCHANGE, ensure=False)
            exchange = await channel.get_exchange(program.exchange, ensure=False)
            for noun in stale:
                await events.unbind(exchange, binding_key(noun))

    async def remove(self, program: Program) -> None:
        """Remove the account and everything under its names, with the messages in it."""
        self.delete_user(program.account)
        own = f"{program.account}."
        queues = [name for name in self._names("list_queues") if name.startswith(own)]
        exchanges = [name for name in self._names("list_exchanges") if name.startswith(own)]
        async with self._channel() as channel:
            for name in queues:
                await channel.queue_delete(name)
            for name in (*exchanges, program.exchange):
                await channel.exchange_delete(name)

    def _names(self, listing: str) -> list[str]:
        text = self._run(listing, "name", "--vhost", self._broker_host, "--formatter", "json")
        return [entry["name"] for entry in json.loads(text)]

    @contextlib.asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        """Give a channel of an account that may change programs' names, and lives as long."""
        password = secrets.token_urlsafe(32)
        rights = r"^(program\..*|freehold\.program\..*|freehold\.events)$"
        self.import_definitions(
            {
                "users": [user(TEMPORARY_ACCOUNT, password_hash(TEMPORARY_ACCOUNT, password))],
                "permissions": [
                    {
                        "user": TEMPORARY_ACCOUNT,
                        "vhost": self._broker_host,
                        **dict.fromkeys(("configure", "write", "read"), rights),
                    }
                ],
            }
        )
        try:
            connection = await aio_pika.connect(
                f"amqp://{TEMPORARY_ACCOUNT}:{password}@{self._address}/"
                f"{quote(self._broker_host, safe='')}",
                timeout=TIMEOUT_SECONDS,
            )
            async with connection:
                yield await connection.channel()
        finally:
            self.delete_user(TEMPORARY_ACCOUNT)

    def _run(self, *arguments: str, stdin: str = "") -> str:
        try:
            done = subprocess.run(
                [self._rabbitmqctl, "--quiet", *arguments],
                env=dict(self._environment),
                input=stdin,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LauncherError(
                f"RabbitMQ did not answer `{arguments[0]}` within {TIMEOUT_SECONDS:g} s.\n"
                "Next: see `./freehold status` and run this again."
            ) from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise LauncherError(
                f"RabbitMQ refused `{arguments[0]}`: {said}\n"
                "Next: see `./freehold status` and run this again."
            )
        return done.stdout

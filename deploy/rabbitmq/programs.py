"""Accounts of other programs: each has its own names, and its own way into the house's events.

A program reads from `freehold.events`, but does not write there. It publishes to an exchange of
the house made for it, `freehold.program.<name>`, from which only the event types it may emit go on
to `freehold.events`. RabbitMQ checks a routing key only where a client publishes itself: whoever
may write to an exchange can also let a queue's dead letters, a binding or an alternate exchange
write there, with any key. Bindings hold for all of these.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MEBIBYTE: Final = 1024 * 1024
EVENTS_EXCHANGE: Final = "freehold.events"
ACCOUNT_PREFIX: Final = "program."
NAME_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
NOUN_PATTERN: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
QUEUE_LIMIT_BYTES: Final = 256 * MEBIBYTE
"""Of each queue of a program; the oldest events go first. Without it a program that stopped reading
would fill the disk and stop everybody."""
CONNECTION_LIMIT: Final = 100
CHANNEL_LIMIT: Final = 1000


@dataclass(frozen=True)
class Program:
    """One program's account, as it is recorded."""

    name: str
    emits: tuple[str, ...]
    password_hash: str

    @property
    def account(self) -> str:
        """The user's name at the broker; what the program declares begins with it and a dot."""
        return account(self.name)

    @property
    def exchange(self) -> str:
        """Where the program publishes."""
        return f"freehold.{self.account}"


def account(name: str) -> str:
    """Return the broker's user of a program."""
    return ACCOUNT_PREFIX + name


def binding_key(noun: str) -> str:
    """Return which routing keys of the program's exchange go on to everybody."""
    return f"{noun}.*"


def user(name: str, hashed: str, **limits: int) -> dict[str, Any]:
    """Return a user without rights, as definitions name one."""
    return {
        "name": name,
        "password_hash": hashed,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
        "limits": {name.replace("_", "-"): value for name, value in limits.items()},
    }


def program_definitions(broker_host: str, programs: Sequence[Program]) -> dict[str, Any]:
    """Return what the broker has to know of the programs, besides its virtual host."""
    if not programs:
        return {}
    return {
        "users": [
            user(
                program.account,
                program.password_hash,
                max_connections=CONNECTION_LIMIT,
                max_channels=CHANNEL_LIMIT,
            )
            for program in programs
        ],
        "permissions": [
            {"user": program.account, "vhost": broker_host, **_rights(program)}
            for program in programs
        ],
        "topic_permissions": [
            {
                "user": program.account,
                "vhost": broker_host,
                "exchange": program.exchange,
                "write": _routing_keys(program.emits),
                "read": "^$",
            }
            for program in programs
        ],
        "exchanges": [
            _topic_exchange(broker_host, name)
            for name in (EVENTS_EXCHANGE, *(program.exchange for program in programs))
        ],
        "bindings": [
            {
                "source": program.exchange,
                "vhost": broker_host,
                "destination": EVENTS_EXCHANGE,
                "destination_type": "exchange",
                "routing_key": binding_key(noun),
                "arguments": {},
            }
            for program in programs
            for noun in program.emits
        ],
        "parameters": [
            {
                "component": "operator_policy",
                "name": "queues of programs",
                "vhost": broker_host,
                "value": {
                    "pattern": rf"^{re.escape(ACCOUNT_PREFIX)}",
                    "apply-to": "queues",
                    "definition": {"max-length-bytes": QUEUE_LIMIT_BYTES},
                    "priority": 0,
                },
            }
        ],
    }


def _rights(program: Program) -> dict[str, str]:
    own = rf"{re.escape(program.account)}\..*"
    return {
        "configure": f"^{own}$",
        "write": f"^({own}|{re.escape(program.exchange)})$",
        "read": f"^({own}|{re.escape(EVENTS_EXCHANGE)})$",
    }


def _routing_keys(nouns: Sequence[str]) -> str:
    return rf"^({'|'.join(nouns)})\.[a-z_]+$" if nouns else "^$"


def _topic_exchange(broker_host: str, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": broker_host,
        "type": "topic",
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }

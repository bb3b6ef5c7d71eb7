"""Other programs' accounts at the broker: recorded here, and applied at the running one."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local.errors import LauncherError
from deploy.local.home import Home, read_json, write_json
from deploy.local.settings import SERVICES
from deploy.rabbitmq.configuration import password_hash
from deploy.rabbitmq.programs import NAME_PATTERN, NOUN_PATTERN, Program, account
from shared.schemas.events.registry import EVENT_TYPES

PASSWORD_BYTES = 32
HOUSE_NOUNS = frozenset(event_type.partition(".")[0] for event_type in EVENT_TYPES)
RESERVED_NOUNS = HOUSE_NOUNS | {*SERVICES, "freehold", "program"}


@dataclass(frozen=True)
class Programs:
    """The recorded programs, by name, in a file that only its owner may read.

    Passwords are not in it, only what the broker needs to check them.
    """

    home: Home
    by_name: Mapping[str, Program]

    @classmethod
    def of(cls, home: Home) -> "Programs":
        """Read what is recorded. Raises LauncherError if the file is damaged."""
        recorded: dict[str, Any] = read_json(home.programs) or {}
        return cls(
            home,
            {
                name: Program(name, tuple(entry["emits"]), entry["password_hash"])
                for name, entry in recorded.items()
            },
        )

    def all(self) -> Sequence[Program]:
        """Return the programs in the order of their names."""
        return [self.by_name[name] for name in sorted(self.by_name)]

    def get(self, name: str) -> Program:
        """Return a program. Raises LauncherError if there is none of that name."""
        if name not in self.by_name:
            there = ", ".join(sorted(self.by_name)) or "none yet"
            raise LauncherError(
                f"There is no program {name!r}. There are: {there}.\n"
                f"Next: make it with `./freehold program {name} --emits order,invoice`, naming "
                "the nouns of its own events."
            )
        return self.by_name[name]

    def record(self, program: Program) -> None:
        """Remember a program, or what has changed of it."""
        self._write({**self.by_name, program.name: program})

    def forget(self, program: Program) -> None:
        """Remember a program no more."""
        self._write({name: p for name, p in self.by_name.items() if name != program.name})

    def _write(self, programs: Mapping[str, Program]) -> None:
        write_json(
            self.home.programs,
            {
                name: {"emits": list(program.emits), "password_hash": program.password_hash}
                for name, program in programs.items()
            },
        )


def new_program(name: str, emits: Sequence[str]) -> tuple[Program, str]:
    """Return a program with a new password, and the password, which nothing else keeps."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    return Program(name, tuple(emits), password_hash(account(name), password)), password


def check_name(name: str) -> None:
    """Raise LauncherError for a name that cannot be a part of an account's name."""
    if NAME_PATTERN.fullmatch(name) is None:
        raise LauncherError(
            f"{name!r} cannot be the name of a program.\n"
            "Next: use up to 40 lower-case letters, digits, - and _, beginning with a letter."
        )


def parse_nouns(text: str) -> tuple[str, ...]:
    """Return the nouns of a comma-separated list, each once and in order.

    Raises LauncherError for a noun of the house, which only its services may emit, and for what
    is no noun.
    """
    nouns = tuple(dict.fromkeys(noun for part in text.split(",") if (noun := part.strip())))
    wrong = [noun for noun in nouns if NOUN_PATTERN.fullmatch(noun) is None]
    if wrong:
        raise LauncherError(
            f"Not a noun of an event: {', '.join(map(_shown, wrong))}.\n"
            "Next: name what the events are about, such as order for order.placed, in lower-case "
            "letters, digits and _."
        )
    taken = [noun for noun in nouns if noun in RESERVED_NOUNS]
    if taken:
        raise LauncherError(
            f"Events about {', '.join(taken)} are the house's own; no program may emit them, "
            "because everybody trusts that they are true.\n"
            f"Next: choose a noun of the program's own. Taken are: "
            f"{', '.join(sorted(RESERVED_NOUNS))}."
        )
    return nouns


def _shown(noun: str) -> str:
    return repr(re.sub(r"\s+", " ", noun))

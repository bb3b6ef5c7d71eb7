"""docker-compose.yml and the Dockerfile as the tests read them; no engine is needed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load(
    (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its continuation lines joined."""

    name: str
    text: str


def instructions() -> list[Instruction]:
    text = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in joined if line]


def of_kind(name: str) -> list[str]:
    return [instruction.text for instruction in instructions() if instruction.name == name]


def environment(service: str) -> dict[str, str | None]:
    return SERVICES[service].get("environment", {})


def mounts(service: str) -> dict[str, str]:
    """Return the folder of each volume in a container."""
    found = {}
    for mount in SERVICES[service].get("volumes", []):
        if isinstance(mount, dict):
            found[mount["source"]] = mount["target"]
        else:
            source, _, target = mount.partition(":")
            found[source] = target
    return found


def words(command: str | list[str]) -> list[str]:
    return command.split() if isinstance(command, str) else command

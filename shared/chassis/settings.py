"""Settings of a process: documented, checked, frozen, read once from the environment."""

import difflib
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

PREFIX = "FREEHOLD_"


class SettingsError(Exception):
    """The environment does not make valid settings; the message names every fault."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValueError(
                f"{error}; write networks like 10.1.0.0/16 or fd12:3456::/32"
            ) from error
    return texts


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]
Networks = Annotated[CommaSeparated, AfterValidator(_networks)]
"""Comma separated too, each as `ip_network` reads it."""


class Settings(BaseModel):
    """What every process of a service needs. A field `x` is read from `FREEHOLD_X`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: int = Field(default=1, ge=1, description="Number of this process among its siblings")
    run_dir: Path = Field(description="Folder of the unix sockets by which services talk")
    public_url: str = Field(
        pattern=r"^https?://[^/]+$",
        description="Address clients use, without a slash at the end; issuer of tokens, base of "
        "links, never guessed from a request",
    )
    client_origins: CommaSeparated = Field(
        default=(),
        description="Browser origins allowed besides the public address, comma separated",
    )
    internal_key: SecretStr = Field(
        min_length=32, description="Secret that services sign their calls to each other with"
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Least severe level that is logged; DEBUG costs speed",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from variables named `FREEHOLD_…`.

        Raises SettingsError, naming every unknown, missing and wrong variable at once.
        """
        values = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX)
        }
        faults = [unknown_name(name, cls.model_fields) for name in values.keys() - cls.model_fields]
        try:
            settings = cls.model_validate(
                {name: value for name, value in values.items() if name in cls.model_fields}
            )
        except ValidationError as error:
            faults += [
                # A fault of several settings together has no place of its own.
                ": ".join([*(variable_name(str(name)) for name in fault["loc"][:1]), fault["msg"]])
                for fault in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsError("\n".join(sorted(faults))) from None
        if faults:
            raise SettingsError("\n".join(sorted(faults)))
        return settings


class DatabaseSettings(BaseModel):
    """Settings of a service that has tables."""

    postgres_url: SecretStr = Field(description="PostgreSQL address of the service's own role")
    postgres_pool_size: int = Field(
        default=10,
        ge=2,
        description="Connections of one process at most; too low makes requests wait, too high "
        "exhausts the server's max_connections",
    )


class BusSettings(BaseModel):
    """Settings of a service that speaks on the event bus."""

    amqp_url: SecretStr = Field(description="RabbitMQ address with the service's own account")


def variable_name(field: str) -> str:
    """Return the environment variable that a settings field is read from."""
    return PREFIX + field.upper()


def unknown_name(field: str, known: Iterable[str]) -> str:
    """Say that there is no such setting, and which one may have been meant."""
    nearest = difflib.get_close_matches(field, list(known), n=1)
    hint = f"; did you mean {variable_name(nearest[0])}?" if nearest else ""
    return f"{variable_name(field)}: there is no such setting{hint}"

"""Settings of a process: documented, checked, frozen, read once from the environment."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from shared.chassis.server_urls import check_amqp_url, check_origin, check_postgres_url

PREFIX = "FREEHOLD_"
_IN_WORDS = {
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "float_parsing": "write a number",
}
"""What pydantic says to programmers, said to operators."""


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


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(check_origin, texts))


def secret_checked_by(check: Callable[[str], Any]) -> AfterValidator:
    """Return a validator of a secret text that raises what the check of the text raises."""

    def checked(secret: SecretStr) -> SecretStr:
        check(secret.get_secret_value())
        return secret

    return AfterValidator(checked)


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]
Networks = Annotated[CommaSeparated, AfterValidator(_networks)]
"""Comma separated too, each as `ip_network` reads it."""
Origins = Annotated[CommaSeparated, AfterValidator(_origins)]
"""Comma separated too, each as browsers send it."""


class Settings(BaseModel):
    """What every process of a service needs. A field `x` is read from `FREEHOLD_X`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: int = Field(default=1, ge=1, description="Number of this process among its siblings")
    run_dir: Path = Field(description="Folder of the unix sockets by which services talk")
    public_url: str = Field(
        pattern=r"^https?://[^/]+$",
        examples=["https://app.example.com"],
        description="Address clients use, without a slash at the end; issuer of tokens, base of "
        "links, never guessed from a request",
    )
    client_origins: Origins = Field(
        default=(),
        description="Browser origins allowed besides the public address, comma separated, like "
        "https://app.example.com",
    )
    internal_key: SecretStr = Field(
        min_length=32, description="Secret that services sign their calls to each other with"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
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
            faults += [told for _, told in told_faults(cls, error)]
            raise SettingsError("\n".join(sorted(faults))) from None
        if faults:
            raise SettingsError("\n".join(sorted(faults)))
        return settings


class DatabaseSettings(BaseModel):
    """Settings of a service that has tables."""

    postgres_url: Annotated[SecretStr, secret_checked_by(check_postgres_url)] = Field(
        description="PostgreSQL address of the service's own role"
    )
    postgres_pool_size: int = Field(
        default=10,
        ge=2,
        description="Connections of one process at most; too low makes requests wait, too high "
        "exhausts the server's max_connections",
    )


class BusSettings(BaseModel):
    """Settings of a service that speaks on the event bus."""

    amqp_url: Annotated[SecretStr, secret_checked_by(check_amqp_url)] = Field(
        description="RabbitMQ address with the service's own account"
    )


def variable_name(field: str) -> str:
    """Return the environment variable that a settings field is read from."""
    return PREFIX + field.upper()


def told_faults(model: type[BaseModel], error: ValidationError) -> list[tuple[str | None, str]]:
    """Return the field of each fault and what an operator is told, which repeats no value.

    A fault of several settings together has no field.
    """
    told: list[tuple[str | None, str]] = []
    for fault in error.errors(include_input=False, include_url=False):
        field = str(fault["loc"][0]) if fault["loc"] else None
        name = [] if field is None else [variable_name(field)]
        told.append((field, ": ".join([*name, _in_words(model, field, fault)])))
    return told


def _in_words(model: type[BaseModel], field: str | None, fault: ErrorDetails) -> str:
    if fault["type"] in _IN_WORDS:
        return _IN_WORDS[fault["type"]]
    if fault["type"] == "literal_error":
        return f"write {fault['ctx']['expected']}".replace("'", "")
    examples = model.model_fields[field].examples if field in model.model_fields else None
    if fault["type"] == "string_pattern_mismatch" and examples:
        return f"write it like {examples[0]}"
    return fault["msg"].removeprefix("Value error, ")


def unknown_name(field: str, known: Iterable[str]) -> str:
    """Say that there is no such setting, and which one is the nearest by its name."""
    (nearest,) = difflib.get_close_matches(field, list(known), n=1, cutoff=0.0)
    return (
        f"{variable_name(field)}: there is no such setting; did you mean {variable_name(nearest)}?"
    )

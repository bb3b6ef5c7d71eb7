"""What an operator can set: the launcher's own settings and those of every service."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo

from deploy.local.errors import LauncherError
from deploy.local.home import Home, read_json, write_json
from shared.chassis.settings import (
    PREFIX,
    Origins,
    Settings,
    told_faults,
    unknown_name,
    variable_name,
)

SERVICES = ("auth", "files", "mail", "realtime", "jobs", "gateway")
HIGHEST_PORT = 65_535
S3_TOGETHER = ("s3_endpoint", "s3_access_key", "s3_secret_key")
SHOWN_DEFAULT = "shown_default"
"""What a field without a fixed default is without a value, for `config doc`."""
MADE_BY_THE_LAUNCHER = frozenset({"instance", "run_dir", "internal_key", "master_key"})
"""Fields of services that are no operator's business: each process or stack gets its own."""


class OperatorSettings(BaseModel):
    """The launcher's settings. A field `x` is read from `FREEHOLD_X`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(
        description="Folder of all state",
        json_schema_extra={SHOWN_DEFAULT: ".freehold in the checkout, /var/lib/freehold as root"},
    )
    port: int = Field(
        default=8080,
        ge=1024,
        le=HIGHEST_PORT,
        description="The public port; all others of the stack are found free on loopback",
    )
    listen_address: Literal["127.0.0.1", "0.0.0.0"] = Field(  # noqa: S104 - the operator's choice
        default="127.0.0.1",
        description="Address that the public port is bound to; 0.0.0.0 opens it to the network "
        "(in a container, to what its published ports let in)",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+$",
        examples=["https://app.example.com"],
        json_schema_extra={SHOWN_DEFAULT: "http://127.0.0.1:<port>"},
        description="Address that clients use, without a slash at the end",
    )
    client_origins: Origins = Field(
        default=(),
        description="Browser origins allowed besides the public address, comma separated, like "
        "https://app.example.com",
    )
    postgres_url: SecretStr | None = Field(
        default=None,
        description="External PostgreSQL instead of the embedded one: address with a role that "
        "may create roles and schemas",
    )
    amqp_url: SecretStr | None = Field(
        default=None,
        description="External RabbitMQ instead of the embedded one: address with account and vhost",
    )
    s3_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+$",
        examples=["https://s3.example.com"],
        description="External S3 instead of the embedded SeaweedFS; needs both keys too",
    )
    s3_access_key: SecretStr | None = Field(
        default=None, description="Access key of the external S3"
    )
    s3_secret_key: SecretStr | None = Field(
        default=None, description="Secret key of the external S3"
    )
    s3_bucket: str = Field(
        default="freehold-files",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        examples=["freehold-files"],
        description="Bucket that holds all files; made if it is missing",
    )
    s3_region: str = Field(
        default="us-east-1", description="Region that S3 requests are signed for"
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="SMTP server that mails go to (smtp://user:password@host:port) instead of the "
        "embedded inbox, which delivers to nobody",
    )
    mail_from: str = Field(
        default="Freehold <no-reply@localhost>",
        description="Sender of every mail, such as Example <no-reply@example.com>; a server on "
        "the internet takes only an address of a domain that is yours",
    )
    limits: Literal["on", "off"] = Field(
        default="on",
        description="Request limits per address and per credential; off only for load tests",
    )
    admin_email: str = Field(
        default="admin@example.com",
        description="Account that the first start makes an administrator",
    )

    @model_validator(mode="after")
    def _s3_is_complete(self) -> Self:
        given = [getattr(self, name) is not None for name in S3_TOGETHER]
        if any(given) and not all(given):
            names = ", ".join(variable_name(name) for name in S3_TOGETHER)
            raise ValueError(f"{names} go together: set all three or none")
        return self

    @property
    def public_address(self) -> str:
        """Where clients reach the stack."""
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def browser_origins(self) -> tuple[str, ...]:
        """Origins that services allow besides the public address.

        Without an address of its own the stack is reached by both names of this machine.
        """
        if self.public_url is None:
            return (*self.client_origins, f"http://localhost:{self.port}")
        return self.client_origins


@dataclass(frozen=True)
class Configuration:
    """Everything an operator has set, checked.

    `variables` are the given `FREEHOLD_…` variables themselves; services get theirs from it.
    """

    operator: OperatorSettings
    variables: Mapping[str, str]

    @classmethod
    def parse(cls, environment: Mapping[str, str]) -> Self:
        """Check every `FREEHOLD_…` variable. Raises LauncherError that lists every fault."""
        variables = {
            name: value for name, value in environment.items() if name.startswith(PREFIX) and value
        }
        given = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}
        known = {**_service_fields(), **OperatorSettings.model_fields}
        faults = [unknown_name(name, known) for name in given.keys() - known.keys()]
        operator = None
        try:
            operator = OperatorSettings.model_validate(
                {name: given[name] for name in given.keys() & OperatorSettings.model_fields}
            )
        except ValidationError as error:
            faults += [told for _, told in told_faults(OperatorSettings, error)]
        faults += _faults_of_services(given)
        if faults or operator is None:
            listed = "\n".join(f"  {fault}" for fault in sorted(set(faults)))
            raise LauncherError(
                f"The settings are not valid:\n{listed}\n"
                "Next: correct these variables; `./freehold config doc` explains each."
            )
        return cls(operator, variables)

    @classmethod
    def from_environment(cls) -> Self:
        """Check the settings of this process's environment."""
        return cls.parse(os.environ)

    @classmethod
    def recorded(cls, home: Home) -> Self | None:
        """Return what was set when the stack was started last; None if it never was."""
        variables = read_json(home.settings)
        if variables is None:
            return None
        return cls.parse({**variables, "FREEHOLD_HOME": str(home.path)})

    def record(self, home: Home) -> None:
        """Remember these settings for the commands that follow."""
        write_json(home.settings, dict(self.variables))

    @property
    def embedded(self) -> frozenset[str]:
        """The infrastructure that runs here, because no setting names another."""
        replaced_by = {
            "postgres": self.operator.postgres_url,
            "rabbitmq": self.operator.amqp_url,
            "seaweedfs": self.operator.s3_endpoint,
            "inbox": self.operator.smtp_url,
            "nginx": None,
            "prometheus": None,
        }
        return frozenset(part for part, external in replaced_by.items() if external is None)


def session_dir() -> str | None:
    """Return the user's private folder for sockets, if their session has one."""
    return os.environ.get("XDG_RUNTIME_DIR") or None


def settings_of(service: str) -> type[Settings]:
    """Return the settings model of a service, found by its name."""
    module = importlib.import_module(f"services.{service}.settings")
    model: type[Settings] = getattr(module, f"{service.title()}Settings")
    return model


def documentation() -> list[tuple[str, str, str]]:
    """Return name, default and meaning of every setting, the launcher's first."""
    fields = {
        **OperatorSettings.model_fields,
        **{
            name: field
            for name, field in _service_fields().items()
            if name not in OperatorSettings.model_fields
        },
    }
    return [
        (variable_name(name), _default_text(field), field.description or "")
        for name, field in fields.items()
    ]


def _service_fields() -> dict[str, FieldInfo]:
    """Return what operators may set for services; the same name means the same everywhere."""
    return {
        name: field
        for service in SERVICES
        for name, field in settings_of(service).model_fields.items()
        if name not in MADE_BY_THE_LAUNCHER
    }


def _faults_of_services(given: Mapping[str, str]) -> list[str]:
    """Check what was given by the models of the services that it reaches.

    They know more of an address than the launcher, which makes theirs from it.
    """
    faults: list[str] = []
    for service in SERVICES:
        model = settings_of(service)
        own = given.keys() & model.model_fields.keys() - MADE_BY_THE_LAUNCHER
        try:
            model.model_validate({name: given[name] for name in own})
        except ValidationError as error:
            # What the launcher fills in later is missing now, and that is no fault.
            faults += [
                told for field, told in told_faults(model, error) if field in own or field is None
            ]
    return faults


def _default_text(field: FieldInfo) -> str:
    if isinstance(field.json_schema_extra, dict) and SHOWN_DEFAULT in field.json_schema_extra:
        return str(field.json_schema_extra[SHOWN_DEFAULT])
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if field.is_required() or default in (None, ()):
        return "none"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default)

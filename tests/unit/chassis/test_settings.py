"""Settings are read from the environment, and every fault is told at once."""

from typing import Any, Self

import pytest
from pydantic import Field, SecretStr, ValidationError, model_validator

from shared.chassis.settings import DatabaseSettings, Settings, SettingsError

KEY = "k" * 32
GOOD = {
    "FREEHOLD_RUN_DIR": "/run/freehold",
    "FREEHOLD_PUBLIC_URL": "https://example.com",
    "FREEHOLD_INTERNAL_KEY": KEY,
    "FREEHOLD_POSTGRES_URL": "postgresql://u:secret-password@/d",
}
ORIGINS_RULE = (
    "origins are named one by one, by scheme, host and port alone and as browsers send them, "
    "like https://app.example.com"
)
POSTGRES_RULE = "write it like postgresql://USER:PASSWORD@db.example.com:5432/DATABASE"


class ExampleSettings(Settings, DatabaseSettings):
    lowest: int = Field(default=1, description="Must not exceed the highest")
    highest: int = Field(default=9, description="Must not be below the lowest")
    rate: float = Field(default=1.0, description="How many are taken each second")
    batch_size: int = Field(default=9, description="How many are taken at once")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError("lowest is above highest")
        return self


def faults(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        ExampleSettings.from_environment(environment)
    return str(raised.value).splitlines()


def test_good_settings_are_read_and_others_variables_passed_over() -> None:
    settings = ExampleSettings.from_environment(
        GOOD
        | {"PATH": "/bin", "NOTIFY_SOCKET": "/x", "FREEHOLD_INSTANCE": "3"}
        | {"FREEHOLD_CLIENT_ORIGINS": "https://a.example, https://b.example,"}
    )
    assert settings.instance == 3
    assert settings.client_origins == ("https://a.example", "https://b.example")
    assert settings.internal_key == SecretStr(KEY)
    assert settings.postgres_pool_size == 10


def test_settings_do_not_change() -> None:
    settings: Any = ExampleSettings.from_environment(GOOD)
    with pytest.raises(ValidationError):
        settings.instance = 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "FREEHOLD_PUBLIC_ULR",
            "FREEHOLD_PUBLIC_ULR: there is no such setting; did you mean FREEHOLD_PUBLIC_URL?",
        ),
        (
            "FREEHOLD_BATCHSIZE",
            "FREEHOLD_BATCHSIZE: there is no such setting; did you mean FREEHOLD_BATCH_SIZE?",
        ),
        ("FREEHOLD_LOGS", "FREEHOLD_LOGS: there is no such setting; did you mean FREEHOLD_LOWEST?"),
    ],
)
def test_an_unknown_name_is_a_fault_that_suggests_the_nearest(name: str, told: str) -> None:
    assert faults(GOOD | {name: "1"}) == [told]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FREEHOLD_INSTANCE", "0"),
        ("FREEHOLD_INSTANCE", "many"),
        ("FREEHOLD_PUBLIC_URL", "https://example.com/"),
        ("FREEHOLD_PUBLIC_URL", "example.com"),
        ("FREEHOLD_INTERNAL_KEY", "short"),
        ("FREEHOLD_LOG_LEVEL", "LOUD"),
        ("FREEHOLD_POSTGRES_POOL_SIZE", "1"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable(name: str, value: str) -> None:
    (fault,) = faults(GOOD | {name: value})
    assert fault.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FREEHOLD_INSTANCE", "many", "write a whole number"),
        ("FREEHOLD_RATE", "many", "write a number"),
        ("FREEHOLD_INSTANCE", "9" * 5000, "write a smaller number"),
        ("FREEHOLD_LOG_LEVEL", "LOUD", "write DEBUG, INFO, WARNING or ERROR"),
        ("FREEHOLD_PUBLIC_URL", "example.com", "write it like https://app.example.com"),
        (
            "FREEHOLD_CLIENT_ORIGINS",
            "https://a.example, *",
            "* is no origin; " + ORIGINS_RULE,
        ),
        (
            "FREEHOLD_POSTGRES_URL",
            "mysql://u:secret@h/d",
            "must begin with postgresql:// or postgres://; " + POSTGRES_RULE,
        ),
    ],
)
def test_a_wrong_value_is_told_in_an_operators_words(name: str, value: str, told: str) -> None:
    assert faults(GOOD | {name: value}) == [f"{name}: {told}"]


def test_every_fault_is_told_at_once() -> None:
    told = faults(
        {
            "FREEHOLD_RUN_DIR": "/run/freehold",
            "FREEHOLD_PUBLIC_URL": "nowhere",
            "FREEHOLD_INSTANCE": "none",
            "FREEHOLD_LOGLEVEL": "INFO",
        }
    )
    assert [fault.partition(":")[0] for fault in told] == [
        "FREEHOLD_INSTANCE",
        "FREEHOLD_INTERNAL_KEY",
        "FREEHOLD_LOGLEVEL",
        "FREEHOLD_POSTGRES_URL",
        "FREEHOLD_PUBLIC_URL",
    ]


def test_a_fault_of_several_settings_together_is_told() -> None:
    (fault,) = faults(GOOD | {"FREEHOLD_LOWEST": "5", "FREEHOLD_HIGHEST": "4"})
    assert "lowest is above highest" in fault


def test_no_secret_is_in_a_fault_or_in_what_settings_look_like() -> None:
    secret = "a-secret-too-short"
    told = faults(GOOD | {"FREEHOLD_INTERNAL_KEY": secret, "FREEHOLD_UNKNOWN": secret})
    assert secret not in "\n".join(told)
    shown = repr(ExampleSettings.from_environment(GOOD))
    assert KEY not in shown
    assert "secret-password" not in shown

"""Settings are checked as a whole, explained, recorded, and handed to those who ask for them."""

from pathlib import Path

import pytest

from deploy.local.errors import LauncherError
from deploy.local.home import Home
from deploy.local.ports import Ports
from deploy.local.secret_store import SecretStore
from deploy.local.service_environment import service_environment
from deploy.local.settings import SERVICES, Configuration, documentation, settings_of
from deploy.local.stack import SECRET_NAMES, Stack

HOME = {"FREEHOLD_HOME": "/var/lib/freehold"}


def stack_with(tmp_path: Path, **variables: str) -> Stack:
    home = Home(tmp_path)
    return Stack(
        home=home,
        configuration=Configuration.parse({**HOME, **variables}),
        ports=Ports.probe(tmp_path, 8080, lambda _: True),
        secrets=SecretStore.of(home, SECRET_NAMES),
        run_dir=Path("/run/freehold-8080"),
        code_root=Path("/opt/freehold/code"),
    )


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        (
            {"FREEHOLD_PROT": "1"},
            "FREEHOLD_PROT: there is no such setting; did you mean FREEHOLD_PORT?",
        ),
        ({"FREEHOLD_BCRYPT_COTS": "12"}, "did you mean FREEHOLD_BCRYPT_COST?"),
        ({"FREEHOLD_RUN_DIR": "/x"}, "FREEHOLD_RUN_DIR: there is no such setting; did you mean "),
        ({"FREEHOLD_XYZZY": "/x"}, "FREEHOLD_XYZZY: there is no such setting; did you mean "),
        ({"FREEHOLD_PORT": "http"}, "FREEHOLD_PORT: write a whole number"),
        ({"FREEHOLD_PORT": "80"}, "greater than or equal to 1024"),
        ({"FREEHOLD_LIMITS": "no"}, "FREEHOLD_LIMITS: write on or off"),
        (
            {"FREEHOLD_PUBLIC_URL": "https://example.com/"},
            "FREEHOLD_PUBLIC_URL: write it like https://app.example.com",
        ),
        ({"FREEHOLD_POSTGRES_URL": "mysql://x"}, "write it like postgresql://USER:"),
        ({"FREEHOLD_AMQP_URL": "http://x"}, "write it like amqps://USER:"),
        ({"FREEHOLD_SMTP_URL": "foo"}, "write it like starttls://USER:"),
        ({"FREEHOLD_MAIL_FROM": "me"}, "FREEHOLD_MAIL_FROM: write `name@example.com`"),
        ({"FREEHOLD_CLIENT_ORIGINS": "https://a.example/path"}, "like https://app.example.com"),
        ({"FREEHOLD_BCRYPT_COST": "99"}, "FREEHOLD_BCRYPT_COST: "),
        ({"FREEHOLD_S3_ENDPOINT": "https://s3.example.com"}, "set all three or none"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(variables: dict[str, str], fault: str) -> None:
    with pytest.raises(LauncherError) as raised:
        Configuration.parse({**HOME, **variables})
    assert fault in str(raised.value)
    assert "`./freehold config doc`" in str(raised.value)


@pytest.mark.parametrize("name", ["POSTGRES_URL", "AMQP_URL", "SMTP_URL", "CLIENT_ORIGINS"])
@pytest.mark.parametrize(
    "rest",
    [
        "user:pa-ssword@host:port/x/y",
        "user:pa-ssword/x@host/x/y",
        "user:pa-ssword#x@host/x/y",
        "user:pa-ssword[x@host/x/y",
        "user:pa-ssword\u2100@host/x/y",
    ],
)
def test_a_password_is_in_no_fault(name: str, rest: str) -> None:
    for scheme in ("postgres://", "amqp://", "starttls://", "https://", "pa-ssword://", ""):
        with pytest.raises(LauncherError) as raised:
            Configuration.parse({**HOME, f"FREEHOLD_{name}": f"{scheme}{rest}"})
        assert f"FREEHOLD_{name}: " in str(raised.value)
        assert "pa-ssword" not in str(raised.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(LauncherError) as raised:
        Configuration.parse({**HOME, "FREEHOLD_PORT": "x", "FREEHOLD_NOPE": "1"})
    assert "FREEHOLD_PORT" in str(raised.value)
    assert "FREEHOLD_NOPE" in str(raised.value)


def test_other_variables_and_empty_ones_are_nobodys_business() -> None:
    configuration = Configuration.parse({**HOME, "PATH": "/bin", "FREEHOLD_SMTP_URL": ""})
    assert configuration.variables == HOME


@pytest.mark.parametrize(
    ("variables", "gone"),
    [
        ({}, set()),
        ({"FREEHOLD_POSTGRES_URL": "postgresql://o@db.example.com/app"}, {"postgres"}),
        ({"FREEHOLD_AMQP_URL": "amqp://u@mq.example.com/app"}, {"rabbitmq"}),
        ({"FREEHOLD_SMTP_URL": "smtp://mx.example.com:25"}, {"inbox"}),
        (
            {
                "FREEHOLD_S3_ENDPOINT": "https://s3.example.com",
                "FREEHOLD_S3_ACCESS_KEY": "a",
                "FREEHOLD_S3_SECRET_KEY": "s",
            },
            {"seaweedfs"},
        ),
    ],
)
def test_an_external_server_replaces_the_embedded_one(
    variables: dict[str, str], gone: set[str]
) -> None:
    everything = {"postgres", "rabbitmq", "seaweedfs", "inbox", "nginx", "prometheus"}
    assert Configuration.parse({**HOME, **variables}).embedded == everything - gone


def test_settings_of_the_last_start_are_remembered(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert Configuration.recorded(home) is None
    Configuration.parse({**HOME, "FREEHOLD_PORT": "9000", "FREEHOLD_LOG_LEVEL": "DEBUG"}).record(
        home
    )
    recorded = Configuration.recorded(home)
    assert recorded is not None
    assert recorded.operator.port == 9000
    assert recorded.operator.home == tmp_path
    assert recorded.variables["FREEHOLD_LOG_LEVEL"] == "DEBUG"
    assert home.settings.stat().st_mode & 0o777 == 0o600


def test_every_setting_is_documented_once_and_with_a_meaning() -> None:
    names = [name for name, _, _ in documentation()]
    assert len(set(names)) == len(names)
    assert {"FREEHOLD_HOME", "FREEHOLD_PORT", "FREEHOLD_BCRYPT_COST"} <= set(names)
    assert not {"FREEHOLD_INSTANCE", "FREEHOLD_MASTER_KEY", "FREEHOLD_INTERNAL_KEY"} & set(names)
    assert all(meaning for _, _, meaning in documentation())
    defaults = {name: default for name, default, _ in documentation()}
    assert defaults["FREEHOLD_HOME"] == ".freehold in the checkout, /var/lib/freehold as root"
    assert defaults["FREEHOLD_PUBLIC_URL"] == "http://127.0.0.1:<port>"
    assert defaults["FREEHOLD_PORT"] == "8080"
    assert defaults["FREEHOLD_SMTP_URL"] == "none"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gets_an_environment_that_its_own_settings_accept(
    service: str, tmp_path: Path
) -> None:
    environment = service_environment(stack_with(tmp_path), service)
    settings = settings_of(service).from_environment(environment)
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.client_origins == ("http://localhost:8080",)
    assert environment["LANG"] == "C.UTF-8"


def test_an_operators_setting_reaches_only_the_service_that_knows_it(tmp_path: Path) -> None:
    stack = stack_with(tmp_path, FREEHOLD_BCRYPT_COST="13")
    having = {s for s in SERVICES if "FREEHOLD_BCRYPT_COST" in service_environment(stack, s)}
    assert having == {"auth"}


def test_no_service_gets_anothers_secrets(tmp_path: Path) -> None:
    stack = stack_with(tmp_path)
    for service in SERVICES:
        text = str(service_environment(stack, service))
        others = {
            name
            for name in SECRET_NAMES
            if stack.secrets[name] in text and not name.endswith(f".{service}")
        }
        allowed = {"internal_key"}
        allowed |= {"master_key"} if service in ("auth", "jobs") else set()
        allowed |= {"s3.files.access_key", "s3.files.secret_key"} if service == "files" else set()
        assert others == allowed, service


def test_an_external_database_is_reached_with_the_services_own_role(tmp_path: Path) -> None:
    stack = stack_with(
        tmp_path,
        FREEHOLD_POSTGRES_URL="postgresql://owner:pw@db.example.com:5433/app?sslmode=require",
    )
    url = service_environment(stack, "files")["FREEHOLD_POSTGRES_URL"]
    assert url.startswith("postgresql://freehold_files:")
    assert url.endswith("@db.example.com:5433/app?sslmode=require")


def test_a_stack_of_the_last_release_gets_the_secrets_it_lacks(tmp_path: Path) -> None:
    home = Home(tmp_path)
    new = {"postgres.jobs", "amqp.jobs"}
    assert new <= SECRET_NAMES
    before = SecretStore.of(home, SECRET_NAMES - new).values
    after = SecretStore.of(home, SECRET_NAMES).values
    assert after.keys() - before.keys() == new
    assert before.items() <= after.items()
    assert SecretStore.of(home, SECRET_NAMES).values == after

"""What `prepare` writes: each server gets its own secrets, the same at every start."""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.container.addresses import settings_of_the_app
from deploy.container.prepare import prepare
from deploy.local.home import Home
from deploy.local.secret_store import SecretStore
from deploy.local.settings import Configuration

BUCKET = "freehold-files"
WRITTEN = {
    "secrets.json": 0o600,
    "postgres/password": 0o600,
    "postgres/pg_hba.conf": 0o600,
    "postgres/postgresql.conf": 0o600,
    "rabbitmq/.erlang.cookie": 0o400,
    "rabbitmq/conf.d/10-addresses.conf": 0o600,
    "rabbitmq/definitions.json": 0o600,
    "rabbitmq/enabled_plugins": 0o600,
    "rabbitmq/rabbitmq.conf": 0o600,
    "seaweedfs/identities.json": 0o600,
    "seaweedfs/keys.json": 0o600,
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    prepare(Home(tmp_path), BUCKET)
    return Home(tmp_path)


def contents(home: Home) -> dict[str, bytes]:
    return {
        str(path.relative_to(home.path)): path.read_bytes()
        for path in home.path.rglob("*")
        if path.is_file()
    }


def app_settings(home: Home) -> Mapping[str, str]:
    return settings_of_the_app(SecretStore.of(home, frozenset()))


def test_it_writes_these_files_for_their_owner_alone(home: Home) -> None:
    modes = {name: (home.path / name).stat().st_mode & 0o777 for name in contents(home)}
    assert modes == WRITTEN


def test_a_second_start_changes_nothing(home: Home) -> None:
    before = contents(home)
    prepare(home, BUCKET)
    assert contents(home) == before


def test_two_stacks_share_no_secret(home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Home(tmp_path_factory.mktemp("other"))
    prepare(other, BUCKET)
    first, second = (json.loads(one.secrets.read_text()) for one in (home, other))
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


@pytest.mark.parametrize(
    ("part", "own"),
    [
        ("postgres", {"postgres.freehold_admin"}),
        ("rabbitmq", {"erlang_cookie"}),  # the account's password is there as a hash
        (
            "seaweedfs",
            {
                "s3.administrator.access_key",
                "s3.administrator.secret_key",
                "s3.files.access_key",
                "s3.files.secret_key",
                "seaweedfs.volume_key",
                "seaweedfs.filer_write_key",
                "seaweedfs.filer_read_key",
            },
        ),
    ],
)
def test_a_server_gets_its_own_secrets_and_no_others(home: Home, part: str, own: set[str]) -> None:
    secrets: dict[str, str] = json.loads(home.secrets.read_text())
    text = b"".join(
        content for name, content in contents(home).items() if name.startswith(f"{part}/")
    ).decode()
    assert {name for name, secret in secrets.items() if secret in text} == own


def test_the_launcher_takes_the_settings_and_runs_no_such_server_itself(home: Home) -> None:
    configuration = Configuration.parse({"FREEHOLD_HOME": str(home.path), **app_settings(home)})
    assert configuration.embedded == {"inbox", "nginx", "prometheus"}


def test_the_brokers_only_account_is_the_one_that_the_app_uses(home: Home) -> None:
    address = urlsplit(app_settings(home)["FREEHOLD_AMQP_URL"])
    definitions = json.loads((home.part("rabbitmq") / "definitions.json").read_text())
    assert [user["name"] for user in definitions["users"]] == [address.username]
    assert [host["name"] for host in definitions["vhosts"]] == [address.path.removeprefix("/")]
    assert definitions["permissions"] == [
        {
            "user": address.username,
            "vhost": address.path.removeprefix("/"),
            "configure": ".*",
            "write": ".*",
            "read": ".*",
        }
    ]


def test_the_database_listens_on_its_socket_alone(home: Home) -> None:
    settings = (home.part("postgres") / "postgresql.conf").read_text().splitlines()
    address = urlsplit(app_settings(home)["FREEHOLD_POSTGRES_URL"])
    assert "listen_addresses = ''" in settings
    assert address.query == "host=/run/postgresql"
    assert "unix_socket_directories = '/run/postgresql'" in settings

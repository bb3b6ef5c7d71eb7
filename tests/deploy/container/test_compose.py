"""docker-compose.yml: every name in it leads somewhere, and nothing is open or secret."""

import importlib.util
import re

import pytest

from deploy.container import addresses
from deploy.local.settings import documentation
from deploy.local.stack import DATABASE, DATABASE_OWNER
from tests.deploy.container.compose import (
    CHECKOUT,
    COMPOSE,
    SERVICES,
    environment,
    mounts,
    of_kind,
    words,
)

KNOWN_KEYS = {
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "init",
    "logging",
    "network_mode",
    "networks",
    "ports",
    "read_only",
    "restart",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "stop_signal",
    "tmpfs",
    "user",
    "volumes",
}
LONG_RUNNING = [name for name, service in SERVICES.items() if "restart" in service]
OWN_IMAGE = [name for name, service in SERVICES.items() if "build" in service]


def test_the_parts_are_there() -> None:
    assert set(SERVICES) == {"prepare", "postgres", "rabbitmq", "seaweedfs", "app"}
    assert set(LONG_RUNNING) == set(SERVICES) - {"prepare"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_key_is_one_of_the_compose_specification(name: str) -> None:
    assert set(SERVICES[name]) <= KNOWN_KEYS
    assert set(COMPOSE) == {
        *("name", "services", "networks", "volumes"),
        *("x-freehold", "x-server", "x-logging"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_is_known_to_the_launcher(name: str) -> None:
    known = {variable for variable, _, _ in documentation()}
    used = {variable for variable in environment(name) if variable.startswith("FREEHOLD_")}
    assert used <= known


def test_every_interpolated_variable_is_a_setting_with_a_default() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{?[^}]*\}?", text)) == {"${FREEHOLD_PORT:-8080}"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_waits_for_what_it_needs(name: str) -> None:
    for needed, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "test" in SERVICES[needed]["healthcheck"]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert needed not in LONG_RUNNING


def test_all_wait_for_their_configuration_and_the_app_for_its_servers() -> None:
    for server in ("postgres", "rabbitmq", "seaweedfs"):
        assert set(SERVICES[server]["depends_on"]) == {"prepare"}
    assert set(SERVICES["app"]["depends_on"]) == {"postgres", "rabbitmq", "seaweedfs"}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_health_is_checked_and_logs_are_bounded(name: str) -> None:
    own_check = "test" in SERVICES[name].get("healthcheck", {})
    assert own_check or (name in OWN_IMAGE and of_kind("HEALTHCHECK"))
    assert SERVICES[name]["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", SERVICES)
def test_volumes_and_networks_are_declared(name: str) -> None:
    assert set(mounts(name)) <= set(COMPOSE["volumes"])
    assert set(SERVICES[name].get("networks", [])) <= {"default", *COMPOSE["networks"]}


def test_every_declared_volume_and_network_is_used() -> None:
    assert set(COMPOSE["volumes"]) == {volume for name in SERVICES for volume in mounts(name)}
    assert set(COMPOSE["networks"]) < {
        network for service in SERVICES.values() for network in service.get("networks", [])
    }


def test_a_server_shares_no_network_with_another() -> None:
    for network in COMPOSE["networks"]:
        members = {
            name for name, service in SERVICES.items() if network in service.get("networks", [])
        }
        assert len(members - {"app"}) == 1
        assert COMPOSE["networks"][network] == {"internal": True}
    for name in ("prepare", "postgres"):
        assert SERVICES[name]["network_mode"] == "none"


def test_only_the_app_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    port = "${FREEHOLD_PORT:-8080}"
    assert published == {"app": [f"127.0.0.1:{port}:{port}"]}
    assert environment("app")["FREEHOLD_PORT"] == port


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_runs_as_root_or_can_become_it(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in OWN_IMAGE:
        assert "user" not in service  # the image's own
    else:
        uid = re.search(r"--uid (\d+)", " ".join(of_kind("RUN")))
        assert uid is not None
        assert service["user"] == f"{uid[1]}:{uid[1]}"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_ours_or_of_a_named_version(name: str) -> None:
    if name in OWN_IMAGE:
        assert SERVICES[name]["image"] == "freehold"
    else:
        assert re.fullmatch(r"[a-z]+:\d+(\.\d+)?(-[a-z]+)?", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_written_down(name: str) -> None:
    for variable, value in environment(name).items():
        if re.search("PASSWORD|SECRET|KEY|COOKIE|_URL", variable):
            assert value is None or variable.endswith("_FILE")


@pytest.mark.parametrize("name", OWN_IMAGE)
def test_a_command_names_a_module_of_ours(name: str) -> None:
    command = SERVICES[name].get("command") or of_kind("CMD")[-1]
    module = re.search(r"-m\W+([a-z_.]+)", " ".join(words(command)))
    assert module is not None
    assert importlib.util.find_spec(module[1]) is not None


def test_the_app_looks_for_the_servers_where_they_are() -> None:
    assert {addresses.RABBITMQ_HOST, addresses.SEAWEEDFS_HOST} < set(SERVICES)
    assert mounts("postgres")["postgres"] == str(addresses.POSTGRES_FOLDER)
    assert mounts("postgres")["postgres-socket"] == str(addresses.POSTGRES_SOCKETS)
    assert mounts("app")["postgres-socket"] == str(addresses.POSTGRES_SOCKETS)
    assert mounts("rabbitmq")["rabbitmq"] == str(addresses.RABBITMQ_FOLDER)
    assert environment("postgres")["POSTGRES_USER"] == DATABASE_OWNER
    assert environment("postgres")["POSTGRES_DB"] == DATABASE
    health = " ".join(SERVICES["seaweedfs"]["healthcheck"]["test"])
    assert f"127.0.0.1:{addresses.SEAWEEDFS_PORTS.s3}/" in health


def test_a_volume_keeps_the_owner_that_prepare_gave_it() -> None:
    for name in ("postgres", "rabbitmq"):
        (data,) = [mount for mount in SERVICES[name]["volumes"] if isinstance(mount, dict)]
        assert data["source"] == name
        assert data["volume"] == {"nocopy": True}

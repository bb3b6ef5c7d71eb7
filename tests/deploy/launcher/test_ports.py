"""Ports are found once, recorded, in pairs where SeaweedFS wants pairs, and guarded at a start."""

import dataclasses
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.errors import LauncherError
from deploy.local.home import Home
from deploy.local.ports import FIRST_EPHEMERAL, PAIR_DISTANCE, PAIRED, Ports, is_free, require_free

HOME = Path("/var/lib/freehold")


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of loopback on which this test process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def numbers(ports: Ports) -> list[int]:
    values = dataclasses.asdict(ports)
    opened = [port for name, port in values.items() if name != "named_after"]
    return opened + [values[name] + PAIR_DISTANCE for name in PAIRED]


def test_all_ports_differ_and_stay_below_the_range_of_outgoing_connections() -> None:
    opened = numbers(Ports.probe(HOME, 12_345, lambda _: True))
    assert len(set(opened)) == len(opened)
    assert 12_345 not in opened
    assert all(10_000 <= port < FIRST_EPHEMERAL for port in opened)


def test_a_pair_needs_both_of_its_ports() -> None:
    only_low = Ports.probe(HOME, 8080, lambda port: port < 20_000 or port % 2 == 0)
    assert all(getattr(only_low, name) % 2 == 0 for name in PAIRED)


def test_occupied_ports_are_passed_over() -> None:
    undisturbed = set(numbers(Ports.probe(HOME, 8080, lambda _: True)))
    assert not undisturbed & set(numbers(Ports.probe(HOME, 8080, lambda p: p not in undisturbed)))


def test_no_free_port_is_an_error_with_a_next_step() -> None:
    with pytest.raises(LauncherError, match="Next: stop what occupies them"):
        Ports.probe(HOME, 8080, lambda _: False)


def test_two_state_folders_start_to_look_at_different_places() -> None:
    one, other = (Ports.probe(Path(f"/srv/{name}"), 8080, lambda _: True) for name in "ab")
    assert not set(numbers(one)) & set(numbers(other))


def test_recorded_ports_stay_whatever_the_public_port_becomes(tmp_path: Path) -> None:
    first = Ports.of(Home(tmp_path), 8080)
    assert Ports.of(Home(tmp_path), 9090) == first
    assert first.named_after == 8080


def test_only_embedded_parts_open_ports() -> None:
    ports = Ports.probe(HOME, 8080, lambda _: True)
    owners = ports.by_owner(embedded={"postgres", "inbox", "nginx"})
    assert owners == {ports.smtp: "inbox", ports.nginx_metrics: "nginx"}
    assert ports.by_owner(embedded={"seaweedfs"})[ports.seaweedfs_s3 + PAIR_DISTANCE] == "seaweedfs"


def test_a_port_somebody_listens_on_is_not_free(listener: int) -> None:
    assert not is_free(listener)


@pytest.mark.parametrize(
    ("public", "remedy"),
    [(True, "set FREEHOLD_PORT to a free port"), (False, "stop it")],
)
def test_a_busy_port_names_its_holder(listener: int, *, public: bool, remedy: str) -> None:
    ports = {} if public else {listener: "inbox"}
    with pytest.raises(LauncherError) as raised:
        require_free(ports, listener if public else 1, HOME, Path("/run/none"))
    assert f"(pid {os.getpid()})" in str(raised.value)
    assert remedy in str(raised.value)


def test_an_own_process_that_outlived_its_supervisor_is_no_obstacle(
    listener: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Programs such as nginx write over their environment; their folder still tells whose they are.
    monkeypatch.chdir(tmp_path)
    require_free({}, listener, tmp_path, Path("/run/none"))

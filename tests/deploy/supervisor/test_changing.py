"""Changes while the stack runs: scale, rolling restart, memory limit, events, targets."""

import json
import os
import signal
import threading
from typing import Self

import pytest

from deploy.local.supervisor.control import ControlError
from deploy.local.supervisor.specs import PartSpec
from tests.deploy.supervisor.stack import DEADLINE_SECONDS, Stack, until


class Load:
    """Clients that make one request after another and note what each got."""

    def __init__(self, stack: Stack, spec: PartSpec, clients: int = 4) -> None:
        self.answers: list[int] = []
        self.failures: list[str] = []
        self._end = threading.Event()
        self._stack, self._spec = stack, spec
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self.answers.append(self._stack.ask(self._spec))
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))


def test_scaling_is_remembered_over_a_restart(stack: Stack) -> None:
    web = stack.part(
        "auth", "serve", listen=stack.run_dir / "auth.sock", metrics_socket="m{instance}"
    )
    stack.up()
    (first,) = stack.pids("auth")

    stack.client.scale({"auth": 3})
    assert len(stack.pids("auth")) == 3
    assert first in stack.pids("auth")
    assert stack.answering(web, 3) == set(stack.pids("auth"))

    stack.client.scale({"auth": 2})
    assert len(stack.pids("auth")) == 2
    assert len(stack.processes()["child"]) == 2

    stack.client.stop()
    stack.up()
    assert len(stack.pids("auth")) == 2


@pytest.mark.parametrize("instances", [1, 2])
def test_a_rolling_restart_loses_no_request(stack: Stack, instances: int) -> None:
    web = stack.part("auth", "serve", 0.3, instances=instances, listen=stack.run_dir / "auth.sock")
    stack.up()
    before = set(stack.pids("auth"))

    with Load(stack, web) as load:
        until(lambda: len(load.answers) > 20)
        stack.client.restart("auth")
        count = len(load.answers)
        until(lambda: len(load.answers) > count + 20)

    assert load.failures == []
    after = set(stack.pids("auth"))
    assert len(after) == instances
    assert not before & after
    assert set(load.answers[-5:]) <= after
    assert set(load.answers) <= before | after


def test_a_restart_keeps_the_old_instance_if_the_new_one_fails(stack: Stack) -> None:
    broken = stack.directory / "broken"
    web = stack.part("auth", "serve", listen=stack.run_dir / "auth.sock")
    script = f"test -e {broken} && echo 'bad release' && exit 7; exec {' '.join(web.command)}"
    stack.parts.clear()
    web = stack.part("auth", "", command=["sh", "-c", script], listen=web.listen)
    stack.up()
    before = stack.pids("auth")
    broken.touch()

    with pytest.raises(ControlError, match=r"status 7: bad release.*old instance was kept"):
        stack.client.restart("auth")

    assert stack.pids("auth") == before
    assert stack.ask(web) == before[0]
    assert stack.status()["healthy"]


def test_restart_of_all_replaces_services_and_workers_only(stack: Stack) -> None:
    stack.part("postgres", "journal", stack.journal, "postgres", kind="infrastructure")
    stack.part("auth", "journal", stack.journal, "auth")
    stack.part("auth-worker", "journal", stack.journal, "worker", kind="worker")
    stack.up()
    stack.client.restart()
    new = stack.lines()[3:]
    assert new == ["start auth", "stop auth", "start worker", "stop worker"]

    stack.client.restart("postgres")
    assert stack.lines()[7:] == ["stop postgres", "start postgres"]
    assert stack.status()["healthy"]


def test_an_instance_over_its_memory_limit_is_replaced_before_it_leaves(stack: Stack) -> None:
    stack.part("files", "grow", 60, stack.directory / "grown", memory_limit_bytes=50 << 20)
    stack.up()
    (fat,) = stack.pids("files")
    until(lambda: stack.pids("files") not in ([], [fat]) and len(stack.pids("files")) == 1)
    until(lambda: stack.of("files")["instances"][0]["rss_bytes"] < 50 << 20)
    logged = [line for line in stack.log("supervisor") if "more than its limit" in line["message"]]
    assert [line["action"] for line in logged] == ["memory_limit_exceeded"]
    assert stack.status()["healthy"]


def test_targets_follow_the_instances(stack: Stack) -> None:
    metrics = str(stack.run_dir / "metrics" / "auth-worker-{instance}.sock")
    stack.part("auth-worker", "journal", stack.journal, "w", kind="worker", metrics_socket=metrics)
    stack.part("nginx", "journal", stack.journal, "n", kind="infrastructure")
    stack.up()
    path = stack.directory / "targets.json"

    def listed(instance: str) -> dict[str, object]:
        labels = {"service": "auth", "role": "worker", "instance": instance}
        labels["__metrics_path__"] = f"/metrics/auth-worker/{instance}"
        return {"targets": ["127.0.0.1:9100"], "labels": labels}

    assert json.loads(path.read_text()) == [listed("1")]
    stack.client.scale({"auth-worker": 2})
    assert json.loads(path.read_text()) == [listed("1"), listed("2")]
    stack.client.restart("auth-worker")
    assert json.loads(path.read_text()) == [listed("1"), listed("3")]


def test_events_tell_of_every_change_until_the_end(stack: Stack) -> None:
    stack.part("auth", "journal", stack.journal, "auth")
    stack.up()
    seen: list[dict[str, object]] = []
    follower = threading.Thread(target=lambda: seen.extend(stack.client.events(DEADLINE_SECONDS)))
    follower.start()
    until(lambda: {"healthy": True} in seen)
    os.kill(stack.pids("auth")[0], signal.SIGKILL)
    until(lambda: sum(i["restarts"] for i in stack.of("auth")["instances"]) == 1)
    until(lambda: stack.status()["healthy"])
    stack.client.stop()
    follower.join(DEADLINE_SECONDS)

    states = [event.get("state", event.get("healthy")) for event in seen]
    assert states[:7] == ["running", True, "failed", False, "starting", "running", True]
    assert "stopped" in states[7:]
    assert True not in states[7:]

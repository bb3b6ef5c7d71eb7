"""Instances: started when they may, shared sockets, restarted for ever, stopped in order."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from deploy.local.home import Home
from deploy.local.start import StartFailedError, wait_until_ready
from deploy.local.supervisor.control import ControlError, NotRunning
from deploy.local.supervisor.specs import Ready
from tests.deploy.supervisor.stack import DEADLINE_SECONDS, ROOT, Stack, until


def test_instances_share_one_inherited_socket(stack: Stack) -> None:
    web = stack.part("auth", "serve", instances=3, listen=stack.run_dir / "auth.sock")
    stack.up()

    assert stack.answering(web, 3) == set(stack.pids("auth"))
    assert stat.S_IMODE((stack.run_dir / "auth.sock").stat().st_mode) == 0o600


def test_a_part_waits_for_what_it_comes_after_and_stops_before_it(stack: Stack) -> None:
    names = {"kind": "infrastructure"}
    stack.part("postgres", "journal", stack.journal, "postgres", **names)
    stack.one_shot("auth-migrate", "once", stack.journal, "auth-migrate", 2, after=["postgres"])
    stack.part("auth", "journal", stack.journal, "auth", 0.3, after=["auth-migrate"])
    stack.part("auth-worker", "journal", stack.journal, "w", kind="worker", after=["auth-migrate"])
    stack.part("nginx", "journal", stack.journal, "nginx", 0.2, after=["auth"], **names)
    stack.up()
    until(lambda: len(stack.lines()) == 5)

    assert stack.lines()[:2] == ["start postgres", "ran auth-migrate"]
    assert set(stack.lines()[2:4]) | {stack.lines()[4]} == {"start auth", "start w", "start nginx"}
    assert stack.lines().index("start auth") < stack.lines().index("start nginx")

    stack.client.stop()
    assert stack.process is not None
    assert stack.process.wait(DEADLINE_SECONDS) == 0
    assert stack.lines()[5:] == ["stop nginx", "stop auth", "stop w", "stop postgres"]
    until(lambda: not any(stack.processes().values()))
    with pytest.raises(NotRunning, match="freehold up"):
        stack.client.status()


def test_a_crashing_instance_is_started_again_with_growing_pauses(stack: Stack) -> None:
    stack.part("mail", "crash")
    stack.up(healthy=False)
    part = until(lambda: (p := stack.of("mail")) and p["instances"][0]["restarts"] >= 5 and p)

    assert part["problem"] == "mail 1 exited with status 1: the cellar is flooded"
    assert "freehold logs mail" in part["next_step"]
    pauses = [
        float(line["message"].rpartition("again in ")[2].split()[0])
        for line in stack.log("supervisor")
        if line.get("action") == "instance_failed"
    ]
    assert pauses[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
    crash = next(line for line in stack.log("mail") if line["message"] == "the cellar is flooded")
    assert (crash["service"], crash["role"], crash["instance"]) == ("mail", "web", 1)


def test_a_killed_instance_comes_back_while_the_others_serve(stack: Stack) -> None:
    web = stack.part("auth", "serve", instances=2, listen=stack.run_dir / "auth.sock")
    stack.up()
    victim, survivor = stack.pids("auth")

    os.kill(victim, signal.SIGKILL)

    assert stack.ask(web) != victim
    until(lambda: stack.of("auth")["state"] == "running" and victim not in stack.pids("auth"))
    assert survivor in stack.pids("auth")
    assert sum(i["restarts"] for i in stack.of("auth")["instances"]) == 1


@pytest.mark.parametrize(
    ("role", "ready", "problem"),
    [
        ("mute", Ready(kind="notify", timeout_seconds=0.5), "was not ready within 0.5 s"),
        (
            "mute",
            Ready(kind="command", command=["false"], timeout_seconds=0.5),
            "was not ready within 0.5 s",
        ),
        (
            "mute",
            Ready(kind="tcp", address="127.0.0.1:1", timeout_seconds=0.5),
            "was not ready within 0.5 s",
        ),
    ],
)
def test_an_instance_that_does_not_become_ready_is_replaced(
    stack: Stack, role: str, ready: Ready, problem: str
) -> None:
    stack.part("files", role, ready=ready)
    stack.up(healthy=False)
    part = until(lambda: (p := stack.of("files")) and p.get("problem") and p)
    assert problem in part["problem"]
    first = until(lambda: stack.pids("files"))
    until(lambda: stack.pids("files") not in ([], first))


def test_a_missing_program_is_named(stack: Stack) -> None:
    stack.part("inbox", "serve", kind="infrastructure", command=["no-such-program"])
    stack.part("mail", "serve", after=["inbox"])
    stack.up(healthy=False)
    part = until(lambda: (p := stack.of("inbox")) and p.get("problem") and p)
    assert "No such file or directory: no-such-program" in part["problem"]
    assert "installed" in part["next_step"]
    until(lambda: stack.of("mail").get("problem") == "waits for inbox, which fails")
    assert "next_step" not in stack.of("mail")


def test_a_one_shot_that_fails_is_shown_once_in_its_own_words(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.one_shot("postgres-provision", "explain", "it is shut", "open it", after=[])
    stack.one_shot("seaweedfs-provision", "explain", "it is full", "empty it", after=[])
    stack.one_shot("auth-migrate", "once", stack.journal, "m", after=["postgres-provision"])
    stack.part("auth", "serve", after=["auth-migrate"])
    stack.part("mail", "serve", after=["postgres-provision"])
    stack.up(healthy=False)
    until(lambda: stack.of("seaweedfs-provision") and stack.of("postgres-provision"))

    assert not stack.status()["healthy"]
    failing = {"kind": "infrastructure", "state": "failed", "instances": []}
    assert stack.status()["parts"] == [
        {
            "name": "postgres-provision",
            "problem": "it is shut",
            "next_step": "open it",
            **failing,
        },
        {
            "name": "seaweedfs-provision",
            "problem": "it is full",
            "next_step": "empty it",
            **failing,
        },
        {
            "name": "auth",
            "kind": "service",
            "state": "starting",
            "problem": "waits for auth-migrate",
            "instances": [],
        },
        {
            "name": "mail",
            "kind": "service",
            "state": "starting",
            "problem": "waits for postgres-provision, which fails",
            "instances": [],
        },
    ]

    begun = time.monotonic()
    with pytest.raises(StartFailedError) as raised:
        wait_until_ready(stack.client, Home(stack.directory))
    assert time.monotonic() - begun < 10
    assert str(raised.value) == "it is shut\nNext: open it\nit is full\nNext: empty it"
    assert capsys.readouterr().err == ""


def test_a_one_shot_that_has_succeeded_is_no_part(stack: Stack) -> None:
    stack.one_shot("auth-migrate", "once", stack.journal, "auth-migrate", 5, after=[])
    ready = Ready(kind="command", command=["true"])
    stack.part("auth", "mute", ready=ready, after=["auth-migrate"])
    stack.up(healthy=False)
    shown = until(lambda: stack.of("auth-migrate"))
    assert shown["problem"] == "auth-migrate exited with status 1: not yet"
    assert shown["next_step"].endswith("the cause is in `./freehold logs auth-migrate`.")

    until(lambda: stack.status()["healthy"])
    assert [part["name"] for part in stack.status()["parts"]] == ["auth"]


@pytest.mark.parametrize(
    "ready",
    [
        Ready(kind="command", command=["true"]),
        Ready(kind="unix", address="DIRECTORY/run/control.sock"),
    ],
)
def test_readiness_is_seen_from_outside(stack: Stack, ready: Ready) -> None:
    address = ready.address.replace("DIRECTORY", str(stack.directory))
    seen = Ready(kind=ready.kind, command=ready.command, address=address)
    stack.part("seaweedfs", "mute", kind="infrastructure", ready=seen)
    stack.up()
    assert stack.of("seaweedfs")["state"] == "running"


def test_an_instance_that_ignores_its_stop_signal_is_killed(stack: Stack) -> None:
    stack.part("mail", "stubborn", stop_timeout_seconds=0.3)
    stack.up()
    stack.client.stop()
    until(lambda: not any(stack.processes().values()))


def test_sigterm_stops_everything(stack: Stack) -> None:
    stack.part("postgres", "journal", stack.journal, "postgres", kind="infrastructure")
    stack.up()
    assert stack.process is not None
    stack.process.terminate()
    assert stack.process.wait(DEADLINE_SECONDS) == 0
    assert stack.lines() == ["start postgres", "stop postgres"]
    until(lambda: not any(stack.processes().values()))


def test_a_second_supervisor_is_refused_or_waits(stack: Stack) -> None:
    stack.part("mail", "mute", ready=Ready(kind="command", command=["true"]))
    stack.up()
    second = subprocess.Popen(
        [sys.executable, "-m", "deploy.local.supervisor", stack.directory / "plan.json"],
        cwd=ROOT,
        start_new_session=True,
    )
    first = stack.pids("mail")
    stack.client.stop()
    until(lambda: stack.status()["healthy"] and stack.pids("mail") != first)
    stack.client.stop()
    assert second.wait(DEADLINE_SECONDS) == 0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"auht": 2}, "There is no part 'auht'"),
        ({"postgres": 2}, "runs as one instance"),
        ({"auth": 0}, "not a number from 1 to 64"),
    ],
)
def test_a_wrong_scale_changes_nothing(
    stack: Stack, request_: dict[str, int], message: str
) -> None:
    stack.part("postgres", "journal", stack.journal, "p", kind="infrastructure")
    stack.part("auth", "journal", stack.journal, "a")
    stack.up()
    with pytest.raises(ControlError, match=message):
        stack.client.scale({"auth": 3, **request_})
    assert len(stack.pids("auth")) == 1
    assert not (stack.directory / "scale.json").exists()


def test_nothing_of_the_supervisors_environment_is_passed_on(stack: Stack) -> None:
    command = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
    stack.part("auth", "serve", command=command, listen=stack.run_dir / "a.sock")
    stack.up(healthy=False)
    log = stack.directory / "logs" / "auth.log"
    until(lambda: log.exists() and log.read_text())
    assert "['FREEHOLD_INSTANCE', 'LC_CTYPE', 'LISTEN_FDS', 'NOTIFY_SOCKET', 'PATH']" in str(
        stack.log("auth")[0]["message"]
    )

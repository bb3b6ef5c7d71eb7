"""`kill -9` of any one process, the supervisor and its keeper included, heals by itself."""

import os
import signal

from deploy.local.supervisor.specs import Ready
from tests.deploy.supervisor.stack import DEADLINE_SECONDS, Stack, until


def test_a_killed_supervisor_is_replaced_and_leaves_no_strays(stack: Stack) -> None:
    web = stack.part("auth", "serve", instances=2, listen=stack.run_dir / "auth.sock")
    stack.part("postgres", "journal", stack.journal, "postgres", 0.5, kind="infrastructure")
    stack.up()
    stack.client.scale({"auth": 3})
    assert stack.process is not None
    old = {process.pid for process in stack.processes()["child"]}

    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait(DEADLINE_SECONDS)
    until(lambda: stack.status()["healthy"])

    new = stack.processes()
    assert len(new["supervisor"]) == len(new["keeper"]) == 1
    assert len(new["child"]) == 4
    assert not old & {process.pid for process in new["child"]}
    assert stack.answering(web, len(stack.pids("auth"))) == set(stack.pids("auth"))
    # The database drained in its own time before its successor started.
    assert stack.lines() == ["start postgres", "stop postgres", "start postgres"]


def test_a_killed_keeper_is_replaced_and_still_heals(stack: Stack) -> None:
    stack.part("auth", "journal", stack.journal, "auth")
    stack.up()
    assert stack.process is not None
    (keeper,) = until(lambda: stack.processes()["keeper"])

    keeper.kill()
    until(lambda: [p.pid for p in stack.processes()["keeper"]] not in ([], [keeper.pid]))
    assert stack.status()["healthy"]

    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait(DEADLINE_SECONDS)
    until(lambda: stack.status()["healthy"])


def test_the_successor_can_be_killed_and_stopped_like_the_first(stack: Stack) -> None:
    stack.part("auth", "journal", stack.journal, "auth")
    stack.up()
    assert stack.process is not None
    for _ in range(2):
        (supervisor,) = until(lambda: stack.processes()["supervisor"])
        supervisor.kill()
        until(lambda: stack.status()["healthy"])
        if supervisor.pid == stack.process.pid:
            stack.process.wait(DEADLINE_SECONDS)
    stack.client.stop()
    until(lambda: not any(stack.processes().values()))


def test_a_process_that_ignores_the_death_of_the_supervisor_is_ended(stack: Stack) -> None:
    stack.part("rabbitmq", "stubborn", kind="infrastructure", stop_timeout_seconds=0.5)
    stack.part("nginx", "parent", stack.journal, kind="infrastructure")
    stack.up()
    assert stack.process is not None
    old = {process.pid for process in stack.processes()["child"]}
    assert len(old) == 4

    os.kill(stack.process.pid, signal.SIGKILL)
    stack.process.wait(DEADLINE_SECONDS)
    until(lambda: stack.status()["healthy"])

    assert not old & {process.pid for process in stack.processes()["child"]}


def test_what_a_killed_instance_leaves_in_its_session_is_ended(stack: Stack) -> None:
    stack.part("nginx", "parent", stack.journal, kind="infrastructure")
    stack.up()
    (first,) = stack.pids("nginx")
    inside, outside = map(int, stack.lines()[0].split())

    os.kill(first, signal.SIGKILL)
    until(lambda: len(stack.lines()) == 2 and stack.of("nginx")["state"] == "running")

    living = {process.pid for process in stack.processes()["child"]}
    assert inside not in living
    stack.client.stop()
    until(lambda: not any(stack.processes().values()))
    assert outside != inside


def test_a_stop_is_not_undone_by_the_keeper(stack: Stack) -> None:
    stack.part("mail", "mute", ready=Ready(kind="command", command=["true"]))
    stack.up()
    stack.client.stop()
    assert stack.process is not None
    assert stack.process.wait(DEADLINE_SECONDS) == 0
    until(lambda: not any(stack.processes().values()))

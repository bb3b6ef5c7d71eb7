"""The launcher stops a stack and leaves no folder of sockets behind."""

import fcntl
from pathlib import Path

import pytest

from deploy.local import stop
from deploy.local.home import Home, write_json
from deploy.local.stop import one_at_a_time, remove_run_dir, stop_stack
from tests.deploy.supervisor.stack import Stack


def test_the_folder_of_the_sockets_goes_with_the_supervisor(stack: Stack) -> None:
    home = Home(stack.directory)
    stack.part("auth", "serve", listen=stack.run_dir / "auth.sock")
    stack.up()
    write_json(home.running, {"run_dir": str(stack.run_dir)})
    (stack.run_dir / "metrics").mkdir()

    stop_stack(home, stack.client)

    assert stack.process is not None
    assert stack.process.wait(5) == 0
    assert not stack.run_dir.exists()
    assert home.logs.exists()
    with one_at_a_time(home):
        pass
    stack.up()
    assert stack.of("auth")["state"] == "running"


def test_the_folder_of_a_supervisor_that_runs_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "LETTING_GO_SECONDS", 0.1)
    lock = tmp_path / "supervisor.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_run_dir(tmp_path)
        assert lock.exists()
    remove_run_dir(tmp_path)
    assert not tmp_path.exists()


def test_a_folder_that_is_none_of_a_supervisor_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    remove_run_dir(tmp_path)
    remove_run_dir(tmp_path / "gone")
    assert (tmp_path / "file").exists()

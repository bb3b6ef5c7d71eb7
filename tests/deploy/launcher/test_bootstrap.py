"""Before there is an environment: packages, the code's place, and what is installed from locks."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from deploy.bootstrap import debian, launch
from deploy.bootstrap.account import Account
from deploy.bootstrap.code_root import code_root, content_hash
from deploy.bootstrap.launch import ALL_TESTS, main
from deploy.bootstrap.packages import Requirement, missing_packages, permission_missing
from deploy.bootstrap.virtual_environment import ensure_virtual_environment, lock_hash


class Unreadable(Account):
    """An account that can read nothing."""

    def first_unreadable(self, paths: object) -> Path | None:  # noqa: ARG002 - the same signature
        return Path("/secret")


def requirement(package: str, *, present: bool, replaced_by: str | None = None) -> Requirement:
    return Requirement(package, lambda: present, replaced_by)


def checkout_at(folder: Path) -> Path:
    for name in ("services", "shared", "deploy", "requirements"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file.py").write_text(f"{name}\n")
    (folder / "freehold").write_text("#!/usr/bin/env python3\n")
    (folder / "freehold").chmod(0o755)
    return folder


def test_only_what_is_neither_there_nor_replaced_is_missing() -> None:
    requirements = [
        requirement("nginx", present=True),
        requirement("postgresql", present=False, replaced_by="FREEHOLD_POSTGRES_URL"),
        requirement("rabbitmq-server", present=False, replaced_by="FREEHOLD_AMQP_URL"),
    ]
    environment = {"FREEHOLD_POSTGRES_URL": "postgresql://db.example.com/app"}
    assert missing_packages(requirements, environment) == ["rabbitmq-server"]


def test_a_user_without_rights_is_told_the_one_command() -> None:
    message = permission_missing(["nginx", "prometheus"], Path("/srv/app"))
    command = "cd /srv/app && sudo python3 -m deploy.bootstrap.debian nginx prometheus"
    assert [line.strip() for line in message.splitlines()].count(command) == 1
    assert "`apt-get install --no-install-recommends nginx prometheus`" in message


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 104\n"])
def test_what_keeps_services_from_starting_is_put_back_exactly(
    tmp_path: Path, before: str | None
) -> None:
    policy = tmp_path / "made" / "policy-rc.d"
    if before is not None:
        policy.parent.mkdir()
        policy.write_text(before)
        policy.chmod(0o700)
    with debian._temporary_file(policy, "#!/bin/sh\nexit 101\n", mode=0o755):
        assert policy.read_text() == "#!/bin/sh\nexit 101\n"
        assert stat.S_IMODE(policy.stat().st_mode) == 0o755
    if before is None:
        assert not policy.parent.exists()
    else:
        assert policy.read_text() == before
        assert stat.S_IMODE(policy.stat().st_mode) == 0o700
        assert list(policy.parent.iterdir()) == [policy]


def test_what_an_interrupted_installation_left_is_not_kept(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("ours\n")
    with debian._temporary_file(policy, "ours\n", mode=0o755):
        pass
    assert not policy.exists()


def test_a_readable_checkout_is_run_from(tmp_path: Path) -> None:
    checkout = checkout_at(tmp_path / "checkout")
    assert code_root(checkout, Account.current(), tmp_path / "opt") == checkout
    assert not (tmp_path / "opt").exists()


def test_an_unreadable_checkout_is_copied_and_refreshed_when_it_changes(tmp_path: Path) -> None:
    checkout = checkout_at(tmp_path / "checkout")
    (checkout / "deploy" / "__pycache__").mkdir()
    (checkout / "deploy" / "__pycache__" / "file.pyc").write_text("compiled")
    (checkout / "services" / "file.py").chmod(0o600)
    nobody = Unreadable("nobody", 65534, 65534)

    installed = code_root(checkout, nobody, tmp_path / "opt")
    assert installed.parent == tmp_path / "opt"
    assert stat.S_IMODE((installed / "services" / "file.py").stat().st_mode) == 0o644
    assert os.access(installed / "freehold", os.X_OK)
    assert not (installed / "deploy" / "__pycache__").exists()

    (installed / ".venv").mkdir()
    (checkout / "shared" / "file.py").unlink()
    (checkout / "shared" / "other.py").write_text("new\n")
    assert code_root(checkout, nobody, tmp_path / "opt") == installed
    assert [path.name for path in (installed / "shared").iterdir()] == ["other.py"]
    assert (installed / ".venv").is_dir()


def test_the_content_hash_sees_names_and_bytes(tmp_path: Path) -> None:
    checkout = checkout_at(tmp_path)
    before = content_hash(checkout)
    (checkout / "shared" / "file.py").rename(checkout / "shared" / "renamed.py")
    assert content_hash(checkout) != before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look with another user's eyes")
def test_an_unreadable_file_deep_inside_is_found() -> None:
    nobody = Account.named("nobody")
    assert nobody is not None
    with tempfile.TemporaryDirectory(prefix="fh-", dir="/tmp") as folder:
        top = Path(folder)
        top.chmod(0o755)
        hidden = top / "services" / "deep" / "secret.py"
        hidden.parent.mkdir(parents=True)
        hidden.write_text("")
        assert nobody.first_unreadable([top / "services"]) is None
        hidden.chmod(0o600)
        assert nobody.first_unreadable([top / "services"]) == hidden
        hidden.parent.chmod(0o700)
        assert nobody.first_unreadable([top / "services"]) == hidden.parent
        top.chmod(0o700)
        assert nobody.first_unreadable([top / "services"]) == top / "services"


def test_installed_packages_are_not_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    for lock in ("build.lock", "runtime.lock"):
        (tmp_path / "requirements" / lock).write_text(lock)
    interpreter = tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text("#!/bin/sh\nexit 0\n")
    interpreter.chmod(0o755)
    marker = tmp_path / ".venv" / ".installed-runtime.lock"
    marker.write_text(lock_hash(tmp_path, "runtime.lock"))
    before = marker.stat().st_mtime_ns
    assert ensure_virtual_environment(tmp_path, "runtime.lock", Account.current()) == interpreter
    assert marker.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        (["test"], ["-m", "pytest", *ALL_TESTS]),
        (["test", "tests/unit", "-x"], ["-m", "pytest", "tests/unit", "-x"]),
        (["bench", "jobs", "--seconds", "5"], ["-m", "benchmarks.jobs", "--seconds", "5"]),
    ],
)
def test_arguments_are_handed_on_and_all_tests_run_side_by_side(
    arguments: list[str],
    run: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(launch, "ensure_packages", lambda *_: None)
    monkeypatch.setattr(launch, "code_root", lambda *_: tmp_path)
    monkeypatch.setattr(launch, "ensure_virtual_environment", lambda *_: Path("python"))
    monkeypatch.setattr(launch.os, "execve", lambda _, command, __: became.append(command[1:]))
    monkeypatch.chdir(tmp_path)
    main(tmp_path, arguments)
    assert became == [run]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scale", "auth=none"], "'auth=none' is not like auth=3"),
        (["scale", "auth"], "'auth' is not like auth=3"),
        (["scale", "auth=0"], "auth=0 is not a number from 1 to 64"),
        (["scale", "auth=-1"], "auth=-1 is not a number from 1 to 64"),
        (["scale", "auth=500"], "auth=500 is not a number from 1 to 64"),
        (["status", "--jsn"], "unrecognized arguments: --jsn"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_installed(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        main(tmp_path, arguments)
    assert exited.value.code == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())

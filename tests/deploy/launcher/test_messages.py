"""What is said where nothing was started, and when settings stand in the way."""

from pathlib import Path

import pytest

from deploy.local import __main__ as launcher
from deploy.local.commands import up
from deploy.local.home import Home
from deploy.local.session import Session
from deploy.local.settings import Configuration
from deploy.local.supervisor.control import Client


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    path = tmp_path / "home"
    monkeypatch.setenv("FREEHOLD_HOME", str(path))
    monkeypatch.setattr("deploy.local.session.give_up_root", lambda _: None)
    monkeypatch.setattr("deploy.local.session.require_reach", lambda *_: None)
    return Home(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["logs"], "There are no logs in HOME/logs yet.\nNext: start the stack with "),
        (["logs", "auth"], "There are no logs in HOME/logs yet.\nNext: start the stack with "),
        (["inbox"], "There is no stack in HOME yet.\nNext: start it with `./freehold up`, "),
        (["inbox", "--json"], "There is no stack in HOME yet.\nNext: start it with "),
    ],
)
def test_where_nothing_was_ever_started_that_is_said(
    home: Home, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert launcher.main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"freehold: {said.replace('HOME', str(home.path))}")
    assert shown.out == ""
    assert not home.path.exists()


def test_a_log_that_there_is_not_names_those_there_are(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.make_folders()
    home.log("auth").touch()
    assert launcher.main(["logs", "author"]) == 1
    assert capsys.readouterr().err == (
        "freehold: There is no log of 'author'. There are: auth.\n"
        "Next: name one of these, or none for all.\n"
    )


def test_down_looks_at_no_setting_but_the_state_folder(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEHOLD_PORT", "http")
    monkeypatch.setenv("FREEHOLD_XYZZY", "1")
    assert launcher.main(["down"]) == 0
    assert capsys.readouterr().out == "Nothing was running.\n"
    assert launcher.main(["status"]) == 1
    assert "FREEHOLD_PORT: write a whole number" in capsys.readouterr().err
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FREEHOLD_PORT": "9000"}, "FREEHOLD_PORT differs."),
        (
            {"FREEHOLD_PORT": "9000", "FREEHOLD_LIMITS": "off"},
            "FREEHOLD_LIMITS, FREEHOLD_PORT differ.",
        ),
    ],
)
def test_settings_that_a_running_stack_was_not_started_with_are_named(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    said: str,
) -> None:
    base = {"FREEHOLD_HOME": str(home.path)}
    Configuration.parse(base).record(home)
    monkeypatch.setattr(Session, "client", lambda _: Client(home.path / "socket"))
    up._report_differences(Session(Configuration.parse({**base, **variables}), home))
    assert capsys.readouterr().err == (
        f"  The stack runs already, with other settings: {said}\n"
        "  Next: `./freehold down` and `up` again to apply them.\n"
    )

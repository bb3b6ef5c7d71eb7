"""`program`: names are checked, accounts recorded, and an external broker explained."""

import json
from pathlib import Path

import pytest

from deploy.local import __main__ as launcher
from deploy.local.broker import write_definitions
from deploy.local.commands import program as command
from deploy.local.errors import LauncherError
from deploy.local.home import Home, write_json
from deploy.local.programs import (
    RESERVED_NOUNS,
    Programs,
    check_name,
    new_program,
    parse_nouns,
)
from deploy.local.secret_store import SecretStore
from deploy.local.session import Session
from deploy.local.settings import Configuration
from deploy.local.stack import SECRET_NAMES
from deploy.rabbitmq.configuration import password_hash
from shared.schemas.events.registry import EVENT_TYPES


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def external_session(home: Home) -> Session:
    """Return a stack that was started once with a broker of somebody else."""
    configuration = Configuration.parse(
        {
            "FREEHOLD_HOME": str(home.path),
            "FREEHOLD_AMQP_URL": "amqp://house:pw@mq.example.com:5673/app%2Fone",
        }
    )
    configuration.record(home)
    write_json(home.running, {"run_dir": "/run/fh", "control_socket": "/run/fh/s.sock"})
    return Session(configuration, home)


@pytest.mark.parametrize(
    ("given", "nouns"),
    [
        ("order,invoice", ("order", "invoice")),
        (" order , order,invoice2_line,", ("order", "invoice2_line")),
        ("", ()),
    ],
)
def test_nouns_are_taken_once_and_in_order(given: str, nouns: tuple[str, ...]) -> None:
    assert parse_nouns(given) == nouns


@pytest.mark.parametrize(
    "given", ["Order", "order.placed", "order.*", "#", "*", "o|user", "_x", "2nd", "a b", "ö"]
)
def test_what_is_no_noun_is_refused(given: str) -> None:
    with pytest.raises(LauncherError, match=r"Not a noun.*\nNext: name what the events are about"):
        parse_nouns(f"order,{given}")


@pytest.mark.parametrize("noun", sorted(RESERVED_NOUNS))
def test_the_houses_nouns_are_refused(noun: str) -> None:
    with pytest.raises(LauncherError, match=f"about {noun} are the house's own.*\nNext: choose"):
        parse_nouns(f"order,{noun}")


def test_every_registered_events_noun_is_the_houses() -> None:
    assert {name.partition(".")[0] for name in EVENT_TYPES} <= RESERVED_NOUNS
    assert {"user", "session", "file", "mail", "job", "auth", "freehold"} <= RESERVED_NOUNS


@pytest.mark.parametrize("name", ["", "Shop", "a.b", "shop.events", "-x", "x" * 41, "a*", "a b"])
def test_a_name_that_could_reach_into_another_is_refused(name: str) -> None:
    with pytest.raises(LauncherError, match="cannot be the name of a program"):
        check_name(name)
    check_name("shop-2_b")


def test_they_are_recorded_for_their_owner_alone_and_without_passwords(home: Home) -> None:
    shop, password = new_program("shop", ("order",))
    Programs.of(home).record(shop)
    till, other = new_program("till", ())
    Programs.of(home).record(till)
    assert Programs.of(home).all() == [shop, till]
    assert home.programs.stat().st_mode & 0o777 == 0o600
    assert password != other
    assert len(password) >= 43
    assert password not in home.programs.read_text()
    assert shop.password_hash == password_hash("program.shop", password)
    Programs.of(home).forget(shop)
    assert Programs.of(home).all() == [till]
    with pytest.raises(LauncherError, match=r"no program 'shop'. There are: till.\nNext: make it"):
        Programs.of(home).get("shop")


def test_the_node_loads_them_at_every_start(home: Home) -> None:
    secrets = SecretStore.of(home, SECRET_NAMES)
    shop, _ = new_program("shop", ("order", "invoice"))
    alone = json.loads(write_definitions(home, secrets).read_text())
    assert not any(user["name"].startswith("program.") for user in alone["users"])
    Programs.of(home).record(shop)
    path = write_definitions(home, secrets)
    assert path.stat().st_mode & 0o777 == 0o600
    definitions = json.loads(path.read_text())
    (user,) = (user for user in definitions["users"] if user["name"] == "program.shop")
    assert (user["password_hash"], user["tags"]) == (shop.password_hash, [])
    (topic,) = definitions["topic_permissions"]
    assert (topic["exchange"], topic["write"]) == (
        "freehold.program.shop",
        r"^(order|invoice)\.[a-z_]+$",
    )


def test_for_an_external_broker_it_prints_what_to_run_there(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    session = external_session(home)
    assert command.make(session, "shop", "order,invoice") == 0
    shown = capsys.readouterr().out
    assert "rabbitmqctl import_definitions program.json" in shown
    document = json.loads(shown[shown.index("\n{") :])
    assert {entry["vhost"] for entry in document["permissions"]} == {"app/one"}
    assert "@mq.example.com:5673/app%2Fone" in shown
    assert "amqp://program.shop:" in shown
    assert "pw@" not in shown
    assert command.listing(session) == 0
    assert capsys.readouterr().out.split() == ["shop", "emits", "order.*,", "invoice.*"]

    assert command.make(session, "shop", "order") == 0
    shown = capsys.readouterr().out
    assert "the one it had" in shown
    assert "(shown this once)" not in shown
    assert "unbind freehold.events from freehold.program.shop for invoice.*" in shown

    assert command.show(session, "shop") == 0
    assert capsys.readouterr().out.startswith("shop emits order.*\n")
    assert command.remove(session, "shop") == 0
    assert "rabbitmqctl delete_user program.shop" in capsys.readouterr().out
    assert command.listing(session) == 0
    assert "no program yet" in capsys.readouterr().out


def test_the_embedded_broker_has_to_run(home: Home) -> None:
    configuration = Configuration.parse({"FREEHOLD_HOME": str(home.path)})
    with pytest.raises(LauncherError, match=r"No stack runs .*\nNext: start it"):
        command.make(Session(configuration, home), "shop", "order")
    assert Programs.of(home).all() == []


def test_the_command_line_names_what_is_missing(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = external_session(home)
    monkeypatch.setattr(launcher.Session, "open", lambda: session)
    assert launcher.main(["program", "--emits", "order"]) == 1
    assert "Which program?\nNext: name it" in capsys.readouterr().err
    assert launcher.main(["program", "shop"]) == 1
    assert "./freehold program shop --emits order,invoice" in capsys.readouterr().err
    assert launcher.main(["program", "shop", "--emits", "user"]) == 1
    assert "the house's own" in capsys.readouterr().err
    assert launcher.main(["program"]) == 0

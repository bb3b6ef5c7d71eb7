"""What the launcher makes of the auth service's words when it asks for an administrator."""

import dataclasses
from pathlib import Path

import pytest

from deploy.local.administrator import make_administrator
from deploy.local.errors import LauncherError
from deploy.local.stack import Stack
from tests.deploy.launcher.test_settings import stack_with

EMAIL = "ada@example.com"
ENABLED = "The account was disabled; now it is enabled again."


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return dataclasses.replace(stack_with(tmp_path), code_root=tmp_path)


def the_service_says(stack: Stack, script: str) -> None:
    stack.interpreter.parent.mkdir(parents=True)
    stack.interpreter.write_text(f"#!/bin/sh\nread password\n{script}\n")
    stack.interpreter.chmod(0o755)


@pytest.mark.parametrize("password", [None, "a given password"])
@pytest.mark.parametrize("remark", ["", ENABLED])
def test_an_account_that_there_is_keeps_or_gets_its_password(
    stack: Stack, password: str | None, remark: str
) -> None:
    the_service_says(stack, f"echo 'administrator promoted: {EMAIL}'; echo '{remark}'")
    made = make_administrator(stack, EMAIL, password)
    assert (made.password, made.remark) == (None, remark)


def test_a_new_account_gets_a_generated_password(stack: Stack) -> None:
    the_service_says(stack, '[ -n "$password" ] && echo "created with $password"')
    made = make_administrator(stack, EMAIL)
    assert made.password is not None
    assert len(made.password) >= 16
    assert made.remark == ""


def test_what_the_service_refuses_is_said_in_its_words(stack: Stack) -> None:
    the_service_says(stack, "echo 'too short' >&2; exit 1")
    with pytest.raises(LauncherError, match="could not be made: too short\nNext: correct that"):
        make_administrator(stack, EMAIL, "short")

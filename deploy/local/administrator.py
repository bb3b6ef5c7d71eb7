"""Makes administrators by the auth service's own command."""

import secrets
import subprocess
from dataclasses import dataclass

from deploy.local.errors import LauncherError
from deploy.local.service_environment import service_environment
from deploy.local.stack import Stack

GENERATED_BYTES = 12


@dataclass(frozen=True, slots=True)
class Made:
    """An administrator who can log in."""

    password: str | None
    """The generated one, if the account is new and none was given."""
    remark: str
    """What else the service said that it did, or nothing."""


def make_administrator(stack: Stack, email: str, password: str | None = None) -> Made:
    """Make or promote an administrator; a given password becomes theirs.

    Without one an existing account keeps its own, and a new one gets a generated password. A
    disabled account is enabled. Raises LauncherError with the service's own words.
    """
    if password is not None:
        return _made(_run(stack, email, password), email, None)
    # Without a password the service promotes, but makes no account.
    promoted = _run(stack, email, "")
    if promoted.returncode == 0:
        return _made(promoted, email, None)
    generated = secrets.token_urlsafe(GENERATED_BYTES)
    return _made(_run(stack, email, generated), email, generated)


def _run(stack: Stack, email: str, password: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [stack.interpreter, "-m", "services.auth", "admin", email],
        env=service_environment(stack, "auth"),
        cwd=stack.code_root,
        input=password + "\n",
        capture_output=True,
        text=True,
        check=False,
    )


def _made(run: "subprocess.CompletedProcess[str]", email: str, generated: str | None) -> Made:
    if run.returncode != 0:
        said = run.stderr.strip() or run.stdout.strip()
        raise LauncherError(
            f"The administrator could not be made: {said}\n"
            f"Next: correct that and run `./freehold admin {email}`."
        )
    # Its first line is what was asked for.
    return Made(generated, " ".join(run.stdout.splitlines()[1:]))

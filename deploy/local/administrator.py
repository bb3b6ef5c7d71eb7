"""Makes administrators by the auth service's own command."""

import secrets
import subprocess

from deploy.local.errors import LauncherError
from deploy.local.service_environment import service_environment
from deploy.local.stack import Stack

GENERATED_BYTES = 12


def make_administrator(stack: Stack, email: str, password: str | None = None) -> str | None:
    """Make or promote an administrator; a given password becomes theirs.

    Without one an existing account keeps its own, and a new one gets a generated password, which
    is returned. Raises LauncherError with the service's own words.
    """
    if password is not None:
        _require_success(_run(stack, email, password), email)
        return None
    # Without a password the service promotes, but makes no account.
    if _run(stack, email, "").returncode == 0:
        return None
    generated = secrets.token_urlsafe(GENERATED_BYTES)
    _require_success(_run(stack, email, generated), email)
    return generated


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


def _require_success(run: "subprocess.CompletedProcess[str]", email: str) -> None:
    if run.returncode != 0:
        said = run.stderr.strip() or run.stdout.strip()
        raise LauncherError(
            f"The administrator could not be made: {said}\n"
            f"Next: correct that and run `./freehold admin {email}`."
        )

"""Makes administrators by the auth service's own command."""

import secrets
import subprocess

from deploy.local.errors import LauncherError
from deploy.local.service_environment import service_environment
from deploy.local.stack import Stack

GENERATED_BYTES = 12
NEW_ACCOUNT = "administrator created"


def generate_password() -> str:
    """Return a password that nobody guesses and that can be typed."""
    return secrets.token_urlsafe(GENERATED_BYTES)


def make_administrator(stack: Stack, email: str, password: str) -> bool:
    """Make or promote an administrator.

    Returns True if the account is new, so that the password is its password; an existing account
    keeps its own. Raises LauncherError with the service's own words.
    """
    run = subprocess.run(
        [stack.interpreter, "-m", "services.auth", "admin", email],
        env=service_environment(stack, "auth"),
        cwd=stack.code_root,
        input=password + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        said = run.stderr.strip() or run.stdout.strip()
        raise LauncherError(
            f"The administrator could not be made: {said}\n"
            f"Next: correct that and run `./freehold admin {email}`."
        )
    return run.stdout.startswith(NEW_ACCOUNT)

"""From a bare checkout to `deploy.local`, running from the virtual environment."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.bootstrap.account import STATE_OF_ROOT, Account, service_account
from deploy.bootstrap.code_root import code_root
from deploy.bootstrap.errors import BootstrapError
from deploy.bootstrap.packages import PYTHON, STACK, TESTS, ensure_packages
from deploy.bootstrap.virtual_environment import ensure_virtual_environment
from deploy.local.arguments import parser

# These run from the checkout: what they need is not copied to where the service user reads.
FROM_THE_CHECKOUT = {"test": "pytest", "bench": "benchmarks"}
# Many tests wait for a server, so two at once take little more than half the time; more processes
# than four gain nothing, because the longest files are then what is left.
ALL_TESTS = ["-n", "logical", "--maxprocesses", "4"]
WITH_TEST_PACKAGES = frozenset({"test", "bench"})
WITH_THE_STACK = frozenset({"up", "test", "bench"})


def main(checkout: Path, arguments: Sequence[str]) -> int:
    """Prepare whatever the command needs, then become it. Returns only if that failed."""
    parsed, further = parser().parse_known_args(arguments)
    if further and parsed.command not in FROM_THE_CHECKOUT:
        parser().error(f"unrecognized arguments: {' '.join(further)}")
    # What root installs has to be readable for the service user, whatever root's own habit is.
    os.umask(0o022)
    try:
        return _launch(checkout, parsed.command, list(arguments))
    except BootstrapError as error:
        print(f"freehold: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nfreehold: interrupted; the next run continues.", file=sys.stderr)
        return 130


def _launch(checkout: Path, command: str, arguments: list[str]) -> int:
    environment = dict(os.environ)
    stack = STACK if command in WITH_THE_STACK else ()
    tests = TESTS if command == "test" else ()
    ensure_packages([PYTHON, *stack, *tests], environment, checkout)
    account = service_account()
    root = code_root(checkout, account)
    lock = "test.lock" if command in WITH_TEST_PACKAGES else "runtime.lock"
    interpreter = ensure_virtual_environment(root, lock, account)
    if command in FROM_THE_CHECKOUT:
        os.chdir(checkout)
        return _become(interpreter, _checkout_command(command, arguments), environment)
    environment["FREEHOLD_HOME"] = str(state_home(environment.get("FREEHOLD_HOME"), checkout))
    os.chdir(root)
    return _become(interpreter, ["-m", "deploy.local", *arguments], environment)


def state_home(chosen: str | None, checkout: Path) -> Path:
    """Return the folder of all state: the chosen one, else one that suits the user."""
    if chosen:
        return Path(chosen).absolute()
    if Account.current().uid == 0:
        return STATE_OF_ROOT
    return checkout / ".freehold"


def _checkout_command(command: str, arguments: list[str]) -> list[str]:
    further = arguments[arguments.index(command) + 1 :]
    if command == "test" and not further:
        further = ALL_TESTS
    module = FROM_THE_CHECKOUT[command]
    if command == "bench" and further and not further[0].startswith("-"):
        module, further = f"{module}.{further[0]}", further[1:]
    return ["-m", module, *further]


def _become(interpreter: Path, arguments: list[str], environment: dict[str, str]) -> int:
    sys.stderr.flush()
    os.execve(interpreter, [str(interpreter), *arguments], environment)  # noqa: S606 - no shell is wanted

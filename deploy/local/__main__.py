"""`python -m deploy.local COMMAND`, which `./freehold` becomes."""

import argparse
import os
import sys

from deploy.bootstrap.errors import BootstrapError
from deploy.local.arguments import parser
from deploy.local.commands import config, observe, operate, program
from deploy.local.commands.up import up
from deploy.local.errors import LauncherError
from deploy.local.session import Session
from deploy.local.supervisor.control import ControlError

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status; what went wrong is said on stderr."""
    try:
        return _run(parser().parse_args(arguments))
    except (LauncherError, BootstrapError, ControlError) as error:
        print(f"freehold: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"freehold: {error.filename} belongs to another user.\n"
            "Next: run this as the user that ran `up` (as root for a stack that root started).",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough; flushing at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(parsed: argparse.Namespace) -> int:
    if parsed.command == "up":
        return up(detach=parsed.detach)
    if parsed.command == "down":
        return operate.down(Session.open(home_only=True))
    session = Session.open()
    commands = {
        "status": lambda: observe.status(session, as_json=parsed.json),
        "scale": lambda: operate.scale(session, parsed.instances),
        "restart": lambda: operate.restart(session, parsed.service),
        "logs": lambda: observe.logs(session, parsed.service, follow=parsed.follow),
        "inbox": lambda: observe.inbox(session, parsed.to, as_json=parsed.json),
        "admin": lambda: operate.admin(
            session, parsed.email, password_from_stdin=parsed.password_stdin
        ),
        "program": lambda: _program(session, parsed),
        "config": lambda: config.check(session) if parsed.action == "check" else config.doc(),
    }
    return commands[parsed.command]()


def _program(session: Session, parsed: argparse.Namespace) -> int:
    if parsed.name is None:
        if parsed.emits is not None or parsed.remove:
            raise LauncherError(
                "Which program?\nNext: name it, as in `./freehold program shop --emits order`."
            )
        return program.listing(session)
    if parsed.remove:
        return program.remove(session, parsed.name)
    if parsed.emits is not None:
        return program.make(session, parsed.name, parsed.emits)
    return program.show(session, parsed.name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`down`, `scale`, `restart`, `admin`: what changes a running stack."""

import sys
from collections.abc import Sequence

from deploy.local.administrator import make_administrator
from deploy.local.errors import LauncherError
from deploy.local.session import Session
from deploy.local.stop import stop_stack


def down(session: Session) -> int:
    """Stop everything in order. That nothing runs is no failure: it is what was asked for."""
    client = session.client()
    if client is None:
        print("Nothing was running.")
        return 0
    stop_stack(session.home, client)
    print("Stopped. All data is kept; `./freehold up` brings it back.")
    return 0


def scale(session: Session, instances: Sequence[tuple[str, int]]) -> int:
    """Set numbers of instances; returns when the new ones serve and the old ones are gone."""
    session.require_client().scale(dict(instances))
    print(", ".join(f"{name}: {number}" for name, number in instances))
    return 0


def restart(session: Session, service: str | None) -> int:
    """Replace instances one by one, each by one that is ready before it goes."""
    session.require_client().restart(service)
    print(f"Restarted {service or 'all services'}.")
    return 0


def admin(session: Session, email: str, *, password_from_stdin: bool) -> int:
    """Make or promote an administrator."""
    session.require_client()
    password = _password_from_stdin() if password_from_stdin else None
    made = make_administrator(session.recorded_stack(), email, password)
    if password is not None:
        print(f"{email} is an administrator now, with the given password.")
    elif made.password is not None:
        print(f"{email} is an administrator now. Password (shown this once): {made.password}")
    else:
        print(f"{email} is an administrator now, with the password it had.")
    if made.remark:
        print(made.remark)
    return 0


def _password_from_stdin() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise LauncherError(
            "No password came from standard input.\n"
            "Next: `printf '%s\\n' \"$PASSWORD\" | ./freehold admin EMAIL --password-stdin`"
        )
    return password

"""`up`: from checked settings to a stack that answers."""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from deploy.bootstrap.account import service_account
from deploy.bootstrap.progress import step
from deploy.local.administrator import make_administrator
from deploy.local.commands.observe import current_report
from deploy.local.home import read_json, write_json
from deploy.local.plan import make_plan
from deploy.local.ports import require_free
from deploy.local.session import Session, make_private
from deploy.local.settings import OperatorSettings
from deploy.local.stack import Stack
from deploy.local.start import start_supervisor, wait_for_answer, wait_until_ready
from deploy.local.stop import one_at_a_time, stop_stack
from deploy.local.supervisor.control import Client, NotRunning

RECONNECT_SECONDS = 5.0
POLL_SECONDS = 0.5


def up(*, detach: bool) -> int:
    """Start what is not running, wait until it answers, print where everything is.

    Without `detach` it stays, shows changes of state, and stops the stack on Ctrl-C or SIGTERM.
    """
    session, run_dir = Session.prepare()
    with one_at_a_time(session.home):
        client = session.client()
        is_new = client is None
        if client is None:
            stack = _configure(session, run_dir)
            client = start_supervisor(stack)
        else:
            _report_differences(session)
            stack = session.recorded_stack()
    if detach or not is_new:
        _become_ready(client, stack)
        print_addresses(stack, is_new=is_new)
        _print_failing(session, client)
        return 0
    with _stop_signals():
        try:
            _become_ready(client, stack)
            print_addresses(stack, is_new=True)
            _print_failing(session, client)
            print("  Ctrl-C stops it.\n", flush=True)
            _stay(client)
        except KeyboardInterrupt:
            print("\nStopping …", flush=True)
            stop_stack(session.home, client)
            print("Stopped.", flush=True)
    return 0


def _configure(session: Session, run_dir: Path) -> Stack:
    home = session.home
    _report_differences(session)
    make_private(run_dir, service_account())
    home.make_folders()
    session.given.record(home)
    stack = Stack.of(home, session.given, run_dir, Path.cwd())
    require_free(
        stack.ports.by_owner(embedded=set(session.given.embedded)),
        session.given.operator.port,
        home.path,
        run_dir,
    )
    with step(f"configuration written to {home.path}"):
        make_plan(stack).save(home.plan)
        write_json(
            home.running,
            {"run_dir": str(run_dir), "control_socket": str(stack.control_socket)},
        )
    return stack


def _become_ready(client: Client, stack: Stack) -> None:
    started = time.monotonic()
    wait_until_ready(client, stack.home)
    wait_for_answer(stack.configuration.operator.port)
    print(f"  ✓ answers requests ({time.monotonic() - started:.1f} s in all)", file=sys.stderr)


def _report_differences(session: Session) -> None:
    changed = session.differences()
    if not changed:
        return
    if session.client() is None:
        print(f"  Changed since the last start: {', '.join(changed)}", file=sys.stderr)
    else:
        print(
            f"  The stack runs already, with other settings: {', '.join(changed)} "
            f"{'differs' if len(changed) == 1 else 'differ'}.\n"
            "  Next: `./freehold down` and `up` again to apply them.",
            file=sys.stderr,
        )


def print_addresses(stack: Stack, *, is_new: bool) -> None:
    """Print where everything is; make the first administrator if there is none yet."""
    operator = stack.configuration.operator
    lines = [
        "",
        "Freehold is ready." if is_new else "Freehold was running already; nothing was changed.",
        f"  public address   {operator.public_address}",
        *_listening(operator),
        f"  Prometheus       http://127.0.0.1:{stack.ports.prometheus}",
        f"  state            {stack.home.path}",
    ]
    if "inbox" in stack.configuration.embedded:
        lines.append("  mails            ./freehold inbox (kept here, delivered to nobody)")
    lines += _first_administrator(stack)
    if operator.limits == "off":
        lines.append("  warning          FREEHOLD_LIMITS=off: request limits are lifted")
    lines.append("  more             ./freehold status, logs, scale, down")
    print("\n".join(lines), flush=True)


def _listening(operator: OperatorSettings) -> list[str]:
    """Return where nginx is, if that is not the public address: somebody's proxy needs it."""
    address = f"http://{operator.listen_address}:{operator.port}"
    if address == operator.public_address:
        return []
    return [f"  nginx listens    {address}"]


def _print_failing(session: Session, client: Client) -> None:
    """Print what processes that run say they cannot do, such as to reach the mail server."""
    for part in current_report(session, client)["parts"]:
        if part["state"] == "failed":
            told = f"  ✗ {part['name']}: {part.get('problem', 'failed')}"
            print(
                f"{told}\n    next: {part.get('next_step', 'see `./freehold status`')}", flush=True
            )


def _first_administrator(stack: Stack) -> list[str]:
    if read_json(stack.home.administrator) is not None:
        return []
    email = stack.configuration.operator.admin_email
    made = make_administrator(stack, email)
    write_json(stack.home.administrator, {"email": email})
    shown = "with the password it had"
    if made.password is not None:
        shown = f"password {made.password} (shown this once)"
    remark = [f"                   {made.remark}"] if made.remark else []
    return [f"  administrator    {email}, {shown}", *remark]


def _stay(client: Client) -> None:
    """Print changes of state until the stack is stopped, by whomever."""
    known: dict[str, str] = {}
    given_up_at: float | None = None
    while given_up_at is None or time.monotonic() < given_up_at:
        with contextlib.suppress(NotRunning):
            for event in client.events():
                given_up_at = None
                if "name" in event:
                    _print_change(event, known)
        # A supervisor that was killed is replaced within a second or two.
        given_up_at = given_up_at or time.monotonic() + RECONNECT_SECONDS
        time.sleep(POLL_SECONDS)
    print("The stack was stopped.", flush=True)


def _print_change(event: dict[str, str], known: dict[str, str]) -> None:
    name, state = event["name"], event["state"]
    before = known.get(name)
    known[name] = state
    if before is None or before == state:
        return
    problem = f": {event['problem']}" if event.get("problem") else ""
    now = time.strftime("%H:%M:%S")
    print(f"  {now} {name} {before} → {state}{problem}", flush=True)


@contextlib.contextmanager
def _stop_signals() -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C is, and let SIGINT work where a shell has it ignored."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

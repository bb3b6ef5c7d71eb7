import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show a step on stderr while it runs and the seconds that it took.

    stderr, because the answer of a command (`status --json`) belongs to stdout alone.
    """
    started = time.monotonic()
    on_terminal = sys.stderr.isatty()
    if on_terminal:
        print(f"  … {what}", end="", flush=True, file=sys.stderr)
    try:
        yield
    except BaseException:
        _finish("✗", what, started, on_terminal=on_terminal)
        raise
    _finish("✓", what, started, on_terminal=on_terminal)


def _finish(sign: str, what: str, started: float, *, on_terminal: bool) -> None:
    start_of_line = "\r" if on_terminal else ""
    seconds = time.monotonic() - started
    print(f"{start_of_line}  {sign} {what} ({seconds:.1f} s)", flush=True, file=sys.stderr)

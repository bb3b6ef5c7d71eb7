"""`config check` and `config doc`."""

import textwrap

from deploy.local.session import Session
from deploy.local.settings import documentation

WIDTH = 88


def check(session: Session) -> int:
    """Say what is set. Wrong settings have been refused before this is reached."""
    for name in sorted(session.given.variables):
        print(f"{name} is valid.")
    embedded = ", ".join(sorted(session.given.embedded))
    print(f"The settings are valid. Runs here: {embedded}.")
    return 0


def doc() -> int:
    """Print every setting with its default and its meaning."""
    for name, default, meaning in documentation():
        print(f"{name}  (default: {default})")
        print(textwrap.fill(meaning, WIDTH, initial_indent="    ", subsequent_indent="    "))
    return 0

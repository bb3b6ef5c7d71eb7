"""What the fault runs counted, shown to a person at the end."""

from collections.abc import Callable

import pytest

SHOWN = pytest.StashKey[list[str]]()


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give a function that shows a table, both at once (with -s) and in the final report."""
    shown = request.config.stash.setdefault(SHOWN, [])

    def show_table(table: str) -> None:
        print(f"\n{table}")
        shown.append(f"{request.node.name}\n{table}")

    return show_table


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the tables of all fault runs."""
    for table in config.stash.get(SHOWN, []):
        terminalreporter.section("counted under fire")
        terminalreporter.write_line(table)

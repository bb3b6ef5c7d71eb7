"""What is said when a server that a setting names cannot be used."""

from deploy.local.errors import LauncherError

CONNECT_TIMEOUT_SECONDS = 5.0
"""For one try; the supervisor tries again without end."""


def unusable(variable: str, server: str, what: str) -> LauncherError:
    """Return an error for `server`, as host and port; `what` ends the sentence about it."""
    return LauncherError(
        f"{variable} names {server}, which {what}.\n"
        f"Next: put that server right, it is tried again every few seconds; or correct {variable}, "
        "then run `./freehold down` and `./freehold up`."
    )

"""The scopes of API keys: every one that there is, and which an administrator alone gives away."""

import difflib
import re
from typing import Final

FILES_READ: Final = "files:read"
FILES_WRITE: Final = "files:write"
REALTIME: Final = "realtime"
JOBS: Final = "jobs"
EVENTS: Final = "events"

SCOPES: Final = (
    FILES_READ,
    FILES_WRITE,
    REALTIME,
    JOBS,
    f"{JOBS}:<queue>",
    f"{JOBS}:<queue>:enqueue",
    f"{JOBS}:<queue>:work",
    EVENTS,
    f"{EVENTS}:<noun>",
)
"""All of them; what stands in angle brackets is a name of the owner's."""
ADMINISTRATORS_FAMILIES: Final = frozenset({JOBS, EVENTS})
"""The first words of scopes that reach everybody's queues and events, not just one's own things."""

_NAMES: Final = {
    "<queue>": re.compile(r"[a-z0-9][a-z0-9_-]{0,62}"),
    "<noun>": re.compile(r"[a-z][a-z0-9_-]{0,62}"),
}


def is_for_administrators(scope: str) -> bool:
    """Tell whether a key has this scope only while its owner is an administrator.

    >>> [is_for_administrators(scope) for scope in ("jobs:orders:work", "files:read")]
    [True, False]
    """
    return scope.partition(":")[0] in ADMINISTRATORS_FAMILIES


def require_known(scope: str) -> str:
    """Return the scope. Raises ValueError for one that there is not, and names the nearest.

    >>> require_known("jobs:orders:work")
    'jobs:orders:work'
    >>> require_known("jobs:orders:wrok")
    Traceback (most recent call last):
    ValueError: there is no scope `jobs:orders:wrok`; the nearest is `jobs:orders:work`
    """
    candidates = [_filled(form, scope) for form in SCOPES]
    if scope in candidates and "<" not in scope:
        return scope
    nearest = difflib.get_close_matches(scope, candidates, n=1)
    hint = f"the nearest is `{nearest[0]}`" if nearest else f"there are {listed(SCOPES)}"
    raise ValueError(f"there is no scope `{scope}`; {hint}")


def listed(scopes: tuple[str, ...]) -> str:
    """Return the scopes as a text shows them.

    >>> listed((FILES_READ, JOBS))
    '`files:read`, `jobs`'
    """
    return ", ".join(f"`{scope}`" for scope in scopes)


def _filled(form: str, scope: str) -> str:
    """Return a form with the names that a scope has in its places, as far as they are names."""
    given = scope.split(":")
    words = form.split(":")
    for place, word in enumerate(words[: len(given)]):
        if word in _NAMES and _NAMES[word].fullmatch(given[place]):
            words[place] = given[place]
    return ":".join(words)

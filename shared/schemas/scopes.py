"""Scopes of API keys that only an administrator may give away."""

from typing import Final

ADMINISTRATORS_FAMILIES: Final = frozenset({"jobs", "events"})
"""The first words of scopes that reach everybody's queues and events, not just one's own things."""


def is_for_administrators(scope: str) -> bool:
    """Tell whether a key has this scope only while its owner is an administrator.

    >>> [is_for_administrators(scope) for scope in ("jobs:orders:work", "files:read")]
    [True, False]
    """
    return scope.partition(":")[0] in ADMINISTRATORS_FAMILIES

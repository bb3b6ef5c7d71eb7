"""Old events in today's shape: what an earlier release wrote is brought up to date when read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Upcaster: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the data of one version and returns that of the next."""

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = MappingProxyType({})
"""By event type and the version it starts from. Every type is in its first version today."""


class NewerVersion(Exception):  # noqa: N818 - what it is
    """The event was written by a later release than this one, which cannot read it yet."""


def upcast(
    event_type: str,
    version: int,
    current: int,
    data: dict[str, Any],
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> dict[str, Any]:
    """Return an event's data in the current version, step by step.

    Raises NewerVersion for data of a later release, LookupError where a step is missing.
    """
    if version > current:
        raise NewerVersion(
            f"{event_type} came in version {version}, and this release knows {current}: "
            "finish the upgrade, then retry it"
        )
    for step in range(version, current):
        if (event_type, step) not in upcasters:
            raise LookupError(f"nothing brings {event_type} from version {step} to {step + 1}")
        data = upcasters[event_type, step](data)
    return data

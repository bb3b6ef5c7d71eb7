"""Who may do what with queues and events of applications: the only place that decides it.

Administrators may do all of it in their own sessions. An API key may do what its scopes say:
`jobs` means every queue of an application, `jobs:<queue>` one, `jobs:<queue>:enqueue` and
`jobs:<queue>:work` half of that; `events` means every registered type, `events:<noun>` those of one
noun. A user's session may do nothing here.
"""

from enum import StrEnum

from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.problems import ProblemCode
from shared.schemas.scopes import EVENTS, JOBS


class Right(StrEnum):
    """What a caller wants of a queue. Whoever has either may look at its jobs."""

    ENQUEUE = "enqueue"
    WORK = "work"


def require_administrator(identity: Identity) -> None:
    """Raise Problem `administrator_required` unless an administrator asks in a session."""
    if not identity.is_administrator:
        raise Problem(ProblemCode.ADMINISTRATOR_REQUIRED)


def require_right(identity: Identity, right: Right, queue: str) -> None:
    """Raise Problem unless the caller may enqueue into the queue, or work on it."""
    _require(identity, (JOBS, f"{JOBS}:{queue}", f"{JOBS}:{queue}:{right.value}"))


def require_worker(identity: Identity) -> None:
    """Raise Problem unless the caller may work on some queue; its claims say on which jobs."""
    working = (
        scope
        for scope in identity.scopes or ()
        if scope.startswith(f"{JOBS}:") and not scope.endswith(f":{Right.ENQUEUE.value}")
    )
    _require(identity, (JOBS, *working, f"{JOBS}:<queue>:{Right.WORK.value}"))


def require_sight(identity: Identity, queue: str) -> None:
    """Raise Problem unless the caller may look at the jobs of the queue."""
    if not is_of_an_application(queue):
        require_administrator(identity)
    rights = (f"{JOBS}:{queue}:{right.value}" for right in Right)
    _require(identity, (JOBS, *rights, f"{JOBS}:{queue}"))


def may_see(identity: Identity, queue: str) -> bool:
    """Tell whether the caller may know that the queue has a job."""
    try:
        require_sight(identity, queue)
    except Problem:
        return False
    return True


def require_emission(identity: Identity, event_type: str) -> None:
    """Raise Problem unless the caller may emit events of the type."""
    _require(identity, (EVENTS, f"{EVENTS}:{event_type.partition('.')[0]}"))


def is_of_an_application(queue: str) -> bool:
    """Tell a queue of an application from one inside a service, which has a dot in its name."""
    return "." not in queue


def _require(identity: Identity, scopes: tuple[str, ...]) -> None:
    if identity.is_administrator:
        return
    if identity.scopes is None:
        raise Problem(
            ProblemCode.ADMINISTRATOR_REQUIRED,
            "Use an administrator's session, or an API key of an administrator with the scope "
            f"`{scopes[-1]}`.",
        )
    if identity.scopes.isdisjoint(scopes):
        raise Problem(
            ProblemCode.SCOPE_MISSING,
            f"The API key lacks the scope `{scopes[-1]}`.",
        )

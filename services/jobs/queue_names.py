"""Names of queues as administrators know them: a dot tells those inside services."""

import re
from typing import Final

from services.jobs.house import HOUSE_SERVICES
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

OWN_SERVICE: Final = "jobs"
_APPLICATION: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_INNER: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


def owner_of(queue: str) -> str:
    """Return the service that has a queue. Raises Problem `queue_invalid`.

    Queues of applications, and those of webhooks, are in this service's own schema.
    """
    if _APPLICATION.fullmatch(queue):
        return OWN_SERVICE
    service, _, inner = queue.partition(".")
    if service not in (*HOUSE_SERVICES, OWN_SERVICE) or not _INNER.fullmatch(inner):
        raise Problem(ProblemCode.QUEUE_INVALID)
    return service

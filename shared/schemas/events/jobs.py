"""Events about jobs."""

from typing import ClassVar
from uuid import UUID

from shared.schemas.events.envelope import EventData


class JobFailed(EventData):
    """A job ended without success: its last attempt failed, or it can never be done."""

    event_type: ClassVar[str] = "job.failed"
    job_id: UUID
    queue: str
    kind: str
    attempts: int
    cause: str

"""The jobs API: jobs of applications, queues, schedules and dead letters."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from shared.schemas.api.inputs import KEEPABLE, PRINTABLE, Input, Instant, Spelling

LONGEST_DELAY_SECONDS: Final = 10 * 366 * 24 * 3600
MOST_SUCCESSORS: Final = 10
COUNTED_AT_MOST: Final = 10_000


_NAME: Final = Spelling(
    r"^[a-z0-9][a-z0-9_-]{0,62}$",
    "Send 1 to 63 of a-z, 0-9, `_` and `-`, a letter or a digit first.",
)
ApplicationQueue = Annotated[
    str,
    _NAME,
    Field(description="Queue of an application: 1 to 63 of a-z, 0-9, `_` and `-`"),
]
QueueName = Annotated[
    str, Field(description="An application's queue, or `<service>.<queue>` for one of the house")
]
Kind = Annotated[
    str,
    Spelling(
        r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$",
        "Send 1 to 100 letters, digits, `_`, `.`, `:` and `-`, a letter or a digit first.",
    ),
    Field(description="What is to be done, a name the workers know"),
]
Priority = Annotated[
    int, Field(ge=-32768, le=32767, description="Smaller runs first; 0 unless given")
]
Attempts = Annotated[
    int, Field(ge=1, le=100, description="Failures allowed, the last one included")
]
LeaseToken = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="As the claim gave it; without one, the caller's own claim is meant",
    ),
    PRINTABLE,
]


class JobState(StrEnum):
    """How far a job is."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobCreate(Input):
    """Queue a job."""

    queue: ApplicationQueue
    kind: Kind
    payload: Any = Field(default=None, description="Any JSON value of up to 256 KiB")
    run_at: Instant | None = Field(
        default=None, description="Not before this instant; one that has passed means at once"
    )
    delay_seconds: float | None = Field(
        default=None, ge=0, le=LONGEST_DELAY_SECONDS, description="Not before that long from now"
    )
    unique: Annotated[str, Field(min_length=1, max_length=200), KEEPABLE] | None = Field(
        default=None,
        description="Nothing is queued while a job of the queue with this key waits or runs",
    )
    unique_for_seconds: float | None = Field(
        default=None,
        ge=1,
        le=LONGEST_DELAY_SECONDS,
        description="The key holds at least that long, also when its job has ended",
    )
    attempts: Attempts = 3
    priority: Priority = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.run_at is not None and self.delay_seconds is not None:
            raise ValueError("Send `run_at` or `delay_seconds`, not both.")
        if self.unique_for_seconds is not None and self.unique is None:
            raise ValueError("Send `unique` with `unique_for_seconds`.")
        return self


class JobAccepted(BaseModel):
    """The job is stored, or one with its unique key was there already."""

    id: UUID = Field(description="The new job's, or the one's that holds the unique key")
    inserted: bool = Field(description="False when nothing was queued because of the key")


class JobError(BaseModel):
    """Why one attempt failed."""

    at: datetime
    error: str


class JobSummary(BaseModel):
    """A job in a list, without what may be large."""

    id: UUID
    queue: QueueName
    kind: str
    state: JobState
    priority: int = Field(description="Smaller runs first")
    attempts: int = Field(description="Attempts begun")
    max_attempts: int
    run_at: datetime = Field(description="When it may run next, or might when it last ran")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    last_error: str | None = Field(description="The first 200 characters of the last failure")


class Job(BaseModel):
    """A job with all that is known of it."""

    id: UUID
    queue: QueueName
    kind: str
    payload: Any
    state: JobState
    priority: int = Field(description="Smaller runs first")
    attempts: int = Field(description="Attempts begun")
    max_attempts: int
    run_at: datetime = Field(description="When it may run next, or might when it last ran")
    progress: Any = Field(description="What its worker last reported, any JSON value")
    result: Any = Field(description="What its worker left when it completed it")
    errors: list[JobError] = Field(description="One for each failed attempt, oldest first")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ClaimRequest(Input):
    """Take due jobs to work on."""

    queue: ApplicationQueue
    limit: int = Field(default=1, ge=1, le=100, description="Jobs at most")
    wait_seconds: float = Field(
        default=0, ge=0, le=30, description="Wait that long for a job when there is none"
    )
    lease_seconds: float = Field(
        default=25,
        ge=5,
        le=3600,
        description="Without a heartbeat in that time the job is given to another worker",
    )


class ClaimedJob(Job):
    """A job that the caller holds until its lease runs out."""

    lease_token: str = Field(description="Send it back with heartbeat, complete and fail")
    lease_until: datetime


class ClaimedJobs(BaseModel):
    """What a claim got, in the order to work in; empty when no job was due."""

    items: list[ClaimedJob]


class HeartbeatRequest(Input):
    """Keep a claimed job for another lease."""

    lease_token: LeaseToken | None = None
    lease_seconds: float | None = Field(
        default=None, ge=5, le=3600, description="A new length; as before when left out"
    )
    progress: Any = Field(default=None, description="How far it got: JSON of up to 64 KiB")


class Lease(BaseModel):
    """The job is still the caller's."""

    lease_until: datetime


class CompleteRequest(Input):
    """The job is done."""

    lease_token: LeaseToken | None = None
    result: Any = Field(default=None, description="Any JSON value of up to 64 KiB")
    then: list[JobCreate] = Field(
        default=[],
        max_length=MOST_SUCCESSORS,
        description="Jobs that follow: queued if, and only if, this one is completed",
    )


class JobCompleted(BaseModel):
    """The job is completed and what follows it is queued."""

    then: list[JobAccepted] = Field(description="One for each successor, in the order given")


class FailRequest(Input):
    """The attempt failed."""

    error: str = Field(
        min_length=1, max_length=20_000, description="Why; the first 2000 characters are kept"
    )
    lease_token: LeaseToken | None = None
    retry_in_seconds: float | None = Field(
        default=None,
        ge=0,
        le=LONGEST_DELAY_SECONDS,
        description="Wait before the next attempt; left out, it doubles with each, with jitter",
    )
    permanent: bool = Field(default=False, description="Trying again would be pointless")


class JobFailedAttempt(BaseModel):
    """What becomes of the job."""

    state: JobState = Field(description="`scheduled` to be tried again, or `failed`")


class QueueDepths(BaseModel):
    """Jobs by state. Counting stops at 10,000, which then means that many or more."""

    scheduled: int
    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int


class QueueSettings(BaseModel):
    """What a queue allows and keeps."""

    concurrency: int | None = Field(description="Jobs running at once over all workers, or any")
    rate_limit: int | None = Field(description="Jobs started in each period, or any number")
    rate_period_seconds: float
    keep_completed: int = Field(description="Completed jobs kept, the newest")
    keep_failed: int = Field(description="Failed jobs kept, and as many cancelled ones")


class QueueSettingsUpdate(Input):
    """Change a queue's settings; fields left out stay, null lifts a limit."""

    concurrency: int | None = Field(default=None, ge=1, le=100_000)
    rate_limit: int | None = Field(default=None, ge=1, le=1_000_000)
    rate_period_seconds: float = Field(default=1, ge=0.1, le=86_400)
    keep_completed: int = Field(default=100, ge=0, le=100_000)
    keep_failed: int = Field(default=50, ge=0, le=100_000)


class QueueInfo(BaseModel):
    """A queue as it stands."""

    name: QueueName
    paused: bool = Field(description="No job is started; those running go on")
    depths: QueueDepths
    oldest_age_seconds: float = Field(description="Since the oldest waiting job was due; 0 if none")
    settings: QueueSettings


class JobsRetried(BaseModel):
    """How many failed jobs are queued again."""

    retried: int
    left: int = Field(description="Left alone: another job holds their unique key")


class ScheduleDefinition(Input):
    """What a schedule has queued, and when."""

    cron: str = Field(
        min_length=9,
        max_length=100,
        description="Five fields: minute, hour, day of month, month, day of week",
        examples=["30 6 * * MON-FRI"],
    )
    timezone: str = Field(
        default="UTC", min_length=1, max_length=64, description="A name such as `Europe/Berlin`"
    )
    queue: ApplicationQueue
    kind: Kind
    payload: Any = Field(default=None, description="Any JSON value of up to 256 KiB")
    attempts: Attempts = 3
    priority: Priority = 0


class ScheduleCreate(ScheduleDefinition):
    """Have a job queued again and again; one of the same name is replaced."""

    name: Annotated[str, _NAME] = Field(description="1 to 63 of a-z, 0-9, `_` and `-`")


class Schedule(BaseModel):
    """A job that is queued again and again."""

    name: str
    cron: str
    timezone: str
    queue: QueueName
    kind: str
    payload: Any
    max_attempts: int
    priority: int
    declared: bool = Field(description="It stands in a service's code and cannot be changed here")
    next_run_at: datetime
    last_run_at: datetime | None


class DeadLetter(BaseModel):
    """An event that a consumer could not take."""

    id: str = Field(description="Names it in the paths of this API")
    service: str
    consumer: str
    event_id: UUID
    event_type: str
    attempts: int
    cause: str = Field(description="Why the last attempt failed")
    body: Any = Field(description="The event as it came")
    parked_at: datetime
    retryable: bool = Field(description="False for what no consumer can read, such as broken JSON")


class DeadLetterSelection(Input):
    """Dead letters of one consumer."""

    service: Annotated[
        str,
        Field(min_length=1, max_length=63),
        Spelling(r"^[a-z]+$", "Send the name of a service, such as `mail`."),
    ]
    consumer: Annotated[str, Field(min_length=1, max_length=200), PRINTABLE] = Field(
        description="Such as `mail.events`"
    )
    type: Annotated[str, Field(min_length=1, max_length=200), PRINTABLE] | None = Field(
        default=None, description="Only those of this event type"
    )


class DeadLettersRetried(BaseModel):
    """How many dead letters were given to their consumers again."""

    retried: int


class DeadLettersDiscarded(BaseModel):
    """How many dead letters were deleted."""

    discarded: int

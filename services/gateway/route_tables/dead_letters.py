"""Events that a consumer could not take: what the jobs service offers of them."""

from typing import Final

from services.gateway.route import PAGING, Access, Json, Route
from shared.schemas.api import jobs
from shared.schemas.api.pages import HousePage

_FILTERS: Final[tuple[Json, ...]] = tuple(
    {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "string"},
    }
    for name, description in (
        ("service", "Only those that rest in this service"),
        ("consumer", "Only of this consumer's queue, such as `mail.events`"),
        ("type", "Only of this event type"),
    )
)

DEAD_LETTER_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/dead-letters",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="List the events that consumers gave up on, newest first",
        answer=HousePage[jobs.DeadLetter],
        parameters=(*_FILTERS, *PAGING),
    ),
    Route(
        method="POST",
        path="/v1/dead-letters/retry",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Give all dead letters of a consumer to it again",
        request=jobs.DeadLetterSelection,
        answer=jobs.DeadLettersRetried,
    ),
    Route(
        method="POST",
        path="/v1/dead-letters/discard",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Delete all dead letters of a consumer, or those of one type",
        request=jobs.DeadLetterSelection,
        answer=jobs.DeadLettersDiscarded,
    ),
    Route(
        method="GET",
        path="/v1/dead-letters/{dead_letter_id}",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Read a dead letter with the event and why it was given up",
        answer=jobs.DeadLetter,
    ),
    Route(
        method="DELETE",
        path="/v1/dead-letters/{dead_letter_id}",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Discard a dead letter",
        status=204,
    ),
    Route(
        method="POST",
        path="/v1/dead-letters/{dead_letter_id}/retry",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Give a dead letter to its consumer again",
        answer=jobs.DeadLettersRetried,
    ),
)

"""Events that applications emit: what the jobs service offers of them."""

from typing import Final

from services.gateway.route import IDEMPOTENCY_KEY, PAGING, Access, Route
from shared.schemas.api import events
from shared.schemas.api.pages import Page

EVENT_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/events",
        service="jobs",
        access=Access.USER,
        summary="Emit an event of a registered type; its data are checked by the type's schema",
        status=202,
        request=events.EventCreate,
        answer=events.EventAccepted,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path="/v1/events/types",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="List the registered event types by name",
        answer=Page[events.EventType],
        parameters=PAGING,
    ),
    Route(
        method="PUT",
        path="/v1/events/types/{type}",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Register an event type with its JSON Schema; a changed one is a new version",
        request=events.EventTypeDefinition,
        answer=events.EventType,
    ),
    Route(
        method="GET",
        path="/v1/events/types/{type}",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Read an event type and its JSON Schema",
        answer=events.EventType,
    ),
    Route(
        method="DELETE",
        path="/v1/events/types/{type}",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Forget an event type; nobody can emit it any more",
        status=204,
    ),
)

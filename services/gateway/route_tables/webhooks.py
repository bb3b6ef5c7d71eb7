"""Telling other programs of events by HTTP: what the jobs service offers of it."""

from typing import Final

from services.gateway.route import IDEMPOTENCY_KEY, PAGING, Access, Route
from shared.schemas.api import webhooks
from shared.schemas.api.pages import Page

_ONE: Final = "/v1/webhooks/{webhook_id}"

WEBHOOK_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/webhooks",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Have an address told of events; its secret is shown this once",
        status=201,
        request=webhooks.WebhookCreate,
        answer=webhooks.WebhookWithSecret,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path="/v1/webhooks",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="List the webhooks, newest first",
        answer=Page[webhooks.Webhook],
        parameters=PAGING,
    ),
    Route(
        method="GET",
        path=_ONE,
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Read a webhook",
        answer=webhooks.Webhook,
    ),
    Route(
        method="PATCH",
        path=_ONE,
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Change a webhook; fields left out stay as they are",
        request=webhooks.WebhookUpdate,
        answer=webhooks.Webhook,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Delete a webhook; nothing more is sent to it",
        status=204,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/secret/rotate",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Make a new secret, shown this once; the one before is good for a day",
        answer=webhooks.WebhookWithSecret,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/test",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Send a test message",
        status=202,
        answer=webhooks.WebhookDelivery,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/deliveries",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="List what was sent to a webhook and how it was answered, newest first",
        answer=Page[webhooks.WebhookDelivery],
        parameters=PAGING,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/deliveries/{{delivery_id}}/retry",
        service="jobs",
        access=Access.ADMINISTRATOR,
        summary="Send a delivery again now",
        status=202,
        answer=webhooks.WebhookDelivery,
    ),
)

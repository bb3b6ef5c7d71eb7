"""What the gateway itself answers."""

from typing import Final

from services.gateway.route import JSON_OBJECT, TEXT, Access, Route

GATEWAY_ROUTES: Final = (
    Route(
        method="GET",
        path="/healthz",
        service="gateway",
        access=Access.PUBLIC,
        summary="Tell whether the gateway runs",
        answer_contents=JSON_OBJECT,
    ),
    Route(
        method="GET",
        path="/readyz",
        service="gateway",
        access=Access.PUBLIC,
        summary="Tell whether every service is ready; 503 names those that are not",
        answer_contents=JSON_OBJECT,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        service="gateway",
        access=Access.PUBLIC,
        summary="Read this API as an OpenAPI 3.1 document",
        answer_contents=JSON_OBJECT,
    ),
    Route(
        method="GET",
        path="/docs",
        service="gateway",
        access=Access.PUBLIC,
        summary="Read this API as a page",
        answer_contents={"text/html": TEXT},
    ),
)

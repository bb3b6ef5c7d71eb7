"""The API's description, for programs and for people."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.gateway.documentation import DocumentationPage


class DocumentRoutes:
    """`/openapi.json` and `/docs`, both made once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = json.dumps(document, ensure_ascii=False).encode()
        self._page = DocumentationPage(document)

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
        ]

    async def openapi(self, _: Request) -> Response:
        """Answer with the OpenAPI document."""
        return Response(
            self._document, media_type="application/json", headers={"Cache-Control": "no-cache"}
        )

    async def docs(self, _: Request) -> Response:
        """Answer with the page."""
        return Response(
            self._page.html,
            media_type="text/html",
            headers={
                "Content-Security-Policy": self._page.security_policy,
                "Cache-Control": "no-cache",
            },
        )

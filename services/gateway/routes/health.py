"""Whether this stack is alive and ready."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.gateway.readiness import ServiceReadiness
from shared.chassis.errors import RETRY_AFTER_SECONDS, Problem
from shared.schemas.problems import ProblemCode


class HealthRoutes:
    """`/healthz` and `/readyz`."""

    def __init__(self, readiness: ServiceReadiness) -> None:
        self._readiness = readiness

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/healthz", self.health, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
        ]

    async def health(self, _: Request) -> Response:
        """Answer 200: whoever reads it has passed nginx and the gateway."""
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def ready(self, _: Request) -> Response:
        """Answer 200, or a 503 problem that names the services that do not answer."""
        services = await self._readiness.services()
        missing = sorted(name for name, ready in services.items() if not ready)
        if missing:
            raise Problem(
                ProblemCode.DEPENDENCY_UNAVAILABLE,
                f"Not ready: {', '.join(missing)}. The operator's `freehold status` says why.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        return JSONResponse(
            {"status": "ready", "services": sorted(services)}, headers={"Cache-Control": "no-store"}
        )

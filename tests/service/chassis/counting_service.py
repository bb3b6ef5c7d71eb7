"""A service that writes down what it executes; test_serve runs it as real processes."""

import asyncio
import os
from pathlib import Path

from pydantic import Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.chassis import serve
from shared.chassis.http import http_application
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.process import Service, main
from shared.chassis.settings import Settings


class CountingSettings(Settings):
    journal: Path = Field(description="File that a line is added to for each executed POST")
    gate: Path = Field(description="File that has to be there before a slow POST is executed")
    drain_seconds: float = Field(
        default=serve.DRAIN_SECONDS, description="Time for idle connections to go"
    )


class Counting:
    def __init__(self, settings: CountingSettings) -> None:
        self._journal = os.open(settings.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._gate = settings.gate

    def routes(self) -> list[Route]:
        return [
            Route("/echo/{word}", self.echo),
            Route("/execute", self.execute, methods=["POST"]),
            Route("/slow", self.execute_slowly, methods=["POST"]),
        ]

    async def echo(self, request: Request) -> Response:
        return PlainTextResponse(request.path_params["word"])

    async def execute(self, request: Request) -> Response:
        body = await request.body()
        os.write(self._journal, body + f" {os.getpid()}\n".encode())
        await asyncio.sleep(0.002)  # so that some are under way whenever a stop begins
        return PlainTextResponse(body)

    async def execute_slowly(self, request: Request) -> Response:
        while not self._gate.exists():
            await asyncio.sleep(0.02)
        return await self.execute(request)


async def web(settings: CountingSettings, _: Lifecycle) -> ASGIApp:
    serve.DRAIN_SECONDS = settings.drain_seconds
    return http_application(routes=Counting(settings).routes())


if __name__ == "__main__":
    main(Service(name="counting", settings=CountingSettings, web=web))

"""A service that writes down what it executes; test_serve runs it as real processes."""

import asyncio
import os
from pathlib import Path

from pydantic import Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.chassis.http import http_application
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.process import Service, main
from shared.chassis.serve import DRAIN_SECONDS
from shared.chassis.settings import Settings

SLOW_SECONDS = DRAIN_SECONDS + 0.3
"""Longer than a stopping server waits for idle connections to go."""


class CountingSettings(Settings):
    journal: Path = Field(description="File that a line is added to for each executed POST")


class Counting:
    def __init__(self, journal: Path) -> None:
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

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
        await asyncio.sleep(SLOW_SECONDS)
        return await self.execute(request)


async def web(settings: CountingSettings, _: Lifecycle) -> ASGIApp:
    return http_application(routes=Counting(settings.journal).routes())


if __name__ == "__main__":
    main(Service(name="counting", settings=CountingSettings, web=web))

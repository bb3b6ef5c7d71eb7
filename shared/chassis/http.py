"""The HTTP side of a service: problems, request ids, metrics, and reading and writing JSON."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.telemetry.metrics import HTTP_REQUEST_DURATION
from shared.chassis.telemetry.tracing import (
    is_traceparent,
    new_traceparent,
    request_id,
    traceparent,
)
from shared.chassis.validation import sentence
from shared.schemas.problems import PROBLEM_CONTENT_TYPE, FieldError, ProblemCode

logger = logging.getLogger(__name__)

ModelT = TypeVar("ModelT", bound=BaseModel)

JSON_LIMIT_BYTES = 64 * 1024
LARGE_JSON_LIMIT_BYTES = 1024 * 1024
"""For bodies that carry data of applications, from callers who are known."""
MOST_FAULTS = 20
LONGEST_FIELD = 100
CLIENT_CLOSED_REQUEST = 499
"""What nginx too calls a request whose client left; nobody receives it."""

_STATUS_CODES = {
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
}


def http_application(*, routes: Sequence[BaseRoute]) -> ASGIApp:
    """Make the ASGI application of a service from its routes.

    Every error becomes a problem body, every answer is counted and timed by its route's template
    (never by the raw path), and the request and trace ids that nginx hands over are in the
    context of handlers and logs.
    """
    handlers = {Problem: _answer_problem, HTTPException: _answer_http_exception}
    return RequestContext(ExceptionMiddleware(Router(list(routes)), handlers))


class RequestContext:
    """Sets the ids of a request, measures it, and turns what nobody expected into a problem.

    It is pure ASGI, so that bodies stream through it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; other kinds of connection pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        current = headers.get("x-request-id", "")
        given = headers.get("traceparent", "")
        request_token = request_id.set(current)
        trace_token = traceparent.set(given if is_traceparent(given) else new_traceparent())
        # The router raises for unknown paths and methods only inside of an application.
        scope["app"] = self
        started = time.perf_counter()
        status = 0

        async def remember_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, remember_status)
        except ClientDisconnect:
            status = status or CLIENT_CLOSED_REQUEST
        except Exception:
            logger.exception(
                "a request failed unexpectedly",
                extra={"action": "request_failed", "method": scope["method"]},
            )
            if status:  # the answer has begun: only cutting the connection tells the client
                raise
            response = problem_response(Problem(ProblemCode.INTERNAL_ERROR))
            await response(scope, receive, remember_status)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            HTTP_REQUEST_DURATION.labels(scope["method"], route, status).observe(
                time.perf_counter() - started
            )
            request_id.reset(request_token)
            traceparent.reset(trace_token)


async def read_json(
    request: Request, model: type[ModelT], *, limit: int = JSON_LIMIT_BYTES
) -> ModelT:
    """Read and validate the body. Raises Problem: 415, 413, 400 or 422 with `errors`.

    Without a body it is an empty object, if a bearer token says who asks: browsers add none by
    themselves to what pages of other sites send. Where a cookie may say so, the JSON content type,
    which a plain form cannot have, is part of the defence against such pages.
    Decoding and validating block the event loop, so who needs more than the usual limit asks for
    it, and asks only callers who are known.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    may_lack_body = request.headers.get("authorization", "").lower().startswith("bearer ")
    if content_type != "application/json" and (content_type or not may_lack_body):
        raise _not_json()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(
                ProblemCode.PAYLOAD_TOO_LARGE, f"The body may have {limit} bytes at most."
            )
    if not body and may_lack_body:
        return validated(model, {})
    if not content_type:
        raise _not_json()
    return validated(model, _decoded(bytes(body)))


def _not_json() -> Problem:
    return Problem(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "Send `Content-Type: application/json`.")


def _decoded(body: bytes) -> object:
    try:
        # Decoded first, because json would take UTF-16 and UTF-32 as well.
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise Problem(ProblemCode.INVALID_JSON) from error


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(ProblemCode.INVALID_JSON, "An object of the body names a member twice.")
    return members


def validated(model: type[ModelT], value: object) -> ModelT:
    """Validate a decoded value. Raises Problem `validation_failed` that names each field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        named = [
            FieldError(
                field=".".join(map(str, fault["loc"]))[:LONGEST_FIELD], message=sentence(fault)
            )
            for fault in faults[:MOST_FAULTS]
        ]
        more = f"`errors` names the first {MOST_FAULTS} of {len(faults)} faults."
        raise Problem(
            ProblemCode.VALIDATION_FAILED,
            more if len(faults) > len(named) else None,
            errors=named,
        ) from error


def json_response(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a model as JSON."""
    return Response(
        model.model_dump_json(by_alias=True),
        status,
        headers=headers,
        media_type="application/json",
    )


def problem_response(problem: Problem) -> Response:
    """Answer with a problem."""
    return Response(
        problem.details(request_id.get()).model_dump_json(exclude_none=True),
        problem.kind.status,
        headers={**problem.headers, "Cache-Control": "no-store"},
        media_type=PROBLEM_CONTENT_TYPE,
    )


async def _answer_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - Starlette's type is wider than what it sends
    if isinstance(error, Unavailable):
        logger.warning(
            "a part is not reachable",
            extra={"action": "dependency_unavailable", "dependency": error.dependency},
        )
    return problem_response(error)


async def _answer_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the same
    code = _STATUS_CODES.get(error.status_code, ProblemCode.BAD_REQUEST)
    return problem_response(Problem(code, headers=error.headers))

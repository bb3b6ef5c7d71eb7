"""What nginx asks before it reads a body: a bare ASGI callable, because every request pays it."""

from typing import Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.decision_path import DECISION_PATH
from services.gateway.decisions import ADMITTED, Admission, Door
from services.gateway.routing import Refusal
from shared.chassis.telemetry.tracing import request_id
from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import ProblemCode

DECISIONS: Final = Counter(
    "gateway_decisions_total",
    "Decisions about requests, by problem code or `admitted`",
    ["verdict"],
)

# An answer with any body at all makes nginx give up the connection: a quarter more CPU.
_NO_BODY: Final = (b"content-length", b"0")
_EMPTY: Final[Message] = {"type": "http.response.body", "body": b""}
_ADMITTED: Final[Message] = {"type": "http.response.start", "status": 204, "headers": [_NO_BODY]}

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403


class DecisionEndpoint:
    """Answers nginx's `auth_request`, and hands everything else to the gateway's application.

    204 admits, with `X-Freehold-Authorization` where an API key was exchanged. nginx understands
    no other refusals than 401 and 403, so those carry the real reason in `X-Freehold-Problem`,
    and in `X-Freehold-Scope` which scope an API key lacks.
    """

    def __init__(self, door: Door, application: ASGIApp) -> None:
        self._door = door
        self._application = application
        # Looked up once: a labelled counter costs more than the decision's own dictionary look-ups.
        self._admissions = DECISIONS.labels("admitted")
        self._refusals = {code: DECISIONS.labels(code.value) for code in ProblemCode}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request of nginx."""
        if scope["type"] != "http" or scope["path"] != DECISION_PATH:
            await self._application(scope, receive, send)
            return
        method = target = address = ""
        authorizations: list[str] = []
        api_keys: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-original-uri":
                target = value.decode("latin-1")
            elif name == b"x-original-method":
                method = value.decode("latin-1")
            elif name == b"authorization":
                authorizations.append(value.decode("latin-1"))
            elif name == b"x-api-key":
                api_keys.append(value.decode("latin-1"))
            elif name == b"x-real-ip":
                address = value.decode("latin-1")
            elif name == b"x-request-id":
                # Seen by the log and by the call to auth. Each request is a task of its own, so
                # there is nothing to set back.
                request_id.set(value.decode("latin-1"))
        # Of two headers a service might read the other one: together they are no credential.
        verdict = await self._door.judge(
            method, target, ", ".join(authorizations), ", ".join(api_keys), address=address
        )
        await send(self._start(verdict))
        await send(_EMPTY)

    def _start(self, verdict: Admission | Refusal) -> Message:
        if verdict is ADMITTED:
            self._admissions.inc()
            return _ADMITTED
        if isinstance(verdict, Admission):
            self._admissions.inc()
            bearer = f"Bearer {verdict.token}".encode("latin-1")
            return {
                "type": "http.response.start",
                "status": 204,
                "headers": [_NO_BODY, (b"x-freehold-authorization", bearer)],
            }
        self._refusals[verdict.code].inc()
        headers = [_NO_BODY, (b"x-freehold-problem", verdict.code.value.encode())]
        if verdict.allow:
            headers.append((b"allow", verdict.allow.encode()))
        if verdict.scope:
            headers.append((b"x-freehold-scope", verdict.scope.encode()))
        unauthorized = PROBLEMS[verdict.code].status == _UNAUTHORIZED
        return {
            "type": "http.response.start",
            "status": _UNAUTHORIZED if unauthorized else _FORBIDDEN,
            "headers": headers,
        }

"""Logging in with other providers: `/v1/auth/oidc`."""

import html
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.auth.entrance import FactorRequired
from services.auth.federation import store
from services.auth.federation.attempts import AttemptCookie
from services.auth.federation.sign_ins import Return, SignIns
from services.auth.metrics import FEDERATED_LOG_INS
from services.auth.origins import OriginPolicy
from services.auth.routes.answers import NO_STORE, SessionAnswers
from services.auth.routes.oauth import SIGN_IN_PAGE
from services.auth.routes.pages import SECURITY_HEADERS
from services.auth.sessions import Grant
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, problem_response
from shared.schemas.api.connections import OfferedConnection, OfferedConnections
from shared.schemas.problems import ProblemCode

MOST_OFFERED: Final = 100
_LARGEST_FORM: Final = 16 * 1024
_MOST_FIELDS: Final = 50
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="stylesheet" href="/page.css"></head>
<body><main><h1>{title}</h1><p>{text}</p><p><a href="{back}">Go back</a></p></main></body></html>
"""


class FederationRoutes:
    """Sends browsers to providers, and lets them in when they come back.

    What goes wrong is told on a page to whoever asks for one, and as a problem to programs.
    """

    def __init__(
        self,
        database: Database,
        sign_ins: SignIns,
        *,
        origins: OriginPolicy,
        cookie: AttemptCookie,
        answers: SessionAnswers,
    ) -> None:
        self._database = database
        self._sign_ins = sign_ins
        self._origins = origins
        self._cookie = cookie
        self._answers = answers

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        one = "/v1/auth/oidc/{connection_id}"
        return [
            Route("/v1/auth/oidc", self.list, methods=["GET"]),
            Route(f"{one}/start", self.start, methods=["GET"]),
            Route(f"{one}/callback", self.callback, methods=["GET", "POST"]),
        ]

    async def list(self, _: Request) -> Response:
        """List what a log-in page offers."""
        rows = await store.list_enabled(self._database, limit=MOST_OFFERED)
        items = [OfferedConnection(id=connection_id, name=name) for connection_id, name in rows]
        return json_response(OfferedConnections(items=items), headers={"Cache-Control": "no-cache"})

    async def start(self, request: Request) -> Response:
        """Send the browser to a provider."""
        try:
            return await self._start(request)
        except Problem as problem:
            return _failure(request, problem, "/")

    async def callback(self, request: Request) -> Response:
        """Let in whoever comes back, and send the browser where it was to go."""
        posted = request.method == "POST"
        try:
            returned = await self._sign_ins.finish(
                request.path_params["connection_id"],
                await _parameters(request),
                browser=self._cookie.read(request, posted=posted),
                device=self._answers.device_of(request),
            )
        except Problem as problem:
            returned = Return("/", problem)
        if isinstance(returned.outcome, Problem):
            FEDERATED_LOG_INS.labels(returned.outcome.code.value).inc()
            return _failure(request, returned.outcome, returned.return_to)
        FEDERATED_LOG_INS.labels("success").inc()
        return self._arrival(returned)

    async def _start(self, request: Request) -> Response:
        return_to = self._origins.require_destination(request.query_params.get("return_to"))
        browser = self._cookie.read_or_make(request)
        departure = await self._sign_ins.begin(
            request.path_params["connection_id"], browser=browser, return_to=return_to
        )
        response = _see_other(departure.location)
        self._cookie.write(response, browser, posted=departure.posted)
        return response

    def _arrival(self, returned: Return) -> Response:
        if isinstance(returned.outcome, FactorRequired):
            # Behind the `#`, which browsers send to nobody, not even to the page's own server.
            told = urlencode(
                {
                    "mfa_token": returned.outcome.mfa_token,
                    "methods": ",".join(returned.outcome.methods),
                }
            )
            return _see_other(f"{returned.return_to}#{told}")
        if not isinstance(returned.outcome, Grant):
            return _see_other(returned.return_to)
        response = _see_other(_welcoming(returned.return_to))
        self._answers.write_cookies(response, returned.outcome)
        return response


def _welcoming(return_to: str) -> str:
    # Our own page is where whoever gave up comes back to as well, and a session that was open
    # before does not tell it that this log-in succeeded. Other pages get the address they gave.
    return f"{return_to}#signed_in=1" if urlsplit(return_to).path == SIGN_IN_PAGE else return_to


async def _parameters(request: Request) -> dict[str, str]:
    text = request.url.query
    if request.method == "POST":
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise Problem(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "Providers send a form here.")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_FORM:
                raise Problem(ProblemCode.PAYLOAD_TOO_LARGE)
        text = body.decode("ascii", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Problem(ProblemCode.SIGN_IN_INVALID) from error
    if len(pairs) != len(dict(pairs)):
        raise Problem(ProblemCode.SIGN_IN_INVALID)
    return dict(pairs)


def _failure(request: Request, problem: Problem, back: str) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return problem_response(problem)
    page = _PAGE.format(
        title=html.escape(problem.kind.title),
        text=html.escape(problem.detail),
        back=html.escape(back),
    )
    return Response(
        page,
        problem.kind.status,
        headers={**SECURITY_HEADERS, **problem.headers, **NO_STORE},
        media_type="text/html",
    )


def _see_other(location: str) -> Response:
    # 303 and not 307: what a provider's form posted is not posted on.
    return RedirectResponse(location, 303, headers=NO_STORE | {"Referrer-Policy": "no-referrer"})

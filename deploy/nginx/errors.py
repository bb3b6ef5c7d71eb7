"""The bodies of every error that nginx itself makes, in the one error shape of the API."""

import json
from typing import Final

from deploy.nginx.syntax import block, literal, mapping
from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import PROBLEM_CONTENT_TYPE, ProblemCode, ProblemDetails, problem_type

PREFIX: Final = "/_problem/"

# nginx's own failures by status. A dead gateway shows as 500 and a dead service as 502 or 504:
# to a client both mean "try again soon". 501 is a transfer encoding that nginx does not know. There
# is no 408: to a client that was too slow nginx sends nothing and closes. There are no 495 to 497
# either: they are about TLS, which ends before this nginx.
_OWN_ERRORS: Final = (
    ((400, 501), ProblemCode.BAD_REQUEST),
    ((404,), ProblemCode.NOT_FOUND),
    ((405,), ProblemCode.METHOD_NOT_ALLOWED),
    ((413,), ProblemCode.PAYLOAD_TOO_LARGE),
    ((414,), ProblemCode.URI_TOO_LONG),
    ((429,), ProblemCode.RATE_LIMITED),
    ((494,), ProblemCode.HEADERS_TOO_LARGE),
    ((500, 502, 503, 504), ProblemCode.DEPENDENCY_UNAVAILABLE),
    ((505,), ProblemCode.HTTP_VERSION_NOT_SUPPORTED),
)

# Errors of the object store, whose own bodies would tell bucket and key. A refused signature is
# our fault or a clock's, never the client's.
_OBJECT_ERRORS: Final = (
    ((400, 401, 403, 405, 500, 501, 502, 503, 504), ProblemCode.DEPENDENCY_UNAVAILABLE),
)

_RETRY_AFTER_SECONDS: Final = {
    ProblemCode.RATE_LIMITED: 1,
    ProblemCode.OVERLOADED: 1,
    ProblemCode.DEPENDENCY_UNAVAILABLE: 5,
}

_SCOPE: Final = "<scope>"

RANGE_NOT_SATISFIABLE: Final = f"{PREFIX}{ProblemCode.RANGE_NOT_SATISFIABLE.value}"


def _error_pages(errors: tuple[tuple[tuple[int, ...], ProblemCode], ...]) -> list[str]:
    # `=` lets the problem's location choose the status.
    return [
        f"error_page {' '.join(map(str, statuses))} = {PREFIX}{code.value};"
        for statuses, code in errors
    ]


def error_pages() -> list[str]:
    """Return what turns nginx's errors, and refusals of the gateway, into problems."""
    # auth_request understands nothing but 2xx, 401 and 403: the gateway names its reason in a
    # header, which `auth_request_set` has put into this variable.
    return [*_error_pages(_OWN_ERRORS), f"error_page 401 403 = {PREFIX}$gateway_problem;"]


def object_error_pages() -> list[str]:
    """Return what turns errors of the object store into problems."""
    return [
        *_error_pages(_OBJECT_ERRORS),
        f"error_page 404 = {PREFIX}$object_missing;",
        f"error_page 416 = {RANGE_NOT_SATISFIABLE};",
    ]


def problem_maps() -> list[str]:
    """Return the variables that give problems, and nothing else, their headers.

    `add_header` sends no header whose value is empty, so the headers can be written once for the
    whole server instead of in every location.
    """
    challenges = [
        (
            f"{PREFIX}{code.value}",
            "Bearer"
            if code is ProblemCode.AUTHENTICATION_REQUIRED
            else 'Bearer error="invalid_token"',
        )
        for code, kind in PROBLEMS.items()
        if kind.status == 401  # noqa: PLR2004 - HTTP's own number
    ]
    return [
        *mapping("$uri", "$problem_challenge", challenges),
        *mapping(
            "$uri",
            "$problem_retry_after",
            [
                (f"{PREFIX}{code.value}", str(seconds))
                for code, seconds in _RETRY_AFTER_SECONDS.items()
            ],
        ),
        *mapping(
            "$uri",
            "$problem_allow",
            [(f"{PREFIX}{ProblemCode.METHOD_NOT_ALLOWED.value}", "$gateway_allow")],
        ),
        *mapping(
            "$uri",
            "$problem_cache_control",
            [(f"~^{PREFIX}", "no-store")],
        ),
        # Only an object store's 416 reaches this address; it says how long the object is.
        *mapping(
            "$uri",
            "$problem_content_range",
            [(RANGE_NOT_SATISFIABLE, "$upstream_http_content_range")],
        ),
    ]


def _body(code: ProblemCode) -> str:
    kind = PROBLEMS[code]
    problem = ProblemDetails(
        type=problem_type(code),
        title=kind.title,
        status=kind.status,
        detail=kind.detail,
        code=code,
        request_id="",
    )
    document = problem.model_dump(mode="json", exclude_none=True)
    del document["request_id"]
    if code is ProblemCode.SCOPE_MISSING:  # which only the gateway finds, and names
        document["detail"] = f"The API key lacks the scope `{_SCOPE}`."
    text = literal(json.dumps(document, ensure_ascii=False))
    # Variables go in after everything else was checked to hold none.
    text = text.replace(_SCOPE, "$gateway_scope")
    return text.removesuffix('}"') + ', \\"request_id\\": \\"$request_id\\"}"'


def _location(uri: str, code: ProblemCode) -> list[str]:
    return block(
        f"location = {uri}",
        [
            "internal;",
            "auth_request off;",
            # A body too long for the client's location must not fail here a second time.
            "client_max_body_size 0;",
            f"default_type {PROBLEM_CONTENT_TYPE};",
            f"return {PROBLEMS[code].status.value} {_body(code)};",
        ],
    )


def problem_locations() -> list[str]:
    """Return one internal location per problem code, and one for a code nobody knows."""
    lines: list[str] = []
    for code in PROBLEMS:
        lines += _location(f"{PREFIX}{code.value}", code)
    return lines + _location(PREFIX, ProblemCode.INTERNAL_ERROR)

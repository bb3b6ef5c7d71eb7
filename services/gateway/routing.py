"""Finding the route of a request, and refusing addresses that can be read in two ways."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from services.gateway.route import Route, segments
from shared.schemas.problems import ProblemCode

# Segments of unreserved and sub-delimiter characters (RFC 3986), none empty, none `.` or `..`.
# An encoded control character, dot, slash, backslash or percent sign is refused: decoded once more
# or once less, by nginx or by a service, it would name another route.
_CLEAN_PATH: Final = re.compile(
    r"(?:/(?!\.{1,2}(?:/|\Z))"
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%(?![01][0-9A-Fa-f]|7[Ff]|2[EeFf5]|5[Cc])[0-9A-Fa-f]{2})+"
    r")+/?"
)


class Refusal(NamedTuple):
    """Why a request goes nowhere."""

    code: ProblemCode
    allow: str = ""
    """The methods that the address knows, for the Allow header."""
    scope: str = ""
    """What an API key needs for the call and lacks."""


class _Resource(NamedTuple):
    routes: dict[str, Route]
    allow: str


class Router:
    """The route table, arranged for looking up."""

    def __init__(self, routes: Iterable[Route]) -> None:
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods = by_path.setdefault(route.path, {})
            methods[route.method] = route
            if route.method == "GET" and not route.websocket:
                methods["HEAD"] = route
        self._exact: dict[str, _Resource] = {}
        self._templates: dict[int, list[tuple[tuple[str | None, ...], _Resource]]] = {}
        for path, methods in by_path.items():
            resource = _Resource(methods, ", ".join(sorted(methods)))
            template = segments(path)
            if None in template:
                self._templates.setdefault(len(template), []).append((template, resource))
            else:
                self._exact[path] = resource

    def find(self, method: str, target: str) -> Route | Refusal:
        """Return the route of a request target as it stood on the request line."""
        path = target.partition("?")[0]
        resource = self._exact.get(path)
        if resource is None:
            if path != "/" and _CLEAN_PATH.fullmatch(path) is None:
                return Refusal(ProblemCode.BAD_REQUEST)
            resource = self._match(path)
        if resource is None:
            return Refusal(ProblemCode.NOT_FOUND)
        route = resource.routes.get(method)
        if route is None:
            return Refusal(ProblemCode.METHOD_NOT_ALLOWED, resource.allow)
        return route

    def _match(self, path: str) -> _Resource | None:
        parts = path.split("/")[1:]
        for template, resource in self._templates.get(len(parts), ()):
            if all(
                part == wanted if wanted is not None else part
                for part, wanted in zip(parts, template, strict=True)
            ):
                return resource
        return None

"""Which web pages may send credentials here."""

from collections.abc import Collection

from starlette.requests import Request

from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode


class OriginPolicy:
    """Defends calls that carry or yield credentials against forged requests from other sites.

    A browser names the page's origin in every cross-site POST; programs name none. Together with
    the JSON content type, which a plain form cannot send, this keeps other sites from refreshing
    somebody's session, and from logging somebody in as the attacker.
    """

    def __init__(self, public_url: str, client_origins: Collection[str]) -> None:
        self._allowed = frozenset({public_url, *client_origins})

    def require_allowed(self, request: Request) -> None:
        """Raise a problem unless the Origin is absent or allowed (403) and the body JSON (415)."""
        for origin in request.headers.getlist("origin"):
            if origin not in self._allowed:
                raise Problem(ProblemCode.ORIGIN_NOT_ALLOWED)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(
                ProblemCode.UNSUPPORTED_MEDIA_TYPE,
                "Send `Content-Type: application/json`, even without a body.",
            )

"""Which web pages may send credentials here, and which ones browsers are sent to."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

_LONGEST_DESTINATION: Final = 4096


class OriginPolicy:
    """Defends calls that carry or yield credentials against forged requests from other sites.

    A browser names the page's origin in every cross-site POST; programs name none. Together with
    the JSON content type, which a plain form cannot send, this keeps other sites from refreshing
    somebody's session, and from logging somebody in as the attacker.
    """

    def __init__(self, public_url: str, client_origins: Collection[str]) -> None:
        self._public_url = public_url
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

    def require_destination(self, text: str | None) -> str:
        """Return the whole address of a page that a browser may be sent to after it is logged in.

        A path is one of this address's own; nothing is taken for `/`. Raises a 422 problem for
        pages of other origins, and for spellings that browsers read in another way than we do. A
        fragment is refused because it is where browsers are told what has to follow.
        """
        asked = text or "/"
        if asked.startswith("/"):
            asked = self._public_url + asked
        if len(asked) > _LONGEST_DESTINATION or not _is_plain(asked):
            raise _refused("Give a shorter address without spaces, backslashes and fragment.")
        try:
            parts = urlsplit(asked)
        except ValueError as error:
            raise _refused("This is no address.") from error
        if f"{parts.scheme}://{parts.netloc}" not in self._allowed:
            raise _refused("Nobody is sent to pages of this origin.")
        return asked


def _is_plain(address: str) -> bool:
    return (
        address.isascii()
        and address.isprintable()
        and not any(character in address for character in '\\# "<>')
    )


def _refused(message: str) -> Problem:
    return Problem(
        ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="return_to", message=message)]
    )

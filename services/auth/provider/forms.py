"""Forms, in which applications and browsers send what they ask."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.auth.provider.errors import OAuthError

FORM: Final = "application/x-www-form-urlencoded"
_LARGEST_FORM: Final = 16 * 1024
_UNKEPT: Final = re.compile("[\0\ud800-\udfff]")


async def read_form(request: Request) -> dict[str, str]:
    """Return what a form says, each field once; an empty one counts as left out (RFC 6749).

    Raises OAuthError `invalid_request`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM:
        raise OAuthError("invalid_request", "Send application/x-www-form-urlencoded.")
    body = await request.body()
    if len(body) > _LARGEST_FORM:
        raise OAuthError("invalid_request", "The form is too large.")
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=50)
    except ValueError as error:
        raise OAuthError("invalid_request", "The form cannot be read.") from error
    if len(pairs) != len(dict(pairs)):
        raise OAuthError("invalid_request", "A parameter came twice.")
    form = dict(pairs)
    if not can_be_kept(form):
        raise OAuthError("invalid_request", "A parameter holds a NUL character.")
    return form


def can_be_kept(parameters: Mapping[str, str]) -> bool:
    """Tell whether parameters are text that PostgreSQL keeps and an address can hold.

    NUL is not, and neither is half of a surrogate pair, which JSON can bring.
    """
    return not any(_UNKEPT.search(text) for pair in parameters.items() for text in pair)

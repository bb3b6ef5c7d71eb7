"""Cursors of lists: opaque to clients, an id inside."""

import base64
import binascii
from uuid import UUID

from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

UUID_BYTES = 16


def encode_cursor(last: UUID) -> str:
    """Return the cursor of the page after an item."""
    return base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> UUID:
    """Return the last item of the page before. Raises Problem `invalid_cursor`."""
    try:
        value = base64.b64decode(cursor.encode("ascii") + b"==", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise Problem(ProblemCode.INVALID_CURSOR) from error
    if len(value) != UUID_BYTES:
        raise Problem(ProblemCode.INVALID_CURSOR)
    return UUID(bytes=value)

"""When a delivery is tried again."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

ATTEMPTS: Final = 17
"""Over about 35 hours."""
_FIRST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_LONGEST_WISH: Final = timedelta(hours=24)
"""A receiver that asks for more is tried after this nevertheless."""


def pause_after(failures: int, *, wish: timedelta | None = None) -> timedelta | None:
    """Return how long to wait after this many failures; None when there is no next attempt.

    The pause doubles with each failure, give or take a fifth, and is never shorter than what the
    receiver wished for.
    """
    if failures >= ATTEMPTS:
        return None
    jitter = random.uniform(0.8, 1.2)  # noqa: S311 - jitter needs no cryptography
    pause = jitter * min(_FIRST_PAUSE * float(2 ** (failures - 1)), _LONGEST_PAUSE)
    return pause if wish is None else max(pause, min(wish, _LONGEST_WISH))


def wished_pause(status: int | None, retry_after: str | None, *, now: datetime) -> timedelta | None:
    """Return what a busy receiver's Retry-After asks for, in seconds or as a date; None if nothing.

    It counts with 429 and 503 only, as its definition has it.
    """
    if retry_after is None or status not in {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    wish = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return max(wish, timedelta(0))

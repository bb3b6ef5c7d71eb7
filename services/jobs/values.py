"""JSON of applications: what can be stored and given back unchanged."""

from typing import Any, Final

from shared.chassis.errors import Problem
from shared.chassis.payloads import MAXIMUM_PAYLOAD_BYTES, PayloadTooLarge, require_payload
from shared.schemas.problems import FieldError, ProblemCode

DEEPEST: Final = 64
"""Levels of lists and objects. Every program that the value goes through has a limit of its own."""


def require_storable(value: Any, *, field: str, maximum: int = MAXIMUM_PAYLOAD_BYTES) -> None:
    """Raise Problem `payload_too_large` or `validation_failed` for what cannot be kept.

    `maximum` is in bytes of JSON without blanks.
    """
    if _is_deeper(value, DEEPEST):
        raise wrong_field(field, f"Lists and objects nest {DEEPEST} levels deep at most.")
    try:
        require_payload(value, maximum)
    except PayloadTooLarge as error:
        raise Problem(
            ProblemCode.PAYLOAD_TOO_LARGE,
            f"{error}.",
            errors=[FieldError(field=field, message=f"{maximum} bytes of JSON fit.")],
        ) from error
    except ValueError as error:
        raise wrong_field(
            field, "Numbers are finite, and texts hold neither NUL nor halves of characters."
        ) from error


def wrong_field(field: str, message: str) -> Problem:
    """Return the problem that names one wrong field."""
    return Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=field, message=message)])


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list):
        inner = iter(value)  # type: ignore[assignment] # both are only gone through
    else:
        return False
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)

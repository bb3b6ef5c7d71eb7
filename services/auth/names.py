"""The names that people and organisations go by."""

import unicodedata

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

MAX_NAME_LENGTH = 200
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_name(name: str | None, *, most: int = MAX_NAME_LENGTH) -> str | None:
    """Return a name without surrounding blanks, or None for an empty one.

    Raises a 422 problem for one of more than `most` characters, of which composing it may have made
    more than were sent, and for control characters, which have no place in a name and could change
    what a mail or a log line says.
    """
    stripped = unicodedata.normalize("NFC", name or "").strip()
    if any(unicodedata.category(character) in _UNPRINTABLE for character in stripped):
        message = "A name has no control characters."
    elif len(stripped) > most:
        message = f"A name has at most {most} characters."
    else:
        return stripped or None
    raise Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)])

"""The name a person goes by."""

import unicodedata

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

MAX_NAME_LENGTH = 200
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def clean_name(name: str | None) -> str | None:
    """Return a name without surrounding blanks, or None for an empty one.

    Raises a 422 problem for one that is too long and for control characters, which have no place
    in a name and could change what a mail or a log line says.
    """
    stripped = unicodedata.normalize("NFC", name or "").strip()
    if any(unicodedata.category(character) in _UNPRINTABLE for character in stripped):
        message = "A name has no control characters."
    elif len(stripped) > MAX_NAME_LENGTH:
        message = f"A name has at most {MAX_NAME_LENGTH} characters."
    else:
        return stripped or None
    raise Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)])

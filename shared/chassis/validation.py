"""What is wrong with a field, in words for the person who wrote the request."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

_INSTANT: Final = "Send an instant with its offset from UTC, such as 2030-01-31T12:00:00Z."
_NUMBER: Final = "Send a number."
_OBJECT: Final = "Send a JSON object."
_TRUTH: Final = "Send true or false."
_WHOLE_NUMBER: Final = "Send a whole number."

WORDS: Final[Mapping[str, str]] = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field.",
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": "Send a JSON list.",
    "string_type": "Send a text.",
    "string_unicode": "Send whole characters; half of a surrogate pair is none.",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing_size": "Send a smaller number.",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "uuid_type": "Send a UUID as a text.",
    "uuid_parsing": "Send a UUID: 32 hexadecimal digits, with hyphens after 8, 12, 16 and 20.",
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "datetime_object_invalid": _INSTANT,
    "timezone_aware": _INSTANT,
    "literal_error": "Send {expected}.",
    "enum": "Send {expected}.",
    "greater_than": "Send more than {gt}.",
    "greater_than_equal": "Send {ge} or more.",
    "less_than_equal": "Send {le} or less.",
    "less_than": "Send less than {lt}.",
    "string_too_short": "Send {min_length} characters or more.",
    "string_too_long": "Send {max_length} characters or fewer.",
    "too_short": "Send {min_length} items or more.",
    "too_long": "Send {max_length} items or fewer.",
}
"""Sentences by pydantic's types of errors; braces hold what pydantic tells besides."""

_EMPTY: Final = {
    "string_too_short": "Send a text that is not empty.",
    "too_short": "Send a list that is not empty.",
}


def sentence(fault: ErrorDetails) -> str:
    """Return what a fault of pydantic means; for one that nobody has foreseen, its own text."""
    kind, told = fault["type"], dict[str, Any](fault.get("ctx", {}))
    if told.get("min_length") == 1 and kind in _EMPTY:
        return _EMPTY[kind]
    if kind in WORDS:
        return WORDS[kind].format_map({name: _plain(value) for name, value in told.items()})
    return fault["msg"].removeprefix("Value error, ")


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value

"""What an event, a job or a result may carry: JSON that PostgreSQL can hold, of bounded size."""

import json
from typing import Any, Final

MAXIMUM_PAYLOAD_BYTES: Final = 256 * 1024
MAXIMUM_RESULT_BYTES: Final = 64 * 1024


class PayloadTooLarge(ValueError):  # noqa: N818 - what happened
    """The JSON text is longer than what a row of a queue is for."""

    def __init__(self, size: int, maximum: int) -> None:
        super().__init__(
            f"{size} bytes of JSON are more than the {maximum} that fit; "
            "store the data as a file and send its id"
        )


def require_payload(value: Any, maximum: int = MAXIMUM_PAYLOAD_BYTES) -> None:
    """Raise PayloadTooLarge or ValueError for what does not fit into a row.

    PostgreSQL refuses NUL and halves of surrogate pairs in JSON, and JSON knows no NaN.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    size = len(text.encode())
    if size > maximum:
        raise PayloadTooLarge(size, maximum)
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("the JSON text holds the character NUL")

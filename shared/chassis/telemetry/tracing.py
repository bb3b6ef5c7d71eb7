"""Request ids and W3C trace context, carried along by context variables."""

import re
import secrets
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Names the request that is being handled; empty outside of one."""

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""The trace that the current work belongs to."""

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(value: str) -> bool:
    """Tell whether a header value is a valid version-00 traceparent."""
    return _TRACEPARENT.fullmatch(value) is not None


def new_traceparent() -> str:
    """Start a trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id() -> str | None:
    """Return the current trace's id: 32 hex digits."""
    current = traceparent.get()
    return current.split("-")[1] if current else None

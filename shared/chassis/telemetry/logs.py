"""Structured logs: one JSON object a line on standard error, with a stable `action` key."""

import json
import logging
import sys
from datetime import UTC, datetime

from shared.chassis.telemetry.tracing import request_id, trace_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record and its `extra` values as one JSON object."""

    def __init__(self, service: str, role: str, instance: int) -> None:
        super().__init__()
        self._identity = {"service": service, "role": role, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without line breaks inside."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **self._identity,
        }
        if current_request := request_id.get():
            entry["request_id"] = current_request
        if current_trace := trace_id():
            entry["trace_id"] = current_trace
        entry.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure_logging(service: str, role: str, instance: int, level: str) -> None:
    """Send all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service, role, instance))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These tell of every request and statement at INFO, and of every attempt to reconnect as if it
    # were an error; who waits for the broker says so itself.
    for name in ("uvicorn", "httpx2", "httpcore2", "botocore", "asyncio"):
        logging.getLogger(name).setLevel("WARNING")
    for name in ("aio_pika", "aiormq"):
        logging.getLogger(name).setLevel("CRITICAL")

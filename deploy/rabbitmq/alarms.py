"""RabbitMQ's own alarms, read from the node's metrics, in words for an operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

MEBIBYTE = 1024 * 1024
WHAT_STOPS = (
    "It takes no messages until this is over: events and wake-ups wait in the services' "
    "databases, nothing is lost, and requests that need the broker at once are answered 503."
)


@dataclass(frozen=True)
class Alarm:
    """Something that makes the node refuse messages."""

    name: str
    problem: str
    next_step: str


def alarms(exposition: str, data: Path) -> list[Alarm]:
    """Return the alarms in force, given the node's `/metrics` and the folder of its data."""
    values = _values(exposition)
    raised = []
    if values.get("rabbitmq_alarms_free_disk_space_watermark"):
        raised.append(_disk(values, data))
    if values.get("rabbitmq_alarms_memory_used_watermark"):
        raised.append(_memory(values))
    if values.get("rabbitmq_alarms_file_descriptor_limit"):
        raised.append(
            Alarm(
                "rabbitmq_file_descriptors",
                "RabbitMQ has no file descriptors left and accepts no connections.",
                "Close connections that leak, or raise the limit of open files (`ulimit -n`) of "
                "who runs `./freehold up`, and start again.",
            )
        )
    return raised


def _disk(values: Mapping[str, float], data: Path) -> Alarm:
    free = values.get("rabbitmq_disk_space_available_bytes", 0)
    limit = values.get("rabbitmq_disk_space_available_limit_bytes", 0)
    # The sizes are some seconds older than the alarm, and may not explain it yet.
    if free < limit:
        figures = f": {_mebibytes(free)} are free, it wants {_mebibytes(limit)}"
        space = f"at least {_mebibytes(limit - free + MEBIBYTE)}"
    else:
        figures, space = "", "space"
    return Alarm(
        "rabbitmq_disk",
        f"RabbitMQ stopped because the disk of {data} is nearly full{figures}. {WHAT_STOPS}",
        f"Free {space} on that disk (`df -h {data}`); it goes on by itself within seconds.",
    )


def _memory(values: Mapping[str, float]) -> Alarm:
    used = values.get("rabbitmq_process_resident_memory_bytes", 0)
    limit = values.get("rabbitmq_resident_memory_limit_bytes", 0)
    return Alarm(
        "rabbitmq_memory",
        f"RabbitMQ stopped because its memory is over its limit: it uses {_mebibytes(used)} of "
        f"{_mebibytes(limit)}. {WHAT_STOPS}",
        "Look for a queue that nobody reads (metrics `rabbitmq_queue_messages`, "
        "`dead_letters`) and let its consumer run or empty it; it goes on by itself. "
        "`./freehold restart rabbitmq` frees what no queue holds.",
    )


def _values(exposition: str) -> dict[str, float]:
    """Return the samples that have no labels, of the node as a whole."""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if not sample.labels
    }


def _mebibytes(size: float) -> str:
    return f"{size / MEBIBYTE:,.0f} MiB"

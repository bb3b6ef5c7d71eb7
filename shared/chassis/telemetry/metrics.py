"""Prometheus metrics that every process has. Names and buckets are part of the contract."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

HTTP_REQUEST_DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from the request's head to the end of its answer",
    ["method", "route", "status_code"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
OUTBOX_DEPTH = Gauge("outbox_depth", "Messages that wait in the outbox to be published")
OUTBOX_AGE = Gauge("outbox_oldest_age_seconds", "Age of the oldest message in the outbox")
OUTBOX_PUBLISHED = Counter(
    "outbox_published_total", "Messages published and confirmed", ["exchange"]
)
OUTBOX_RELAY_ACTIVE = Gauge("outbox_relay_active", "1 in the process whose relay is the active one")
EVENTS_HANDLED = Counter(
    "events_handled_total",
    "Deliveries of events by outcome: handled, duplicate, retried, dead",
    ["consumer", "type", "outcome"],
)
DEAD_LETTERS = Gauge(
    "dead_letters", "Events that could not be handled and rest for an operator", ["consumer"]
)
CANARY_AGE = Gauge(
    "consumer_canary_age_seconds", "Time since anything came through a queue", ["consumer"]
)
RABBITMQ_BLOCKED = Gauge("rabbitmq_blocked", "1 while RabbitMQ takes no messages of this process")
JOBS_FINISHED = Counter(
    "jobs_finished_total",
    "Ended attempts of jobs by outcome: completed, retried, postponed, failed, lost",
    ["queue", "kind", "outcome"],
)
JOB_DURATION = Histogram(
    "job_duration_seconds",
    "Time of one attempt of a job",
    ["queue", "kind"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60),
)
JOB_WAIT = Histogram(
    "job_wait_seconds",
    "Time from when a job was due until an attempt began",
    ["queue"],
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300),
)
JOBS_DEPTH = Gauge("jobs_depth", "Jobs by state", ["queue", "state"])
JOBS_AGE = Gauge("jobs_oldest_age_seconds", "How long the oldest due job has waited", ["queue"])
CONDITIONS = Gauge(
    "conditions",
    "1 for each condition of this process that `status` shows",
    ["condition", "failing"],
)
CLOCK_JUMPS = Counter(
    "clock_jumps_total", "Jumps of the machine's clock by more than 5 s", ["direction"]
)


def exposition() -> bytes:
    """Return this process' metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)

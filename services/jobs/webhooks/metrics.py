"""What webhooks measure besides the chassis' metrics."""

from enum import StrEnum

from prometheus_client import Counter, Histogram


class Outcome(StrEnum):
    """What became of a delivery's turn."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    CANCELLED = "cancelled"
    POSTPONED = "postponed"


TURNS = Counter(
    "webhook_deliveries_total",
    "Turns of webhook deliveries by outcome: delivered, retried, failed, cancelled (the endpoint "
    "is disabled), postponed (it has as many in flight as it may)",
    ["outcome"],
)
ATTEMPT_DURATION = Histogram(
    "webhook_attempt_duration_seconds",
    "Time of one attempt to send a webhook, by what came of it: succeeded, refused, unreachable",
    ["result"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20),
)
DISABLED = Counter(
    "webhook_endpoints_disabled_total", "Webhook endpoints that were disabled automatically"
)

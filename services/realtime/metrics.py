"""What operators see of the sockets and the stream."""

from prometheus_client import Counter, Gauge

CONNECTIONS_ACTIVE = Gauge("websocket_connections_active", "Open WebSocket connections")
MESSAGES_SENT = Counter("websocket_messages_sent_total", "Frames queued for clients")
SLOW_CLOSES = Counter(
    "websocket_slow_closes_total", "Connections closed because the client read too slowly"
)
RECOVERIES = Counter(
    "realtime_recoveries_total", "Attempts to recover missed messages", ["recovered"]
)
STREAM_LAG = Gauge(
    "realtime_stream_lag_seconds",
    "Time from publishing this process' last heartbeat to reading it from the stream",
)
STREAM_HEARD = Gauge(
    "realtime_stream_heard_timestamp_seconds", "When this process last read from the stream"
)

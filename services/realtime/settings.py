"""Settings of the realtime service."""

from pydantic import Field

from shared.chassis.settings import BusSettings, DatabaseSettings, Settings


class RealtimeSettings(Settings, DatabaseSettings, BusSettings):
    """What an operator can set; every name is `FREEHOLD_` and the field in capitals."""

    realtime_auth_seconds: float = Field(
        default=5.0,
        ge=1.0,
        le=60.0,
        description="Time for a new connection to send its `auth` frame. Too high and strangers "
        "hold connections; too low and slow networks never get in.",
    )
    realtime_channels: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Channels one connection may be on, its own `user:` channel included.",
    )
    realtime_frames_per_second: float = Field(
        default=20.0,
        gt=0.0,
        le=10_000.0,
        description="Frames a client may send in the long run; further ones are answered with the "
        "error `rate_limited`.",
    )
    realtime_frame_burst: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="Frames a client may send at once after a rest, such as its subscriptions "
        "after a reconnect; below realtime_channels a reconnect meets the limit.",
    )
    realtime_queue_bytes: int = Field(
        default=1024 * 1024,
        ge=16 * 1024,
        description="Bytes that may wait for one slow client before it is closed with 4408 and "
        "has to reconnect and recover; half of it is the most that one channel can recover. Too "
        "high and slow clients eat the memory; too low and short stalls of a phone's network end "
        "connections.",
    )
    realtime_history_seconds: int = Field(
        default=300,
        ge=1,
        le=3600,
        description="Age up to which missed messages can be recovered; read again at each start, "
        "so a high value delays it.",
    )
    realtime_history_messages: int = Field(
        default=20_000,
        ge=1,
        description="Messages kept for recovery by each process, over all channels.",
    )
    realtime_history_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=64 * 1024,
        description="Memory for these messages in each process.",
    )
    realtime_drain_seconds: float = Field(
        default=1.5,
        ge=0.0,
        le=20.0,
        description="Time over which a stopping process spreads the closing of its connections, "
        "so that the clients do not all return in the same moment.",
    )

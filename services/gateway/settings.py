"""Settings of the gateway."""

from pydantic import Field

from shared.chassis.settings import Settings


class GatewaySettings(Settings):
    """What an operator can set; every name is `FREEHOLD_` and the field in capitals."""

    token_cache_size: int = Field(
        default=10_000,
        ge=100,
        description="Access tokens, and API keys, whose verification one process remembers, about "
        "1 KB each. Too low and signatures are verified again and again.",
    )

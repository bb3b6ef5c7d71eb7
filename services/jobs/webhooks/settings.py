"""Settings of webhooks, a part of the jobs service's."""

from pydantic import BaseModel, Field, SecretStr

from shared.chassis.settings import Networks


class WebhookSettings(BaseModel):
    """What an operator can set about webhooks."""

    master_key: SecretStr = Field(
        min_length=32,
        description="Secret that the secrets of webhook endpoints are encrypted with. Losing it "
        "makes them unreadable: nothing is sent until each one is rotated.",
    )
    webhook_allowed_networks: Networks = Field(
        default=(),
        description="Networks besides the internet that webhooks may reach, comma separated, such "
        "as 10.1.0.0/16; http is allowed there too. Whoever administers this installation can "
        "then make it send requests to every server in them.",
    )
    webhook_concurrency: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Deliveries that one worker has in flight at once. Too low and many slow "
        "receivers make the others wait; each may hold 256 KiB.",
    )
    webhook_endpoint_concurrency: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Deliveries to the same endpoint that one worker has in flight at once; it "
        "keeps a slow receiver from taking every place, and spares a weak one.",
    )
    webhook_log_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days that ended deliveries stay in the log, and can be sent again. Each "
        "takes up to 256 KiB for its event, once for all endpoints.",
    )

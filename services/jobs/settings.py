"""Settings of the jobs service."""

from services.jobs.webhooks.settings import WebhookSettings
from shared.chassis.settings import BusSettings, DatabaseSettings, Settings


class JobsSettings(Settings, DatabaseSettings, BusSettings, WebhookSettings):
    """What an operator can set; every name is `FREEHOLD_` and the field in capitals."""

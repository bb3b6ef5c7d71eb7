"""Telling the operator of an SMTP server that takes no mail from us at all."""

from typing import Final

from services.mail.smtp import SmtpRelay, TemporaryRefusal
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

CONDITION: Final = "smtp_unusable"
REST_SECONDS: Final = 15.0


class RelayWatch(PeriodicTask):
    """Tries the server at the start and, after a hand-over that did not reach it, until it works.

    A server that takes our mails is not troubled. While it does not, the condition says why.
    """

    name = "relay watch"

    def __init__(self, relay: SmtpRelay, lifecycle: Lifecycle) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=REST_SECONDS,
            waits_action="relay_watch_waits",
            waits_message="the SMTP server is not watched",
        )
        self._relay = relay

    async def run_once(self) -> None:
        """Raise or clear the condition, if there is reason to doubt what it says."""
        if not self._relay.is_doubtful:
            return
        conditions = self._lifecycle.conditions
        try:
            await self._relay.check()
        except TemporaryRefusal as error:
            conditions.raise_condition(
                CONDITION,
                f"FREEHOLD_SMTP_URL names {self._relay.server}, which {error}. "
                "No mail goes out; all wait.",
                "put that server right, then the mails follow by themselves; or correct "
                "FREEHOLD_SMTP_URL, then run `./freehold down` and `./freehold up`.",
                failing=True,
            )
        else:
            conditions.clear(CONDITION)

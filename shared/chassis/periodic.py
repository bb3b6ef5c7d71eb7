"""What is done again and again, with a rest between."""

import asyncio
import logging
from abc import abstractmethod

from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle


class PeriodicTask(BackgroundTask):
    """A background task that does one thing, rests, and does it anew.

    Subclasses write `run_once`. While a part that it needs is away, each try logs one warning and
    the next one comes after the usual rest; any other error ends the process. The first try comes
    at `start`, which does not wait for it; `stop` cancels one that is under way.
    """

    def __init__(
        self, lifecycle: Lifecycle, *, rest_seconds: float, waits_action: str, waits_message: str
    ) -> None:
        """Take the seconds between two tries, and what the log says while something is away."""
        super().__init__(lifecycle)
        self._rest_seconds = rest_seconds
        self._waits_action = waits_action
        self._waits_message = waits_message
        self._logger = logging.getLogger(type(self).__module__)

    @abstractmethod
    async def run_once(self) -> object:
        """Do what is to be done by now; the result is for other callers. Raises Unavailable."""

    async def run(self) -> None:
        """Work and rest until cancelled."""
        while True:
            try:
                await self.run_once()
            except Unavailable:
                self._logger.warning(self._waits_message, extra={"action": self._waits_action})
            await asyncio.sleep(self._rest_seconds)

"""Starting, watching and stopping the parts of a process."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from shared.chassis.conditions import Conditions

logger = logging.getLogger(__name__)


class Component(Protocol):
    """A part with a life of its own."""

    async def start(self) -> None:
        """Return when the part is ready; raise if it cannot become so."""

    async def stop(self) -> None:
        """Finish or give back what is held. May be called twice, and after a failed start."""


ComponentT = TypeVar("ComponentT", bound=Component)


class Lifecycle:
    """The parts of one process, in the order they were started.

    They are stopped in the reverse order, so whatever a part was given is still there while it
    drains. A part that cannot go on calls `fail`, and the process ends with an error: its
    supervisor starts it anew, which is better than a process that is half alive. A part that
    goes on, though not as it should, says so in `conditions`.

    Attributes:
        conditions: what `./freehold status` shows of this process.
    """

    def __init__(self) -> None:
        self.conditions = Conditions()
        self._components: list[Component] = []
        self._drains: list[Callable[[], Awaitable[None]]] = []
        self._failure: asyncio.Future[None] | None = None

    async def start(self, component: ComponentT) -> ComponentT:
        """Start a part, remember it for `stop`, and return it."""
        self._components.append(component)
        await component.start()
        return component

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back when this process has stopped to take new connections, before it closes any.

        For what must take leave of its clients slowly; the process waits for it.
        """
        self._drains.append(callback)

    async def drain(self) -> None:
        """Let all who asked for it drain, together."""
        outcomes = await asyncio.gather(
            *(callback() for callback in self._drains), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                logger.error(
                    "a part did not drain", exc_info=outcome, extra={"action": "drain_failed"}
                )

    def fail(self, error: BaseException) -> None:
        """End the process because of this error; the first one counts."""
        failure = self._failure_future()
        if not failure.done():
            failure.set_exception(error)

    async def failed(self) -> None:
        """Wait until a part fails, and raise its error. Cancelling is safe."""
        await asyncio.shield(self._failure_future())

    async def stop(self) -> None:
        """Stop every part, last started first; an error of one does not keep the others."""
        while self._components:
            component = self._components.pop()
            try:
                await component.stop()
            except Exception:
                logger.exception(
                    "a part did not stop cleanly",
                    extra={"action": "stop_failed", "part": type(component).__name__},
                )

    def _failure_future(self) -> asyncio.Future[None]:
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
        return self._failure


class BackgroundTask(ABC):
    """A component that runs a loop. If the loop ends by an error, the process ends.

    Subclasses write `run`; it is cancelled at `stop`, after `drain` had its say.
    """

    name = "background"

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run(self) -> None:
        """Do the work until cancelled."""

    async def drain(self) -> None:  # noqa: B027 - most tasks have nothing in hand
        """Finish what is in hand before the loop is cancelled; by default nothing is."""

    async def start(self) -> None:
        """Start the loop."""
        self._task = asyncio.create_task(self.run(), name=self.name)
        self._task.add_done_callback(self._report)

    async def stop(self) -> None:
        """Drain, then cancel the loop and wait for it."""
        if self._task is None:
            return
        task, self._task = self._task, None
        try:
            await self.drain()
        finally:
            await end(task)

    def aide(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task beside the loop, whose error ends the process as well; `end` it."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._report)
        return task

    def _report(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._lifecycle.fail(error)


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and return when they have ended; their errors are reported elsewhere.

    The cancellation is repeated each second, because a library may swallow one that meets a
    result.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1.0)

"""What people may do with queues: look at them, pause them, and set their limits."""

from collections.abc import Sequence
from datetime import timedelta

from shared.chassis.database import Database, Record
from shared.chassis.jobs.administration.statements import SQL
from shared.schemas.api.jobs import (
    COUNTED_AT_MOST,
    QueueDepths,
    QueueInfo,
    QueueSettings,
    QueueSettingsUpdate,
)


class QueueAdministration:
    """Reads and steers the queues of one schema. A queue needs not be made before it is set.

    Every method raises Unavailable when PostgreSQL is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def queues(self, *, after: str = "", limit: int = 50) -> list[QueueInfo]:
        """Return the queues that have jobs or settings, by name, after a name."""
        rows = await self._database.fetch(SQL["list_queue_names"], after, limit)
        return await self._read([row["name"] for row in rows])

    async def queue(self, name: str) -> QueueInfo:
        """Return one queue; it is empty and has the defaults if nobody has used it."""
        [queue] = await self._read([name])
        return queue

    async def pause(self, name: str) -> QueueInfo:
        """Start no more jobs of a queue; those that run go on."""
        return await self._set_paused(name, paused=True)

    async def resume(self, name: str) -> QueueInfo:
        """Let a queue's jobs start again; workers look within a second."""
        return await self._set_paused(name, paused=False)

    async def configure(self, name: str, update: QueueSettingsUpdate) -> QueueInfo:
        """Change those of the settings that the update names; the next claim obeys them."""
        async with self._database.transaction() as transaction:
            await transaction.execute(SQL["ensure_queue"], name)
            [row] = await transaction.fetch(SQL["lock_queue_settings"], name)
            settings = {**dict(row), **update.model_dump(exclude_unset=True)}
            await transaction.execute(
                SQL["write_queue_settings"],
                name,
                settings["concurrency"],
                settings["rate_limit"],
                timedelta(seconds=settings["rate_period_seconds"]),
                settings["keep_completed"],
                settings["keep_failed"],
            )
        return await self.queue(name)

    async def _set_paused(self, name: str, *, paused: bool) -> QueueInfo:
        await self._database.execute(SQL["pause_or_resume_queue"], name, paused)
        return await self.queue(name)

    async def _read(self, names: Sequence[str]) -> list[QueueInfo]:
        if not names:
            return []
        rows = await self._database.fetch(SQL["read_queues"], names, COUNTED_AT_MOST)
        return [_queue(row) for row in rows]


def _queue(row: Record) -> QueueInfo:
    values = dict(row)
    return QueueInfo(
        name=row["name"],
        paused=row["paused"],
        depths=QueueDepths.model_validate(values),
        oldest_age_seconds=row["oldest_age_seconds"],
        settings=QueueSettings.model_validate(values),
    )

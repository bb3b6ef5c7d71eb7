"""The stream that every process reads, one for each epoch."""

from pathlib import Path
from typing import Final

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import FieldTable

from services.realtime import store
from services.realtime.settings import RealtimeSettings
from services.realtime.store import Epoch
from shared.chassis.database import Database
from shared.chassis.outbox import REALTIME_EXCHANGE

_ARGUMENTS: Final[FieldTable] = {
    "x-queue-type": "stream",
    # The broker drops whole segments, so they are small beside the bounds.
    "x-max-age": "2h",
    "x-max-length-bytes": 200_000_000,
    "x-stream-max-segment-size-bytes": 10_000_000,
}
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def stream_name(epoch: str) -> str:
    """Return the name of an epoch's stream."""
    return f"{REALTIME_EXCHANGE}.{epoch}"


def host_boot_id() -> str:
    """Return what distinguishes this run of the host from the ones before."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


async def declare_topology(settings: RealtimeSettings, channel: AbstractChannel) -> None:
    """Declare the stream of the present epoch, at `migrate`."""
    database = Database(settings, "realtime")
    await database.start()
    try:
        await ensure_stream(database, channel, boot_id=host_boot_id())
    finally:
        await database.stop()


async def ensure_stream(database: Database, channel: AbstractChannel, *, boot_id: str) -> Epoch:
    """Make sure that the present epoch has its stream; begin a new epoch if it may have lost any.

    A stream is not forced to disk, so after a restart of the host its last messages may be gone
    and their offsets may be given to others. The same holds if the stream itself is gone.
    """
    epoch = await store.current_epoch(database)
    if epoch.boot_id is not None and (
        epoch.boot_id != boot_id or not await _exists(channel, stream_name(epoch.name))
    ):
        return await replace_epoch(database, channel, epoch.name, boot_id=boot_id)
    await _declare(database, channel, epoch, boot_id)
    return epoch


async def replace_epoch(
    database: Database, channel: AbstractChannel, old: str, *, boot_id: str
) -> Epoch:
    """Begin the epoch after `old` with a stream of its own; safe to call from many processes."""
    epoch = await store.begin_epoch(database, old)
    await _declare(database, channel, epoch, boot_id)
    return epoch


async def _declare(
    database: Database, channel: AbstractChannel, epoch: Epoch, boot_id: str
) -> None:
    queue = await channel.declare_queue(stream_name(epoch.name), durable=True, arguments=_ARGUMENTS)
    await queue.bind(REALTIME_EXCHANGE, "message")
    await store.mark_declared(database, epoch.name, boot_id=boot_id)
    if epoch.previous:  # last, so that messages always have a stream to go to
        await channel.queue_delete(stream_name(epoch.previous))


async def _exists(channel: AbstractChannel, name: str) -> bool:
    try:
        await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity:
        await channel.reopen()
        return False
    return True

"""What the realtime service does when something happens elsewhere."""

from services.realtime.channels import Channel
from shared.chassis.database import Transaction
from shared.chassis.outbox import Outbox
from shared.schemas.events.envelope import Event
from shared.schemas.events.files import FileReady, FileRejected


class FileNews:
    """Tells owners what became of their files, on their own channel."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def on_file_ready(self, transaction: Transaction, event: Event[FileReady]) -> None:
        """Queue `file.ready` with the File, in the inbox's transaction."""
        await self._outbox.publish_room_message(
            transaction,
            channel=Channel.of_user(event.data.owner_id).name,
            event=event.type,
            data=event.data.file.model_dump(mode="json"),
        )

    async def on_file_rejected(self, transaction: Transaction, event: Event[FileRejected]) -> None:
        """Queue `file.rejected` with the file's id and the reason, in the inbox's transaction."""
        await self._outbox.publish_room_message(
            transaction,
            channel=Channel.of_user(event.data.owner_id).name,
            event=event.type,
            data={"id": str(event.data.file_id), "reason": event.data.reason},
        )

"""Publishing a message: the one rule for HTTP and the socket."""

from typing import Any
from uuid import UUID

from services.realtime.channels import is_event_name, require_channel, require_scope
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.outbox import Outbox
from shared.schemas.problems import FieldError, ProblemCode


class Publisher:
    """Writes messages into the outbox, from where the worker brings them to every process."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def publish(self, identity: Identity, *, channel: str, event: str, data: Any) -> UUID:
        """Store a message for everybody on a channel and return its id.

        Once this returns the message is kept and will be sent, even if the process dies or the
        broker is away. Raises Problem, or Unavailable when Postgres is away.
        """
        require_scope(identity)
        target = require_channel(identity, channel)
        if not is_event_name(event):
            message = "An event name has 1 to 100 letters, digits and _.:/- and no spaces."
            raise Problem(
                ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="event", message=message)]
            )
        async with self._database.transaction() as transaction:
            return await self._outbox.publish_room_message(
                transaction, channel=target.name, event=event, data=data
            )

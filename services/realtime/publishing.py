"""Publishing a message: the one rule for HTTP and the socket."""

import json
import re
from typing import Any, Final
from uuid import UUID

from services.realtime.channels import is_event_name, require_channel, require_scope
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.outbox import Outbox
from shared.schemas.problems import FieldError, ProblemCode

_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON writes it, and not a text about it."""


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
            raise _invalid(
                "event", "An event name has 1 to 100 letters, digits and _.:/- and no spaces."
            )
        if not _is_storable(data):
            raise _invalid(
                "data", "Numbers are finite, and texts hold neither NUL nor halves of characters."
            )
        async with self._database.transaction() as transaction:
            return await self._outbox.publish_room_message(
                transaction, channel=target.name, event=event, data=data
            )


def _is_storable(data: Any) -> bool:
    """Tell whether PostgreSQL can keep a JSON value; it takes less than Python does."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        return False
    return _NUL.search(text) is None


def _invalid(field: str, message: str) -> Problem:
    return Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=field, message=message)])

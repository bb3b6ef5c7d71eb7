"""Channels: how they are named and who may use them."""

import re
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.problems import ProblemCode
from shared.schemas.scopes import REALTIME

SCOPE: Final = REALTIME
"""What an API key needs to publish."""
_ROOM: Final = re.compile(r"room:[A-Za-z0-9][A-Za-z0-9_.:@/+-]{0,127}")
_EVENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")


@dataclass(frozen=True, slots=True)
class Channel:
    """A name that messages are published to: `room:<name>` or `user:<id>`."""

    name: str
    user_id: UUID | None
    """Whose channel it is; None for a room."""

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the channel of this name. Raises Problem `channel_invalid`."""
        if _ROOM.fullmatch(name):
            return cls(name, None)
        kind, _, owner = name.partition(":")
        if kind == "user":
            try:
                user_id = UUID(owner)
            except ValueError:
                pass
            else:
                if str(user_id) == owner:  # one channel has one spelling
                    return cls(name, user_id)
        raise Problem(
            ProblemCode.CHANNEL_INVALID,
            "A channel is `room:<name>`, the name of 1 to 128 letters, digits and _.:@/+-, or "
            "`user:<id>`.",
        )

    @classmethod
    def of_user(cls, user_id: UUID) -> Self:
        """Return a user's own channel."""
        return cls(f"user:{user_id}", user_id)


def require_channel(identity: Identity, name: str) -> Channel:
    """Return a channel that this identity may read and publish to. Raises Problem."""
    channel = Channel.parse(name)
    if channel.user_id is not None and channel.user_id != identity.user_id:
        raise Problem(ProblemCode.CHANNEL_FORBIDDEN, "Only its owner may use a `user:` channel.")
    return channel


def require_scope(identity: Identity) -> None:
    """Refuse an API key that was not made for this. Raises Problem `scope_missing`."""
    if identity.scopes is not None and SCOPE not in identity.scopes:
        raise Problem(ProblemCode.SCOPE_MISSING, f"The API key lacks the scope `{SCOPE}`.")


def is_event_name(text: str) -> bool:
    """Tell whether a text can name an event."""
    return _EVENT.fullmatch(text) is not None

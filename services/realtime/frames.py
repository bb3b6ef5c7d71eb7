"""The JSON frames of the socket: what clients may send, and what they are answered."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.chassis.validation import sentence
from shared.schemas.problems import ProblemCode

OPERATIONS: Final = ("auth", "subscribe", "unsubscribe", "publish", "ping")

FrameId = Annotated[str, Field(max_length=64)] | Annotated[int, Field(ge=0, lt=2**53)] | None
"""Chosen by the client, given back with the answer."""


class CloseCode:
    """Why the server closes a connection."""

    UNSUPPORTED_DATA: Final = 1003
    RESTART: Final = 1012
    TRY_AGAIN_LATER: Final = 1013
    NOT_AUTHENTICATED: Final = 4401
    FORBIDDEN: Final = 4403
    TOO_SLOW: Final = 4408


class FrameErrorCode(StrEnum):
    """Errors that exist on the socket only; all others are problem codes."""

    UNKNOWN_OP = "unknown_op"
    TOO_MANY_CHANNELS = "too_many_channels"


class FrameError(Exception):
    """A frame that is answered with an error; the connection goes on."""

    def __init__(
        self, code: FrameErrorCode | ProblemCode, detail: str, *, frame_id: str | int | None = None
    ) -> None:
        self.code = code
        self.detail = detail
        self.frame_id = frame_id
        super().__init__(f"{code.value}: {detail}")


class _ClientFrame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: FrameId = None


Position = Annotated[str, Field(min_length=1, max_length=64)]
ChannelName = Annotated[str, Field(min_length=1, max_length=200)]


class AuthFrame(_ClientFrame):
    """Log in, or renew a live connection; `recover` applies to the user's own channel."""

    op: Literal["auth"]
    token: str = Field(min_length=1, max_length=4096, repr=False)
    recover: Position | None = None


class SubscribeFrame(_ClientFrame):
    """Get a channel's messages from now on, or from after a position."""

    op: Literal["subscribe"]
    channel: ChannelName
    recover: Position | None = None


class UnsubscribeFrame(_ClientFrame):
    """Get a channel's messages no longer."""

    op: Literal["unsubscribe"]
    channel: ChannelName


class PublishFrame(_ClientFrame):
    """Send a message to everybody on a channel."""

    op: Literal["publish"]
    channel: ChannelName
    event: str = Field(min_length=1, max_length=100)
    data: Any = None


class PingFrame(_ClientFrame):
    """Ask whether the server is there."""

    op: Literal["ping"]


ClientFrame = AuthFrame | SubscribeFrame | UnsubscribeFrame | PublishFrame | PingFrame
_CLIENT_FRAME: Final[TypeAdapter[ClientFrame]] = TypeAdapter(
    Annotated[ClientFrame, Field(discriminator="op")]
)


def parse_frame(text: str) -> ClientFrame:
    """Read a client's frame. Raises FrameError that says what is wrong with it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError(ProblemCode.INVALID_JSON, "A frame is one JSON object.") from error
    if not isinstance(value, dict):
        raise FrameError(ProblemCode.INVALID_JSON, "A frame is one JSON object.")
    frame_id = value.get("id")
    if not isinstance(frame_id, str | int) or isinstance(frame_id, bool):
        frame_id = None
    if value.get("op") not in OPERATIONS:
        raise FrameError(
            FrameErrorCode.UNKNOWN_OP,
            f"`op` is one of {', '.join(OPERATIONS)}.",
            frame_id=frame_id,
        )
    try:
        return _CLIENT_FRAME.validate_python(value)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'][1:]))}: {sentence(fault)}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise FrameError(ProblemCode.VALIDATION_FAILED, faults, frame_id=frame_id) from error


@dataclass(frozen=True, slots=True)
class ServerFrame:
    """A frame as it is sent: encoded once, however many receive it."""

    text: str
    size: int
    """Bytes in UTF-8."""


def _encode(value: dict[str, Any]) -> ServerFrame:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return ServerFrame(text, len(text.encode()))
    except UnicodeEncodeError:  # half a surrogate pair, given back to the client that sent it
        text = json.dumps(value, separators=(",", ":"))
        return ServerFrame(text, len(text))


def ready_frame(
    frame_id: str | int | None,
    *,
    connection_id: UUID,
    user_id: UUID,
    expires_in: int,
    recovered: bool,
    position: str,
) -> ServerFrame:
    """Answer the first `auth`; `expires_in` is in seconds."""
    return _encode(
        {
            "op": "ready",
            "id": frame_id,
            "connection_id": str(connection_id),
            "user_id": str(user_id),
            "expires_in": expires_in,
            "recovered": recovered,
            "position": position,
        }
    )


def ok_frame(frame_id: str | int | None, **values: Any) -> ServerFrame:
    """Answer a frame that did what it asked for."""
    return _encode({"op": "ok", "id": frame_id, **values})


def error_frame(
    frame_id: str | int | None, code: FrameErrorCode | ProblemCode, detail: str
) -> ServerFrame:
    """Answer a frame that could not be followed."""
    value = {"op": "error", "code": code.value, "detail": detail}
    return _encode(value if frame_id is None else {**value, "id": frame_id})


def event_frame(*, channel: str, event: str, data: Any, position: str, at: str) -> ServerFrame:
    """Tell of a message on a channel; `at` is RFC 3339."""
    return _encode(
        {
            "op": "event",
            "channel": channel,
            "event": event,
            "data": data,
            "position": position,
            "at": at,
        }
    )

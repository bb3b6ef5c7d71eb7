"""What a client's frames do: log in, subscribe, publish."""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

from services.realtime import frames
from services.realtime.channels import Channel, require_channel, require_scope
from services.realtime.connection import Connection
from services.realtime.frames import (
    AuthFrame,
    ClientFrame,
    CloseCode,
    FrameError,
    FrameErrorCode,
    PingFrame,
    PublishFrame,
    SubscribeFrame,
    UnsubscribeFrame,
)
from services.realtime.history import Position
from services.realtime.hub import Hub
from services.realtime.limits import TokenBucket
from services.realtime.publishing import Publisher
from services.realtime.settings import RealtimeSettings
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.identity.revocations import RevocationList
from shared.chassis.identity.tokens import Identity, InvalidToken, TokenVerifier
from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import ProblemCode

_CLOSE_CODES: Final[dict[HTTPStatus | None, int]] = {
    HTTPStatus.FORBIDDEN: CloseCode.FORBIDDEN,
    HTTPStatus.SERVICE_UNAVAILABLE: CloseCode.TRY_AGAIN_LATER,
}


@dataclass(frozen=True)
class SessionParts:
    """What every session of a process shares."""

    hub: Hub
    verifier: TokenVerifier
    revocations: RevocationList
    publisher: Publisher
    settings: RealtimeSettings


class Session:
    """The conversation with one client, from its first frame to its end."""

    def __init__(self, connection: Connection, parts: SessionParts) -> None:
        self._connection = connection
        self._parts = parts
        self._identity: Identity | None = None
        self._bucket = TokenBucket(
            rate=parts.settings.realtime_frames_per_second,
            burst=parts.settings.realtime_frame_burst,
        )
        self._timer = asyncio.get_running_loop().call_later(
            parts.settings.realtime_auth_seconds,
            connection.close,
            CloseCode.NOT_AUTHENTICATED,
            "no `auth` frame came in time",
        )

    @property
    def session_id(self) -> UUID | None:
        """The log-in session that the socket belongs to; None before `auth`."""
        return None if self._identity is None else self._identity.session_id

    def end(self) -> None:
        """Stop the clock; called when the socket has ended."""
        self._timer.cancel()

    async def handle(self, text: str) -> None:
        """Follow one frame and queue its answer. A frame in error never ends the process."""
        frame_id: str | int | None = None
        try:
            self._require_rate()
            frame = frames.parse_frame(text)
            frame_id = frame.id
            await self._follow(frame)
        except FrameError as error:
            named = frame_id if error.frame_id is None else error.frame_id
            self._refuse(named, error.code, error.detail)
        except Problem as error:
            detail = "; ".join(fault.message for fault in error.errors or ()) or error.detail
            self._refuse(frame_id, error.code, detail)

    def _require_rate(self) -> None:
        if not self._bucket.take():
            rate = self._parts.settings.realtime_frames_per_second
            raise FrameError(
                ProblemCode.RATE_LIMITED,
                f"The frame was ignored: a client may send {rate:g} a second in the long run.",
            )

    async def _follow(self, frame: ClientFrame) -> None:
        if isinstance(frame, AuthFrame):
            await self._log_in(frame)
            return
        identity = self._identity
        if identity is None:
            self._refuse(
                frame.id, ProblemCode.AUTHENTICATION_REQUIRED, "The first frame is `auth`."
            )
            return
        match frame:
            case SubscribeFrame():
                await self._subscribe(identity, frame)
            case UnsubscribeFrame():
                self._parts.hub.unsubscribe(self._connection, frame.channel)
                self._answer(frame.id, channel=frame.channel)
            case PublishFrame():
                await self._publish(identity, frame)
            case PingFrame():
                self._answer(frame.id)

    async def _log_in(self, frame: AuthFrame) -> None:
        before = self._identity
        recover = await self._catch_up(frame.recover)
        identity = await self._verify(frame.token)
        if self._connection.closing:
            return
        if before is not None and before.user_id != identity.user_id:
            self._connection.close(CloseCode.FORBIDDEN, "the token to renew with is another user's")
            return
        self._identity = identity
        hub = self._parts.hub
        hub.log_in(
            self._connection, identity.session_id, before=before.session_id if before else None
        )
        expires_in = max(0, identity.expires_at - int(time.time()))
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(
            identity.expires_at - time.time(), self._expire
        )
        if before is not None:
            self._answer(frame.id, expires_in=expires_in)
            return
        channel = Channel.of_user(identity.user_id)
        missed = hub.subscribe(self._connection, channel.name, recover)
        position = recover if missed else hub.position
        self._connection.enqueue(
            frames.ready_frame(
                frame.id,
                connection_id=self._connection.id,
                user_id=identity.user_id,
                expires_in=expires_in,
                recovered=missed is not None,
                position=str(position),
            )
        )
        for event in missed or ():
            self._connection.enqueue(event)

    async def _verify(self, token: str) -> Identity:
        """Return whom a token names. Raises Problem."""
        try:
            identity = await self._parts.verifier.verify(token)
        except InvalidToken as error:
            raise Problem(error.code) from error
        require_scope(identity)
        # No await from here until the hub knows the session: a revocation that comes later finds
        # it there.
        if self._parts.revocations.stale:
            raise Unavailable("auth")
        if self._parts.revocations.is_revoked(identity):
            raise Problem(ProblemCode.TOKEN_REVOKED)
        return identity

    async def _subscribe(self, identity: Identity, frame: SubscribeFrame) -> None:
        channel = require_channel(identity, frame.channel)
        subscriptions = self._connection.subscriptions
        limit = self._parts.settings.realtime_channels
        if channel.name not in subscriptions and len(subscriptions) >= limit:
            raise FrameError(
                FrameErrorCode.TOO_MANY_CHANNELS,
                f"A connection may be on {limit} channels; unsubscribe from one first.",
                frame_id=frame.id,
            )
        hub = self._parts.hub
        recover = await self._catch_up(frame.recover)
        missed = hub.subscribe(self._connection, channel.name, recover)
        # With messages still to come, the place to recover from is the one the client named.
        position = recover if missed else hub.position
        self._answer(
            frame.id,
            channel=channel.name,
            recovered=missed is not None,
            position=str(position),
        )
        for event in missed or ():
            self._connection.enqueue(event)

    async def _publish(self, identity: Identity, frame: PublishFrame) -> None:
        if self._parts.revocations.stale:
            raise Unavailable("auth")
        message_id = await self._parts.publisher.publish(
            identity, channel=frame.channel, event=frame.event, data=frame.data
        )
        self._answer(frame.id, message_id=str(message_id))

    async def _catch_up(self, recover: str | None) -> Position | None:
        if recover is None:
            return None
        position = Position.parse(recover)
        if position is None:  # of another time or not one of ours: nothing can be recovered
            return Position("", 0)
        await self._parts.hub.catch_up_with(position)
        # Recoveries of several channels follow each other, so together they cannot be too much.
        await self._connection.drained()
        return position

    def _answer(self, frame_id: str | int | None, **values: object) -> None:
        self._connection.enqueue(frames.ok_frame(frame_id, **values))

    def _refuse(
        self, frame_id: str | int | None, code: FrameErrorCode | ProblemCode, detail: str
    ) -> None:
        """Answer with an error; without a log-in that is also the end."""
        self._connection.enqueue(frames.error_frame(frame_id, code, detail))
        if self._identity is None:
            status = PROBLEMS[code].status if isinstance(code, ProblemCode) else None
            close_code = _CLOSE_CODES.get(status, CloseCode.NOT_AUTHENTICATED)
            self._connection.close(close_code, code.value)

    def _expire(self) -> None:
        self._connection.close(
            CloseCode.NOT_AUTHENTICATED, "the access token has expired", at_once=True
        )

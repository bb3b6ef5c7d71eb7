"""Telling applications that somebody's session has ended (OpenID Connect Back-Channel Logout)."""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.provider import store
from services.auth.provider.signing import sign
from services.auth.provider.store import Client
from services.auth.signing_keys import KeyRing
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import PermanentFailure
from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.jobs.running import RunningJob
from shared.chassis.outgoing.requests import OutgoingRequests, Unreachable
from shared.schemas.events.auth import SessionRevoked
from shared.schemas.events.envelope import Event

logger = logging.getLogger(__name__)

TOKEN_TYPE: Final = "logout+jwt"  # noqa: S105 - the name of a type
TOKEN_SECONDS: Final = 120
ANSWER_SECONDS: Final = 10.0
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


class NotifyApplication(Job):
    """Tell one application of one session's end. The attempts reach over an hour and a half."""

    kind: ClassVar[str] = "notify_application"
    queue: ClassVar[str] = "auth.logouts"
    attempts: ClassVar[int] = 11
    timeout_seconds: ClassVar[float] = 30.0
    client_id: str
    user_id: UUID
    sid: UUID


class RefusedNotice(Exception):  # noqa: N818 - what the application did
    """The application did not take the notice; it is tried again."""


class LogoutNotices:
    """Queues one job for each application that a session signed into, and sends the notices."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        keys: KeyRing,
        requests: OutgoingRequests,
        *,
        issuer: str,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._keys = keys
        self._requests = requests
        self._issuer = issuer

    async def on_session_revoked(
        self, transaction: Transaction, event: Event[SessionRevoked]
    ) -> None:
        """Queue the notices in the inbox's transaction; of an API key nobody was told."""
        participants = await store.take_participants(transaction, event.data.session_id)
        await self._jobs.enqueue_many(
            transaction,
            [
                NotifyApplication(client_id=one.client_id, user_id=one.user_id, sid=one.sid)
                for one in participants
            ],
        )

    async def send(self, job: RunningJob[NotifyApplication]) -> None:
        """Hand one notice over; it is signed now, so that none lies in a queue.

        Raises RefusedNotice, Unreachable and TimeoutError to be retried, and PermanentFailure if
        the application says that the notice itself is wrong.
        """
        notice = job.command
        client = await store.find_client(self._database, notice.client_id)
        if client is None or client.backchannel_logout_uri is None:
            return
        status = await self._post(client.backchannel_logout_uri, self._token(client, notice))
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        problem = f"{client.name} answered {status} to a notice of logout"
        if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
            raise RefusedNotice(problem)
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise PermanentFailure(f"{problem}; look at its backchannel_logout_uri and its log")
        raise RefusedNotice(problem)

    def _token(self, client: Client, notice: NotifyApplication) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": client.id,
            "sub": str(notice.user_id),
            "sid": str(notice.sid),
            "jti": str(uuid7()),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "events": {EVENT: {}},
        }
        return sign(self._keys, client.id_token_algorithm, TOKEN_TYPE, claims)

    async def _post(self, url: str, token: str) -> int:
        headers = {
            "User-Agent": "Freehold",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({"logout_token": token}).encode()
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._requests.open("POST", url, headers, body) as response,
            ):
                return response.status
        except ValueError as error:
            raise PermanentFailure(f"{url} cannot be reached: {error}") from error
        except Unreachable as error:
            logger.warning(
                "an application could not be told of a logout",
                extra={"action": "logout_notice_failed", "cause": str(error)},
            )
            raise

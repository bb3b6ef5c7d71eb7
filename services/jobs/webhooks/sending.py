"""One attempt: a POST to exactly an address that was checked."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpcore2

from shared.chassis.outgoing.requests import OutgoingRequests, Unreachable

ANSWER_SECONDS: Final = 15.0
"""From the question to the resolver to the head of the answer."""
BODY_SECONDS: Final = 2.0
"""For the beginning of its body, which only people read."""
KEPT_BYTES: Final = 1024
READ_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt."""

    duration: float | None = None
    """Seconds; None when nothing was tried."""
    status: int | None = None
    text: str | None = None
    """The first KiB of the body."""
    error: str | None = None
    """Why it is no success, in words."""
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.error is None


class Sender:
    """Sends messages. Safe to use from many tasks."""

    def __init__(self, requests: OutgoingRequests) -> None:
        self._requests = requests

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one attempt; it takes 18 seconds at most. Cancelling closes the connection."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS) as limit:
                status, text, retry_after = await self._post(url, headers, body, limit)
        except (Unreachable, ValueError) as error:
            return Answer(time.monotonic() - started, error=str(error))
        except TimeoutError:
            error_text = f"there was no answer within {ANSWER_SECONDS:.0f} seconds"
            return Answer(time.monotonic() - started, error=error_text)
        return Answer(
            time.monotonic() - started,
            status=status,
            text=text,
            error=_error(status),
            retry_after=retry_after,
        )

    async def _post(
        self, url: str, headers: Mapping[str, str], body: bytes, limit: asyncio.Timeout
    ) -> tuple[int, str, str | None]:
        sent = {"User-Agent": "Freehold-Webhooks", "Content-Type": "application/json", **headers}
        async with self._requests.open("POST", url, sent, body) as response:
            now = asyncio.get_running_loop().time()
            limit.reschedule(now + BODY_SECONDS + 1.0)
            text = await _beginning(response)
            return response.status, text, _header(response, b"retry-after")


async def _beginning(response: httpcore2.Response) -> str:
    # The status is the verdict. A body that does not end, or breaks off, changes nothing about it;
    # trying again after a 200 would only send the message twice.
    kept = bytearray()
    read = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in response.aiter_stream():
                kept += chunk[: KEPT_BYTES - len(kept)]
                read += len(chunk)
                if read >= READ_BYTES:
                    break
    except (TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError):
        pass
    return kept.decode("utf-8", "replace").replace("\0", "\ufffd")


def _header(response: httpcore2.Response, name: bytes) -> str | None:
    values = [value for key, value in response.headers if key.lower() == name]
    return values[0].decode("latin-1") if values else None


def _error(status: int) -> str | None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return (
            f"the receiver answered {status}, and redirects are not followed; set the url to where "
            "it leads"
        )
    if status == HTTPStatus.GONE:
        return "the receiver answered 410: it wants no more messages"
    return f"the receiver answered {status}"

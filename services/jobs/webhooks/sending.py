"""One attempt: a POST to exactly an address that was checked."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, Protocol

import httpcore2

from services.jobs.webhooks.addresses import AddressGuard, IPAddress
from services.jobs.webhooks.urls import Target, parse_target

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 15.0
"""From the question to the resolver to the head of the answer."""
BODY_SECONDS: Final = 2.0
"""For the beginning of its body, which only people read."""
KEPT_BYTES: Final = 1024
READ_BYTES: Final = 64 * 1024
_ADDRESSES_TRIED: Final = 4
_RESOLVER_THREADS: Final = 32


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


class Undeliverable(Exception):  # noqa: N818 - what happened; the text goes to the delivery log
    """The message could not be handed over; the text says why."""


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def resolve(self, host: str, port: int) -> list[IPAddress]:
        """Return the addresses, or an empty list. Raises OSError."""


class SystemResolver:
    """Asks the system's resolver, in threads of its own: a slow name server holds up no others."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Make the threads' pool; each thread begins with its first question."""
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, "resolve")

    async def stop(self) -> None:
        """Ask nothing more; answers on their way are not waited for."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def resolve(self, host: str, port: int) -> list[IPAddress]:
        """Return the addresses, or an empty list. Raises OSError."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, host, port
        )
        return list(dict.fromkeys(ip_address(address) for address in found))


class Sender:
    """Sends messages to addresses that the guard has let pass.

    A name is resolved once an attempt, every address found is checked, and the connection goes to
    one of these, so a name that points elsewhere a moment later gains nothing. Neither redirects
    nor proxies are followed, and no connection is kept. Safe to use from many tasks.
    """

    def __init__(
        self, guard: AddressGuard, resolver: Resolver, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take the guard, the resolver and, in place of the system's, a TLS context."""
        self._guard = guard
        self._resolver = resolver
        self._tls = tls or httpcore2.default_ssl_context()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Make one attempt; it takes 18 seconds at most. Cancelling closes the connection."""
        started = time.monotonic()
        try:
            target = parse_target(url)
            async with asyncio.timeout(ANSWER_SECONDS) as limit:
                addresses = await self._checked_addresses(target)
                status, text, retry_after = await self._post(
                    target, addresses, headers, body, limit
                )
        except (Undeliverable, ValueError) as error:
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

    async def _checked_addresses(self, target: Target) -> list[IPAddress]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                addresses = await self._resolver.resolve(target.host, target.port)
        except TimeoutError:
            raise Undeliverable(
                f"the name {target.host} was not resolved within {CONNECT_SECONDS:.0f} seconds"
            ) from None
        except (OSError, UnicodeError) as error:
            raise Undeliverable(f"the name {target.host} could not be resolved") from error
        if not addresses:
            raise Undeliverable(f"the name {target.host} has no address")
        for address in addresses:
            refusal = self._guard.refusal(address, encrypted=target.encrypted)
            if refusal is not None:
                raise Undeliverable(
                    f"nothing was sent to {target.host}: {refusal}; a receiver in the own network "
                    "has to be allowed by FREEHOLD_WEBHOOK_ALLOWED_NETWORKS"
                )
        return addresses[:_ADDRESSES_TRIED]

    async def _post(
        self,
        target: Target,
        addresses: Sequence[IPAddress],
        headers: Mapping[str, str],
        body: bytes,
        limit: asyncio.Timeout,
    ) -> tuple[int, str, str | None]:
        sent = [
            ("Host", target.host_header),
            ("User-Agent", "Freehold-Webhooks"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *headers.items(),
        ]
        pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            max_keepalive_connections=0,
            network_backend=_CheckedNetwork(addresses),
        )
        try:
            async with (
                pool,
                pool.stream(
                    "POST",
                    httpcore2.URL(
                        scheme=target.scheme,
                        host=target.host,
                        port=target.port,
                        target=target.path,
                    ),
                    headers=sent,
                    content=body,
                    extensions={"timeout": {"connect": CONNECT_SECONDS}},
                ) as response,
            ):
                now = asyncio.get_running_loop().time()
                limit.reschedule(now + BODY_SECONDS + 1.0)
                text = await _beginning(response)
                return response.status, text, _header(response, b"retry-after")
        except httpcore2.ConnectTimeout as error:
            raise Undeliverable(
                f"there was no connection within {CONNECT_SECONDS:.0f} seconds"
            ) from error
        except httpcore2.ConnectError as error:
            raise Undeliverable(f"no connection: {_cause(error)}") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Undeliverable(
                f"the connection ended before a whole answer had come: {_cause(error)}"
            ) from error


class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to addresses it was made with, whatever name is asked for."""

    def __init__(self, addresses: Sequence[IPAddress]) -> None:
        self._addresses = addresses
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - already resolved and checked
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        *others, last = self._addresses
        for address in others:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(
            str(last), port, timeout, local_address, socket_options
        )

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _look_up(host: str, port: int) -> list[str]:
    return [
        str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]


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


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__

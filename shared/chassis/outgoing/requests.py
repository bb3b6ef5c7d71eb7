"""One request to exactly an address that was checked."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Final, Protocol

import httpcore2

from shared.chassis.outgoing.addresses import AddressGuard, IPAddress
from shared.chassis.outgoing.urls import Target, parse_target

CONNECT_SECONDS: Final = 5.0
_ADDRESSES_TRIED: Final = 4
_RESOLVER_THREADS: Final = 32


class Unreachable(Exception):  # noqa: N818 - what happened; the text is for whoever set the URL
    """A request was not sent, or no whole answer came; the text says why."""


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


class OutgoingRequests:
    """Sends requests to addresses that the guard has let pass.

    A name is resolved once a request, every address found is checked, and the connection goes to
    one of these, so a name that points elsewhere a moment later gains nothing. Neither redirects
    nor proxies are followed, and no connection is kept. Safe to use from many tasks.
    """

    def __init__(
        self, guard: AddressGuard, resolver: Resolver, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take the guard, the resolver and, in place of the system's, a TLS context."""
        self._guard = guard
        self._resolver = resolver
        self._tls = tls or _system_tls()

    @asynccontextmanager
    async def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator[httpcore2.Response]:
        """Yield an answer whose head has come; whoever asks limits the time and reads the body.

        Raises Unreachable, and ValueError for a URL that nothing can be sent to. Cancelling
        closes the connection.
        """
        target = parse_target(url)
        addresses = await self._checked_addresses(target)
        pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            max_keepalive_connections=0,
            network_backend=_CheckedNetwork(addresses),
        )
        length = [("Content-Length", str(len(body)))] if body else []
        sent = [("Host", target.host_header), *length, ("Connection", "close"), *headers.items()]
        try:
            async with (
                pool,
                pool.stream(
                    method,
                    httpcore2.URL(
                        scheme=target.scheme,
                        host=target.host,
                        port=target.port,
                        target=target.path,
                    ),
                    headers=sent,
                    content=body or None,
                    extensions={"timeout": {"connect": CONNECT_SECONDS}},
                ) as response,
            ):
                yield response
        except httpcore2.ConnectTimeout as error:
            raise Unreachable(
                f"there was no connection within {CONNECT_SECONDS:.0f} seconds"
            ) from error
        except httpcore2.ConnectError as error:
            raise Unreachable(f"no connection: {_cause(error)}") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Unreachable(
                f"the connection ended before a whole answer had come: {_cause(error)}"
            ) from error

    async def fetch(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        seconds: float,
        most_bytes: int,
    ) -> Answer:
        """Return a whole answer that came in time and is no longer than it may be.

        Raises as `open` does.
        """
        try:
            async with (
                asyncio.timeout(seconds),
                self.open(method, url, headers, body) as response,
            ):
                read = bytearray()
                async for chunk in response.aiter_stream():
                    read += chunk
                    if len(read) > most_bytes:
                        raise Unreachable(f"the answer has more than {most_bytes} bytes")
                return Answer(response.status, _headers(response), bytes(read))
        except TimeoutError:
            raise Unreachable(f"there was no whole answer within {seconds:.0f} seconds") from None

    async def _checked_addresses(self, target: Target) -> list[IPAddress]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                addresses = await self._resolver.resolve(target.host, target.port)
        except TimeoutError:
            raise Unreachable(
                f"the name {target.host} was not resolved within {CONNECT_SECONDS:.0f} seconds"
            ) from None
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the name {target.host} could not be resolved") from error
        if not addresses:
            raise Unreachable(f"the name {target.host} has no address")
        for address in addresses:
            refusal = self._guard.refusal(address, encrypted=target.encrypted)
            if refusal is not None:
                raise Unreachable(
                    f"nothing was sent to {target.host}: {refusal}; a receiver in the own network "
                    f"has to be allowed by {self._guard.setting}"
                )
        return addresses[:_ADDRESSES_TRIED]


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


@cache
def _system_tls() -> ssl.SSLContext:
    # One for all of the process: to read the system's certificates takes 60 ms each time.
    return httpcore2.default_ssl_context()


def _look_up(host: str, port: int) -> list[str]:
    return [
        str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]


def _headers(response: httpcore2.Response) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__

"""A client of the public API, as an application's developer would write it."""

import asyncio
import json
import re
from types import TracebackType
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.journey.stack import RunningStack, new_address
from tests.parts.waiting import PATIENCE_SECONDS

PASSWORD = "correct horse battery staple"
LONG_SECONDS = 180.0
"""For what a stack of twenty processes does on a machine that has other things to do."""


class Client:
    """One user's calls."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.http = httpx2.AsyncClient(base_url=stack.url, timeout=LONG_SECONDS)
        self.email = new_address()
        self.session: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    @property
    def user_id(self) -> str:
        """The user's id."""
        return str(self.session["user"]["id"])

    async def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Call the API with the user's token, if there is one."""
        headers = dict(options.pop("headers", {}))
        if self.session:
            headers.setdefault("Authorization", f"Bearer {self.session['access_token']}")
        return await self.http.request(method, path, headers=headers, **options)

    async def persist(
        self, method: str, path: str, expected: int, **options: Any
    ) -> httpx2.Response:
        """Call until the answer is the expected one, as a client with retries does."""
        answer: object = None
        async with asyncio.timeout(LONG_SECONDS):
            while True:
                try:
                    response = await self.call(method, path, **options)
                except httpx2.TransportError as error:
                    answer = error
                else:
                    if response.status_code == expected:
                        return response
                    assert response.status_code in {502, 503, 504}, response.text
                    answer = response.text
                await asyncio.sleep(0.2)
        raise AssertionError(answer)

    async def sign_up(self) -> None:
        """Ask for an account, take the link from the mail, and redeem it."""
        body = {"email": self.email, "password": PASSWORD, "name": "Ada"}
        await self.persist("POST", "/v1/auth/signup", 202, json=body)
        await self.verify()

    async def verify(self) -> None:
        """Redeem the link of the verification mail, which opens a session."""
        mails = await self.stack.mails(self.email)
        answer = await self.persist(
            "POST",
            "/v1/auth/verify",
            200,
            json={"token": link_token(mails[0]["text"]), "token_delivery": "body"},
        )
        self.session = answer.json()

    async def log_in(self) -> dict[str, Any]:
        """Open a new session with the password."""
        body = {"email": self.email, "password": PASSWORD, "token_delivery": "body"}
        answer = await self.persist("POST", "/v1/auth/login", 200, json=body)
        self.session = answer.json()
        return self.session

    async def connect(self) -> "Socket":
        """Open a socket and authenticate on it."""
        address = self.stack.url.replace("http", "ws", 1) + "/v1/realtime"
        # Who is slow to answer a ping may be as slow as the machine: the server decides on that.
        connection = await connect(address, open_timeout=PATIENCE_SECONDS, ping_timeout=None)
        socket = Socket(connection)
        await socket.send(id="1", op="auth", token=self.session["access_token"])
        ready = await socket.frame("ready", seconds=PATIENCE_SECONDS)
        assert ready["user_id"] == self.user_id
        return socket

    async def reconnect(self) -> "Socket":
        """Open a socket as soon as the server takes it again."""
        async with asyncio.timeout(LONG_SECONDS):
            while True:
                try:
                    return await self.connect()
                except (OSError, EOFError, WebSocketException, TimeoutError):
                    await asyncio.sleep(0.3)


class Socket:
    """A WebSocket with the contract's frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._frames: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        """Send one frame."""
        await self.connection.send(json.dumps(frame))

    async def frame(
        self, op: str, *, seconds: float = LONG_SECONDS, **expected: Any
    ) -> dict[str, Any]:
        """Return the next frame of this kind with these values; others are kept for later."""
        wanted = {"op": op, **expected}
        for kept in self._frames:
            if wanted.items() <= kept.items():
                self._frames.remove(kept)
                return kept
        async with asyncio.timeout(seconds):
            while True:
                frame: dict[str, Any] = json.loads(await self.connection.recv())
                if wanted.items() <= frame.items():
                    return frame
                self._frames.append(frame)

    def rest(self) -> list[dict[str, Any]]:
        """Return the frames that came and nobody asked for."""
        return list(self._frames)

    async def close(self) -> None:
        """Close the socket."""
        await self.connection.close()


def link_token(text: str) -> str:
    """Return the token of the link that stands alone on a line of a mail's text part."""
    match = re.search(r"^https?://\S+#token=(\S+)$", text, re.MULTILINE)
    assert match, text
    return match[1]

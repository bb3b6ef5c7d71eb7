"""A real Chromium without a window, driven by the DevTools protocol."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.parts.processes import Server, new_folder
from tests.parts.waiting import PATIENCE_SECONDS


class Page:
    """One tab."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser = browser
        self._session = session

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol in this tab."""
        return await self._browser.call(method, parameters, self._session)

    async def open(self, url: str) -> None:
        """Go to an address and return when its page has loaded, scripts included."""
        await self.call("Page.navigate", url=url)
        await self.wait_for(
            f"location.href === {json.dumps(url)} && document.readyState === 'complete'"
        )

    async def evaluate(self, script: str) -> Any:
        """Run a script, as if somebody had just clicked, and return what it gives or promises."""
        answer = await self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise DevToolsError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Return once a script gives something true; a page on its way to another gives nothing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(DevToolsError):
                if await self.evaluate(script):
                    return
            if time.monotonic() > deadline:
                seen = await self.evaluate("location.href + '\\n' + document.body?.innerText")
                raise AssertionError(f"{script} did not come true; the page is\n{seen}")
            await asyncio.sleep(0.05)

    async def click(self, selector: str) -> None:
        """Press the mouse on an element, as a person does."""
        spot = await self.evaluate(
            f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=spot[0],
                y=spot[1],
                button="left",
                clickCount=1,
            )

    async def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.call("Input.insertText", text=text)

    async def add_authenticator(self, *, verifies: bool = True) -> str:
        """Give the tab an authenticator that keeps passkeys; return its id.

        It says at once that its user is there, and who they are if it `verifies` them.
        """
        await self.call("WebAuthn.enable")
        answer = await self.call(
            "WebAuthn.addVirtualAuthenticator",
            options={
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": verifies,
                "automaticPresenceSimulation": True,
            },
        )
        authenticator: str = answer["authenticatorId"]
        return authenticator


class DevToolsError(Exception):
    """What the browser answers when it cannot do what it is told."""


class Chromium:
    """The browser's end of the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def page(self) -> Page:
        """Open a tab."""
        target = await self.call("Target.createTarget", {"url": "about:blank"})
        attached = await self.call(
            "Target.attachToTarget", {"targetId": target["targetId"], "flatten": True}
        )
        page = Page(self, attached["sessionId"])
        await page.call("Page.enable")
        return page

    async def call(
        self, method: str, parameters: dict[str, Any], session: str | None = None
    ) -> dict[str, Any]:
        """Call a method and return its result. Raises DevToolsError."""
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._connection.send(
            json.dumps(message if session is None else message | {"sessionId": session})
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await waiting
        if "error" in answer:
            raise DevToolsError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def listen(self) -> None:
        """Hand answers to those who wait for them, until cancelled."""
        async for text in self._connection:
            message = json.loads(text)
            waiting = self._waiting.pop(message.get("id"), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)


@asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """Run a browser with a profile of its own for as long as the context lasts."""
    folder = new_folder("chromium")
    server = Server(
        [
            "chromium",
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-sync"),
            *("--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}"),
            "about:blank",
        ],
        folder=folder,
    )
    port_file = folder / "profile" / "DevToolsActivePort"
    listener = None
    try:
        server.start(lambda: port_file.exists() and len(port_file.read_text().split()) == 2)
        port, path = port_file.read_text().split()
        async with connect(
            f"ws://127.0.0.1:{port}{path}",
            max_size=None,
            open_timeout=PATIENCE_SECONDS,
            ping_interval=None,  # a browser that is slow is no browser that is gone
        ) as connection:
            browser = Chromium(connection)
            listener = asyncio.create_task(browser.listen())
            yield browser
    finally:
        if listener is not None:
            listener.cancel()
        server.remove()

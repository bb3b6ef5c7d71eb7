"""The page that a verification mail leads to. Opening it changes nothing."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PAGES = Path(__file__).parent.parent / "pages"
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


class VerifyPageRoutes:
    """`GET /verify` with its script and its style, as files of their own.

    The token stands behind the `#`, which browsers keep to themselves: no server log, proxy or
    mail scanner that merely fetches the address ever sees or spends it.
    """

    def __init__(self) -> None:
        self._page = (_PAGES / "verify.html").read_bytes()
        self._script = (_PAGES / "verify.js").read_bytes()
        self._style = (_PAGES / "verify.css").read_bytes()

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/verify", self.page, methods=["GET"]),
            Route("/verify/page.js", self.script, methods=["GET"]),
            Route("/verify/page.css", self.style, methods=["GET"]),
        ]

    async def page(self, _: Request) -> Response:
        """Answer with the page."""
        return Response(self._page, headers=_SECURITY_HEADERS, media_type="text/html")

    async def script(self, _: Request) -> Response:
        """Answer with the page's script."""
        return Response(self._script, headers=_SECURITY_HEADERS, media_type="text/javascript")

    async def style(self, _: Request) -> Response:
        """Answer with the page's style."""
        return Response(self._style, headers=_SECURITY_HEADERS, media_type="text/css")

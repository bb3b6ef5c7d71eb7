"""The pages that mailed links lead to. Opening one changes nothing."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PAGES = Path(__file__).parent.parent / "pages"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


NAMES: Final = (
    *("verify", "reset", "magic-link", "email"),
    "invitation",
    *("oauth2/sign-in", "oauth2/sign-out", "oauth2/logged-out"),
)
_FILES: Final = {"": ("html", "text/html"), "/page.js": ("js", "text/javascript")} | {
    "/page.css": ("css", "text/css")
}


class PageRoutes:
    """`GET /<name>` with its script and its style, as files of their own.

    The token stands behind the `#`, which browsers keep to themselves: no server log, proxy or
    mail scanner that merely fetches the address ever sees or spends it.
    """

    def __init__(self) -> None:
        self._files = {
            f"/{name}{path}": ((_PAGES / f"{name}.{suffix}").read_bytes(), media_type)
            for name in NAMES
            for path, (suffix, media_type) in _FILES.items()
        }

    def routes(self) -> list[Route]:
        """Return the routes of every page."""
        return [
            Route(f"/{name}{path}", self.read, methods=["GET"]) for name in NAMES for path in _FILES
        ]

    async def read(self, request: Request) -> Response:
        """Answer with the page or a file of it."""
        content, media_type = self._files[request.url.path]
        return Response(content, headers=SECURITY_HEADERS, media_type=media_type)

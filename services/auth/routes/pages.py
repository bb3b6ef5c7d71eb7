"""The pages that mailed links lead to. Opening one changes nothing."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HTML = "text/html"
_SCRIPT = "text/javascript"
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
_WITH_SCRIPT: Final = (
    *("verify", "reset", "magic-link", "email", "invitation"),
    *("oauth2/sign-in", "oauth2/sign-out"),
)
_FILES: Final = (
    {
        "/page.css": ("page.css", "text/css"),
        "/link.js": ("link.js", _SCRIPT),
        "/oauth2/logged-out": ("oauth2/logged-out.html", _HTML),
    }
    | {f"/{name}": (f"{name}.html", _HTML) for name in _WITH_SCRIPT}
    | {f"/{name}/page.js": (f"{name}.js", _SCRIPT) for name in _WITH_SCRIPT}
)
"""By path: the file and its media type."""


class PageRoutes:
    """`GET /<name>` with its script as a file of its own, and what several pages share.

    The token stands behind the `#`, which browsers keep to themselves: no server log, proxy or
    mail scanner that merely fetches the address ever sees or spends it.
    """

    def __init__(self) -> None:
        self._contents = {path: (_PAGES / file).read_bytes() for path, (file, _) in _FILES.items()}

    def routes(self) -> list[Route]:
        """Return the routes of every page."""
        return [Route(path, self.read, methods=["GET"]) for path in _FILES]

    async def read(self, request: Request) -> Response:
        """Answer with the page or a file of it."""
        path = request.url.path
        return Response(self._contents[path], headers=SECURITY_HEADERS, media_type=_FILES[path][1])

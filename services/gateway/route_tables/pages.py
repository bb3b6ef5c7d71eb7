"""Pages that people see: each opens by a GET that changes nothing; they share a style."""

from typing import Final

from services.gateway.route import TEXT, Access, Route

_PAGES: Final = {
    "verify": "Open the page that mailed verification links lead to",
    "reset": "Open the page that mailed reset links lead to",
    "email": "Open the page that mailed links to change an address lead to",
    "magic-link": "Open the page that mailed log-in links lead to",
    "invitation": "Open the page that mailed invitations lead to",
    "oauth2/sign-in": "Open the page that asks who somebody is and what an application may know",
    "oauth2/sign-out": "Open the page that asks whether to sign out",
    "oauth2/logged-out": "Open the page that says that somebody is signed out",
}


_WITHOUT_SCRIPT: Final = frozenset({"oauth2/logged-out"})


def _file(path: str) -> Route:
    return Route(
        method="GET",
        path=path,
        service="auth",
        access=Access.PUBLIC,
        summary="Read a file of the pages",
        documented=False,
    )


def _page(name: str, summary: str) -> tuple[Route, ...]:
    page = Route(
        method="GET",
        path=f"/{name}",
        service="auth",
        access=Access.PUBLIC,
        summary=summary,
        answer_contents={"text/html": TEXT},
    )
    return (page,) if name in _WITHOUT_SCRIPT else (page, _file(f"/{name}/page.js"))


PAGE_ROUTES: Final = (
    _file("/page.css"),
    _file("/link.js"),
    *(route for name, summary in _PAGES.items() for route in _page(name, summary)),
)

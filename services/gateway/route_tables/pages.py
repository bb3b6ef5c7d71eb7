"""Pages that people see: each opens by a GET that changes nothing, with a script and a style."""

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


def _page(name: str, summary: str) -> tuple[Route, ...]:
    page = Route(
        method="GET",
        path=f"/{name}",
        service="auth",
        access=Access.PUBLIC,
        summary=summary,
        answer_contents={"text/html": TEXT},
    )
    files = (
        Route(
            method="GET",
            path=f"/{name}/page.{kind}",
            service="auth",
            access=Access.PUBLIC,
            summary="Read a file of the page",
            documented=False,
        )
        for kind in ("js", "css")
    )
    return page, *files


PAGE_ROUTES: Final = tuple(
    route for name, summary in _PAGES.items() for route in _page(name, summary)
)

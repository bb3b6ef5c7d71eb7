"""What the RP-initiated logout plan of the OpenID conformance suite asks of a provider.

Each row is named after the module whose requirement it holds (`oidcc-rp-initiated-logout-…`). What
the back-channel plan asks stands in `test_backchannel_logout.py`.
"""

import pytest

from tests.service.auth.auth_service import claims
from tests.service.auth.oauth_application import AFTER, Application

ASKED, DONE = "/oauth2/sign-out?", "/oauth2/logged-out"


@pytest.mark.parametrize(
    ("query", "location", "ended"),
    [
        ({"id_token_hint": "good", "post_logout_redirect_uri": AFTER, "state": "s"}, None, 1),
        ({"id_token_hint": "bad", "post_logout_redirect_uri": AFTER, "state": "s"}, ASKED, 0),
        (
            {"id_token_hint": "modified", "post_logout_redirect_uri": AFTER, "state": "s"},
            ASKED,
            0,
        ),
        ({"post_logout_redirect_uri": AFTER, "state": "s"}, ASKED, 0),
        ({}, ASKED, 0),
        ({"id_token_hint": "good", "state": "s"}, DONE, 1),
        ({"id_token_hint": "good", "post_logout_redirect_uri": AFTER}, AFTER, 1),
        ({"state": "s"}, ASKED, 0),
        (
            {"id_token_hint": "good", "post_logout_redirect_uri": f"{AFTER}/other", "state": "s"},
            DONE,
            1,
        ),
        (
            {"id_token_hint": "good", "post_logout_redirect_uri": f"{AFTER}?foo=bar"},
            DONE,
            1,
        ),
    ],
    ids=[
        "oidcc-rp-initiated-logout",
        "oidcc-rp-initiated-logout-bad-id-token-hint",
        "oidcc-rp-initiated-logout-modified-id-token-hint",
        "oidcc-rp-initiated-logout-no-id-token-hint",
        "oidcc-rp-initiated-logout-no-params",
        "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
        "oidcc-rp-initiated-logout-no-state",
        "oidcc-rp-initiated-logout-only-state",
        "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
        "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    ],
)
async def test_an_application_logs_its_user_out_or_the_user_is_asked(
    application: Application, query: dict[str, str], location: str | None, ended: int
) -> None:
    good = (await application.sign_in())["id_token"]
    head, body, signature = good.split(".")
    hints = {"good": good, "bad": "nonsense", "modified": f"{head}.{body[:-2]}AA.{signature}"}
    sent = query | {name: hints[value] for name, value in query.items() if name == "id_token_hint"}

    answer = await application.auth.client.get(
        "/oauth2/logout", params=sent, headers={"Cookie": application.cookie}
    )

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(location or f"{AFTER}?state=s")
    revoked = await application.auth.revoked()
    assert revoked == ({claims(application.session)["sid"]} if ended else set())

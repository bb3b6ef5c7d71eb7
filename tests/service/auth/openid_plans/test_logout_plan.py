"""What the RP-initiated logout plan of the OpenID conformance suite asks of a provider.

Each row is named after the module whose requirement it holds (`oidcc-rp-initiated-logout-…`). What
the back-channel plan asks stands in `test_backchannel_logout.py`.
"""

from urllib.parse import urlencode

import pytest

from tests.service.auth.auth_service import PASSWORD, bearer, claims
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
            ASKED,
            0,
        ),
        (
            {"id_token_hint": "good", "post_logout_redirect_uri": f"{AFTER}?foo=bar"},
            ASKED,
            0,
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


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(
    application: Application,
) -> None:
    answer = await application.auth.client.get("/.well-known/openid-configuration")
    assert answer.json()["end_session_endpoint"].endswith("/oauth2/logout")


async def test_oidcc_backchannel_logout_discovery_endpoint_verification(
    application: Application,
) -> None:
    metadata = (await application.auth.client.get("/.well-known/openid-configuration")).json()
    assert metadata["backchannel_logout_supported"] is True
    assert metadata["backchannel_logout_session_supported"] is True


async def test_oidcc_rp_initiated_logout_ends_what_prompt_none_would_find(
    application: Application,
) -> None:
    hint = (await application.sign_in())["id_token"]
    await application.auth.client.get(
        "/oauth2/logout", params={"id_token_hint": hint}, headers={"Cookie": application.cookie}
    )
    answer = await application.authorize(prompt="none")
    assert "error=login_required" in answer.headers["location"]


async def test_a_posted_request_goes_on_as_one_that_brings_the_cookie(
    application: Application,
) -> None:
    """A provider takes GET and POST; what another site posts comes without the cookie."""
    form = {
        "id_token_hint": (await application.sign_in())["id_token"],
        "post_logout_redirect_uri": AFTER,
        "state": "s",
    }
    posted = await application.auth.client.post(
        "/oauth2/logout",
        content=urlencode(form),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": "https://app.example.org",
        },
    )
    assert posted.status_code == 303
    assert await application.auth.revoked() == set()
    ended = await application.auth.client.get(
        posted.headers["location"], headers={"Cookie": application.cookie}
    )
    assert ended.headers["location"] == f"{AFTER}?state=s"
    assert claims(application.session)["sid"] in await application.auth.revoked()


async def test_an_id_token_from_before_a_step_up_is_still_about_the_session(
    application: Application,
) -> None:
    auth = application.auth
    hint = (await application.sign_in())["id_token"]
    stepped = await auth.client.post(
        "/v1/auth/step-up",
        json={"password": PASSWORD},
        headers=bearer(application.session) | {"Cookie": application.cookie},
    )
    assert stepped.status_code == 200, stepped.text
    auth.client.cookies.clear()
    cookie = stepped.headers["set-cookie"].partition(";")[0]
    answer = await auth.client.get(
        "/oauth2/logout", params={"id_token_hint": hint}, headers={"Cookie": cookie}
    )
    assert answer.headers["location"] == DONE
    assert claims(stepped.json())["sid"] in await auth.revoked()

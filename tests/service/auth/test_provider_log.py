"""What applications do to their users' sign-ins stands in the log, once, and by whom."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.service.auth.auth_service import bearer, claims
from tests.service.auth.oauth_application import EMAIL, Application

STAYING = "openid offline_access"


async def entries(application: Application) -> list[dict[str, Any]]:
    """Return what was logged of the user since the sign-in."""
    rows = await application.auth.database.fetch(
        "SELECT action, actor_id, session_id, details - 'client_id' AS details,"
        " details->>'client_id' AS client_id"
        " FROM audit_log JOIN users ON users.id = user_id"
        " WHERE email = $1 AND (action LIKE 'session.ended' OR action LIKE 'application.%')"
        " AND action <> 'application.signed_in' ORDER BY audit_log.id",
        EMAIL,
    )
    return [dict(row) for row in rows]


def entry(application: Application, action: str, **details: str) -> dict[str, Any]:
    return {
        "action": action,
        "actor_id": None,
        "session_id": UUID(claims(application.session)["sid"]),
        "details": details,
        "client_id": application.client["client_id"],
    }


@pytest.fixture(autouse=True)
async def nothing_else(application: Application) -> AsyncIterator[None]:
    assert await entries(application) == []
    yield
    rows = await application.auth.database.fetch("SELECT to_jsonb(a)::text FROM audit_log a")
    assert "eyJ" not in str(rows), "a token stands in the log"


async def test_a_code_that_comes_again(application: Application) -> None:
    code = await application.code()
    await application.redeem(code)
    assert await entries(application) == []
    for _ in range(2):
        await application.redeem(code)
    assert await entries(application) == [
        entry(application, "application.code_misused", reason="spent")
    ]


async def test_a_code_of_another_request(application: Application) -> None:
    await application.redeem(await application.code(), code_verifier="w" * 43)
    assert await entries(application) == [
        entry(application, "application.code_misused", reason="mismatch")
    ]


async def test_a_code_that_comes_too_late_is_no_misuse(application: Application) -> None:
    code = await application.code()
    await application.auth.database.execute("UPDATE oauth_codes SET expires_at = now()")
    assert (await application.redeem(code)).json()["error"] == "invalid_grant"
    assert await entries(application) == []


async def test_a_code_whose_sign_in_has_ended_is_no_misuse(application: Application) -> None:
    code = await application.code()
    await application.auth.database.execute(
        "UPDATE sessions SET idle_expires_at = created_at + interval '1 microsecond'"
    )
    assert (await application.redeem(code)).json()["error"] == "invalid_grant"
    assert await entries(application) == []


async def test_a_refresh_token_that_comes_again(application: Application) -> None:
    tokens = await application.sign_in(scope=STAYING)
    for _ in range(4):
        await application.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        await application.auth.database.execute(
            "UPDATE oauth_grants SET refreshed_at = refreshed_at - interval '11 seconds'"
        )
    assert await entries(application) == [entry(application, "application.token_reused")]


async def test_an_application_revokes(application: Application) -> None:
    tokens = await application.sign_in(scope=STAYING)
    for _ in range(2):
        await application.post_form("/oauth2/revoke", token=tokens["refresh_token"])
    assert await entries(application) == [entry(application, "application.signed_out")]
    activity = await application.auth.client.get(
        "/v1/auth/me/activity", headers=bearer(application.session)
    )
    [shown] = [
        item for item in activity.json()["items"] if item["action"] == "application.signed_out"
    ]
    assert shown["by_yourself"] is False


async def test_an_application_logs_its_user_out(application: Application) -> None:
    tokens = await application.sign_in()
    for _ in range(2):
        await application.auth.client.get(
            "/oauth2/logout",
            params={"id_token_hint": tokens["id_token"]},
            headers={"Cookie": application.cookie},
        )
    own = UUID(application.session["user"]["id"])
    assert await entries(application) == [entry(application, "session.ended") | {"actor_id": own}]


async def test_somebody_logs_out_on_the_page(application: Application) -> None:
    await application.auth.post("/oauth2/logout", {}, cookie=application.cookie)
    own = UUID(application.session["user"]["id"])
    assert await entries(application) == [
        entry(application, "session.ended") | {"actor_id": own, "client_id": None}
    ]

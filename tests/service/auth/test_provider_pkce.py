"""PKCE: asked of every application, except of those with a secret that were let off."""

from typing import Any

import pytest

from tests.service.auth.auth_service import assert_problem, bearer
from tests.service.auth.oauth_application import (
    CALLBACK,
    CHALLENGE,
    VERIFIER,
    Application,
    answered,
)

NO_CHALLENGE = {"code_challenge": None, "code_challenge_method": None}


async def change(application: Application, **fields: Any) -> Any:
    return await application.auth.client.patch(
        f"/v1/auth/oauth-clients/{application.client['client_id']}",
        json=fields,
        headers=bearer(application.admin),
    )


async def grants(application: Application) -> int:
    count: int = await application.auth.database.fetchval("SELECT count(*) FROM oauth_grants")
    return count


async def test_it_is_asked_for_unless_an_administrator_says_otherwise(
    application: Application,
) -> None:
    assert application.client["require_pkce"] is True
    assert answered(await application.authorize(**NO_CHALLENGE))["error"] == "invalid_request"
    changed = await change(application, require_pkce=False)
    assert (changed.status_code, changed.json()["require_pkce"]) == (200, False)
    assert (await change(application, name="Another")).json()["require_pkce"] is False
    application.pkce = False
    tokens = await application.sign_in(nonce=None)
    assert (await application.userinfo(tokens["access_token"])).status_code == 200
    await change(application, require_pkce=True)
    assert answered(await application.authorize())["error"] == "invalid_request"


async def test_a_public_client_is_never_let_off(application: Application) -> None:
    body = {"name": "App", "redirect_uris": [CALLBACK], "is_public": True, "require_pkce": False}
    refused = await application.auth.client.post(
        "/v1/auth/oauth-clients", json=body, headers=bearer(application.admin)
    )
    assert_problem(refused, 422, "validation_failed")
    assert [error["field"] for error in refused.json()["errors"]] == ["require_pkce"]
    await application.register(name="App", is_public=True)
    assert_problem(await change(application, require_pkce=False), 422, "validation_failed")
    assert answered(await application.authorize(**NO_CHALLENGE))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "challenge",
    [
        {"code_challenge": CHALLENGE, "code_challenge_method": None},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": None, "code_challenge_method": "S256"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
    ],
)
async def test_what_is_sent_has_to_be_s256_even_where_nothing_need_be(
    application: Application, challenge: dict[str, str | None]
) -> None:
    await change(application, require_pkce=False)
    assert answered(await application.authorize(**challenge))["error"] == "invalid_request"


@pytest.mark.parametrize("verifier", [None, "w" * 43])
async def test_a_challenge_that_was_sent_is_verified(
    application: Application, verifier: str | None
) -> None:
    await change(application, require_pkce=False)
    code = await application.code()
    application.pkce = False
    form = {} if verifier is None else {"code_verifier": verifier}
    answer = await application.redeem(code, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert await grants(application) == 0


async def test_a_verifier_without_a_challenge_is_a_downgrade(application: Application) -> None:
    """A code that was got without PKCE is injected into an application that uses it."""
    await change(application, require_pkce=False)
    code = await application.code(**NO_CHALLENGE)
    answer = await application.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert await grants(application) == 0


async def test_a_missing_verifier_spends_no_code(application: Application) -> None:
    code = await application.code()
    answer = await application.token(code=code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await application.redeem(code)).status_code == 200

"""What a developer tries first, through the real edge: keys, scopes, searches, logging out."""

import asyncio

from tests.journey.client import PASSWORD, Client
from tests.journey.stack import RunningStack

JSON = {"Content-Type": "application/json"}


async def test_a_key_is_made_once_and_lacks_a_scope_by_name(stack: RunningStack) -> None:
    async with Client(stack) as ada:
        await ada.sign_up()
        wrong = await ada.call("POST", "/v1/auth/api-keys", json={"name": "k", "scopes": ["file"]})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_failed")
        made = [
            await ada.call(
                "POST",
                "/v1/auth/api-keys",
                json={"name": "k", "scopes": ["realtime"]},
                headers={"Idempotency-Key": "one"},
            )
            for _ in range(2)
        ]
        assert [answer.status_code for answer in made] == [201, 201]
        assert made[0].json() == made[1].json()
        assert len((await ada.call("GET", "/v1/auth/api-keys")).json()["items"]) == 1
        asked = await ada.call("GET", "/v1/auth/api-keys?q=k")
        assert (asked.status_code, asked.json()["errors"][0]["field"]) == (422, "q")

        key = {"Authorization": f"Bearer {made[0].json()['key']}"}
        refused = await ada.call("GET", "/v1/files", headers=key)
        assert refused.status_code == 403
        assert refused.json()["detail"] == "The API key lacks the scope `files:read`."


async def test_the_cookie_alone_logs_out(stack: RunningStack) -> None:
    async with Client(stack) as ada:
        await ada.sign_up()
        ada.http.cookies.clear()
        log_in = {"email": ada.email, "password": PASSWORD}
        opened = await ada.http.post("/v1/auth/login", json=log_in)
        assert opened.status_code == 200
        ada.session = {}

        foreign = await ada.http.post(
            "/v1/auth/logout", headers=JSON | {"Origin": "https://evil.example"}
        )
        assert (foreign.status_code, foreign.json()["code"]) == (403, "origin_not_allowed")
        done = await ada.http.post("/v1/auth/logout", headers=JSON)
        assert (done.status_code, list(ada.http.cookies)) == (204, ["freehold_device"])

        token = {"Authorization": f"Bearer {opened.json()['access_token']}"}
        async with asyncio.timeout(1):
            while (gone := await ada.http.get("/v1/auth/me", headers=token)).status_code == 200:
                await asyncio.sleep(0.05)
        assert gone.json()["code"] == "token_revoked"
        nobody = await ada.http.post("/v1/auth/logout", headers=JSON)
        assert (nobody.status_code, nobody.json()["code"]) == (401, "authentication_required")

"""Applications hear that somebody's session has ended, and of nothing else."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import jwt
import pytest

from services.auth.provider.logout_notices import (
    EVENT,
    NotifyApplication,
)
from shared.chassis.jobs import worker as jobs_worker
from tests.parts.receiver import Receiver, answer
from tests.parts.waiting import eventually
from tests.service.auth.auth_service import PASSWORD, PUBLIC_URL, AuthService, bearer, claims
from tests.service.auth.logout_worker import consume, tokens, worker
from tests.service.auth.oauth_application import EMAIL, Application


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifyApplication, "backoff_seconds", 0.02)
    monkeypatch.setattr(jobs_worker, "POLL_SECONDS", 0.05)


@pytest.fixture
async def told(application: Application, receiver: Receiver) -> Application:
    """The application, which wants to hear of logouts, with a user who is signed in."""
    await change(application, backchannel_logout_uri=receiver.url)
    return application


async def change(application: Application, **fields: Any) -> Any:
    answer = await application.auth.client.patch(
        f"/v1/auth/oauth-clients/{application.client['client_id']}",
        json=fields,
        headers=bearer(application.admin),
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def verified(auth: AuthService, application: Application, token: str) -> dict[str, Any]:
    """Check a logout token as an application has to, and return what it says."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "logout+jwt"
    keys = (await auth.client.get("/.well-known/jwks.json")).json()["keys"]
    [key] = [key for key in keys if key["kid"] == header["kid"]]
    assert key["alg"] == header["alg"]
    said: dict[str, Any] = jwt.decode(
        token,
        jwt.PyJWK(key),
        algorithms=[header["alg"]],
        issuer=PUBLIC_URL,
        audience=application.client["client_id"],
        options={"require": ["iss", "aud", "iat", "exp", "jti", "sub", "sid", "events"]},
    )
    assert said["events"] == {EVENT: {}}
    assert "nonce" not in said
    assert said["exp"] - said["iat"] <= 120
    return said


@pytest.mark.parametrize(
    "end",
    [
        *("log-out", "an application's log-out", "other sessions ended", "password changed"),
        *("disabled", "ended by an administrator", "deleted", "refresh token copied"),
        "address changed",
    ],
)
async def test_however_a_session_ends_its_application_is_told(
    told: Application, receiver: Receiver, end: str
) -> None:
    auth = told.auth
    signed_in = await told.sign_in()
    await auth.forget_events()
    await finish(told, signed_in, end)
    async with worker(auth) as notices:
        await consume(auth, notices)
        await eventually(receiver.count, 1)

    [token] = tokens(receiver)
    said = await verified(auth, told, token)
    id_token = claims({"access_token": signed_in["id_token"]})
    assert (said["sub"], said["sid"]) == (id_token["sub"], id_token["sid"])
    [received] = receiver.received
    assert received.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert received.line == "POST /in HTTP/1.1"


async def finish(told: Application, signed_in: dict[str, Any], end: str) -> None:
    auth, own = told.auth, bearer(told.session)
    user = f"/v1/auth/users/{told.session['user']['id']}"
    if end == "log-out":
        await auth.client.post("/v1/auth/logout", headers=own)
    elif end == "an application's log-out":
        query = {"id_token_hint": signed_in["id_token"]}
        headers = {"Cookie": told.cookie}
        await auth.client.get("/oauth2/logout", params=query, headers=headers)
    elif end == "other sessions ended":
        other = (await auth.log_in(EMAIL)).json()
        await auth.client.delete("/v1/auth/sessions", headers=bearer(other))
    elif end == "password changed":
        other = (await auth.log_in(EMAIL)).json()
        body = {"current_password": PASSWORD, "password": "another good password"}
        await auth.client.post("/v1/auth/password/change", json=body, headers=bearer(other))
    elif end == "disabled":
        await auth.client.post(f"{user}/disable", json={}, headers=bearer(told.admin))
    elif end == "ended by an administrator":
        await auth.client.delete(f"{user}/sessions", headers=bearer(told.admin))
    elif end == "deleted":
        await auth.client.delete("/v1/auth/me", headers=own)
    elif end == "address changed":
        await change_address(auth)
    else:
        for _ in range(2):
            auth.client.cookies.clear()
            await auth.post("/v1/auth/refresh", {}, cookie=told.cookie)
            await auth.database.execute(
                "UPDATE sessions SET refreshed_at = refreshed_at - interval '11 seconds'"
            )


async def change_address(auth: AuthService) -> None:
    """Move the account in another session, which stays."""
    other = (await auth.log_in(EMAIL)).json()
    await auth.forget_events()
    asked = {"email": "ada@new.example"}
    await auth.client.post("/v1/auth/me/email", json=asked, headers=bearer(other))
    for event in await auth.events():
        token = await auth.mailed_token(UUID(event["data"]["link_id"]))
        answer = await auth.post("/v1/auth/email/confirm", {"token": token})
        assert answer.status_code == 200, answer.text


async def test_whoever_may_stay_signed_in_while_away_is_told_all_the_same(
    told: Application, receiver: Receiver
) -> None:
    signed_in = await told.sign_in(scope="openid offline_access")
    await finish(told, signed_in, "log-out")
    async with worker(told.auth) as notices:
        await consume(told.auth, notices)
        await eventually(receiver.count, 1)
    assert (await told.userinfo(signed_in["access_token"])).status_code == 200


async def test_a_step_up_ends_no_sign_in(told: Application, receiver: Receiver) -> None:
    auth = told.auth
    signed_in = await told.sign_in()
    await auth.forget_events()
    stepped = await auth.client.post(
        "/v1/auth/step-up", json={"password": PASSWORD}, headers=bearer(told.session)
    )
    async with worker(auth) as notices:
        await consume(auth, notices)
        assert await jobs(auth) == []
        assert (await told.userinfo(signed_in["access_token"])).status_code == 200

        await auth.client.post("/v1/auth/logout", headers=bearer(stepped.json()))
        await consume(auth, notices)
        await eventually(receiver.count, 1)
    said = await verified(auth, told, tokens(receiver)[0])
    assert said["sid"] == claims({"access_token": signed_in["id_token"]})["sid"]
    assert (await told.userinfo(signed_in["access_token"])).status_code == 401


async def test_nobody_else_is_told(told: Application, receiver: Receiver) -> None:
    auth = told.auth
    quiet = await Application(auth, told.admin).register(name="Quiet")
    quiet.cookie = told.cookie
    await quiet.sign_in()
    elsewhere = (await auth.log_in(EMAIL)).json()
    key = {"name": "app", "scopes": ["files:read"]}
    made = await auth.client.post("/v1/auth/api-keys", json=key, headers=bearer(elsewhere))
    await auth.client.delete(f"/v1/auth/api-keys/{made.json()['id']}", headers=bearer(elsewhere))
    await auth.client.post("/v1/auth/logout", headers=bearer(elsewhere))
    async with worker(auth) as notices:
        await consume(auth, notices)
        assert await jobs(auth) == []
        await told.sign_in()
        await told.sign_in()  # the same session again
        await finish(told, {}, "log-out")
        await consume(auth, notices)
        await eventually(lambda: jobs(auth), [("completed", 1)])
    assert len(receiver.received) == 1


async def test_an_application_that_is_down_is_told_later_and_holds_up_nobody(
    told: Application, receiver: Receiver
) -> None:
    auth = told.auth
    other = await Application(auth, told.admin).register(name="Other")
    other.cookie = told.cookie
    well = Receiver()
    await well.start()
    await change(other, backchannel_logout_uri=well.url)
    await told.sign_in()
    await other.sign_in()
    receiver.behaviours += [answer(503), answer(500)]
    await finish(told, {}, "log-out")
    async with worker(auth) as notices:
        await consume(auth, notices)
        await eventually(well.count, 1)
        await eventually(receiver.count, 3)
        await eventually(lambda: jobs(auth), [("completed", 1), ("completed", 3)])
    await well.stop()
    assert len({claims({"access_token": token})["jti"] for token in tokens(receiver)}) == 3


async def test_an_application_that_refuses_the_notice_is_the_operators_affair(
    told: Application, receiver: Receiver
) -> None:
    await told.sign_in()
    receiver.behaviours.append(answer(400))
    await finish(told, {}, "log-out")
    async with worker(told.auth) as notices:
        await consume(told.auth, notices)
        await eventually(lambda: jobs(told.auth), [("failed", 1)])
    cause = await told.auth.database.fetchval("SELECT errors::text FROM jobs")
    assert "Reports answered 400" in cause
    assert len(receiver.received) == 1


async def test_ten_sessions_that_end_at_once_are_ten_notices(
    told: Application, receiver: Receiver
) -> None:
    auth = told.auth
    for _ in range(10):
        await told.log_in()
        await told.sign_in()
    await auth.forget_events()
    path = f"/v1/auth/users/{told.session['user']['id']}/sessions"
    await auth.client.delete(path, headers=bearer(told.admin))
    async with worker(auth) as notices:
        await consume(auth, notices)
        await consume(auth, notices)
        await eventually(receiver.count, 10)
    said = [claims({"access_token": token})["sid"] for token in tokens(receiver)]
    assert len(set(said)) == 10


async def test_s27_the_own_network_is_out_of_reach(told: Application, receiver: Receiver) -> None:
    await told.sign_in()
    await finish(told, {}, "log-out")
    async with worker(told.auth, allowed="10.9.0.0/16") as notices:
        await consume(told.auth, notices)
        first = "SELECT errors <> '[]' FROM jobs"
        await eventually(lambda: told.auth.database.fetchval(first), expected=True)
    assert receiver.received == []
    cause = await told.auth.database.fetchval("SELECT errors::text FROM jobs")
    assert "127.0.0.1 is loopback" in cause


@pytest.mark.parametrize(
    "uri", ["http://app.example.org/out", "https://app.example.org/#x", "com.example.app:/out"]
)
async def test_an_address_that_nothing_should_be_sent_to_is_not_registered(
    application: Application, uri: str
) -> None:
    answer = await application.auth.client.patch(
        f"/v1/auth/oauth-clients/{application.client['client_id']}",
        json={"backchannel_logout_uri": uri},
        headers=bearer(application.admin),
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["backchannel_logout_uri"]


async def test_a_logout_token_opens_nothing(told: Application, receiver: Receiver) -> None:
    await told.sign_in()
    await finish(told, {}, "log-out")
    async with worker(told.auth) as notices:
        await consume(told.auth, notices)
        await eventually(receiver.count, 1)
    [token] = tokens(receiver)
    header = {"Authorization": f"Bearer {token}"}
    for path in ("/v1/auth/me", "/oauth2/userinfo"):
        assert (await told.auth.client.get(path, headers=header)).status_code == 401


async def test_an_application_is_changed_by_its_fields(application: Application) -> None:
    before = (await applications(application))[0]
    after = await change(
        application, name="Renamed", scopes=["email", "openid"], backchannel_logout_uri=None
    )
    assert after == before | {"name": "Renamed", "scopes": ["openid", "email"]}
    assert await applications(application) == [after]


async def test_applications_of_any_name_are_listed_in_pages(application: Application) -> None:
    for name in ("Ärzte", "Zürich", "天気"):
        await application.register(name=name)
    names, cursor = [], ""
    while cursor is not None:
        answer = await application.auth.client.get(
            f"/v1/auth/oauth-clients?limit=1{cursor and f'&cursor={cursor}'}",
            headers=bearer(application.admin),
        )
        assert answer.status_code == 200, answer.text
        names += [client["name"] for client in answer.json()["items"]]
        cursor = answer.json()["next"]
    assert sorted(names) == ["Reports", "Zürich", "Ärzte", "天気"]


async def test_another_secret_takes_the_place_of_the_first(application: Application) -> None:
    code = await application.code()
    answer = await application.auth.client.post(
        f"/v1/auth/oauth-clients/{application.client['client_id']}/secret",
        headers=bearer(application.admin),
    )
    assert (await application.redeem(code)).status_code == 401
    application.client = answer.json()
    assert (await application.redeem(code)).status_code == 200


async def test_an_application_that_cannot_verify_es256_gets_rs256(
    application: Application,
) -> None:
    await change(application, id_token_signed_response_alg="RS256")
    signed_in = await application.sign_in(scope="openid offline_access")
    renewed = await application.token(
        grant_type="refresh_token", refresh_token=signed_in["refresh_token"]
    )
    keys = (await application.auth.client.get("/.well-known/jwks.json")).json()["keys"]
    for token in (signed_in["id_token"], renewed.json()["id_token"]):
        header = jwt.get_unverified_header(token)
        [key] = [key for key in keys if key["kid"] == header["kid"]]
        assert (header["alg"], key["alg"], key["kty"]) == ("RS256", "RS256", "RSA")
        said = jwt.decode(
            token, jwt.PyJWK(key), ["RS256"], audience=application.client["client_id"]
        )
        assert said["iss"] == PUBLIC_URL
    assert jwt.get_unverified_header(signed_in["access_token"])["alg"] == "ES256"
    answer = await application.auth.client.get(
        "/oauth2/logout",
        params={"id_token_hint": signed_in["id_token"]},
        headers={"Cookie": application.cookie},
    )
    assert answer.headers["location"] == "/oauth2/logged-out"


async def applications(application: Application) -> Any:
    answer = await application.auth.client.get(
        "/v1/auth/oauth-clients", headers=bearer(application.admin)
    )
    return answer.json()["items"]


async def jobs(auth: AuthService) -> list[tuple[str, int]]:
    rows = await auth.database.fetch("SELECT state, attempts FROM jobs ORDER BY attempts, id")
    return [(row["state"], row["attempts"]) for row in rows]

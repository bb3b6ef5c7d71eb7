"""Signing up: nobody learns whether an address is known, and only its owner gets an account."""

import asyncio
import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.auth.links import LinkTokens
from services.auth.master_key import MasterKey
from tests.service.auth.auth_service import (
    ALLOWED_ORIGIN,
    PASSWORD,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
    claims,
)

KNOWN = "ada@example.com"


@pytest.mark.parametrize("email", [KNOWN, "ADA@Example.COM", "new@example.com"])
async def test_every_address_gets_the_same_answer(auth: AuthService, email: str) -> None:
    await auth.register(KNOWN)
    await auth.forget_events()

    answer = await auth.post("/v1/auth/signup", {"email": email, "password": PASSWORD})

    assert answer.status_code == 202
    assert answer.text == '{"status":"verification_sent"}'
    assert answer.headers == {
        "cache-control": "no-store",
        "content-length": "30",
        "content-type": "application/json",
    }
    [event] = await auth.events()
    assert event["type"] == "signup.requested"
    assert event["data"].keys() == {"link_id"}
    assert await auth.counts() == {"users": 1, "sessions": 1, "signups": 1, "links": 1}


async def test_the_mail_of_an_unknown_address_holds_the_link(auth: AuthService) -> None:
    link_id = await auth.sign_up("Grace@Example.com", name=" Grace ")

    mail = await auth.mail(link_id)

    assert mail["to"] == "grace@example.com"
    assert mail["template"] == "verify_email"
    assert mail["variables"]["name"] == "Grace"
    assert mail["variables"]["url"].startswith(f"{PUBLIC_URL}/verify#token=")
    assert mail == await auth.mail(link_id), "rendering again gives the same link"


async def test_the_owner_of_a_known_address_is_told_without_a_link(auth: AuthService) -> None:
    await auth.register(KNOWN)

    mail = await auth.mail(await auth.sign_up(KNOWN, name="Mallory"))

    assert mail["template"] == "account_exists"
    assert mail["variables"] == {"name": None, "url": PUBLIC_URL}


async def test_neither_events_nor_tables_hold_a_token_or_a_password(auth: AuthService) -> None:
    token = await auth.mailed_token(await auth.sign_up("new@example.com"))

    written = json.dumps(await auth.events())
    for table in ("signups", "links"):
        rows = await auth.database.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")
        written += str(rows)

    assert token not in written
    assert PASSWORD not in written


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"email": "no-at-sign"}, 422, "validation_failed"),
        ({"email": "a@b"}, 422, "validation_failed"),
        ({"email": "two@at@example.com"}, 422, "validation_failed"),
        ({"email": "new@example.com\r\nBcc: all@example.com"}, 422, "validation_failed"),
        ({"email": "nul\x00@example.com"}, 422, "validation_failed"),
        ({"email": 5}, 422, "validation_failed"),
        ({"password": "short"}, 422, "validation_failed"),
        ({"password": "x" * 257}, 422, "validation_failed"),
        ({"password": "ä" * 129}, 422, "validation_failed"),
        ({"password": "lone \ud800 surrogate"}, 422, "validation_failed"),
        ({"name": "a\nb"}, 422, "validation_failed"),
        ({"name": "x" * 201}, 422, "validation_failed"),
        ({"role": "administrator"}, 422, "validation_failed"),
    ],
)
async def test_a_wrong_field_is_named_and_leaves_nothing(
    auth: AuthService, change: dict[str, Any], status: int, code: str
) -> None:
    body = {"email": "new@example.com", "password": PASSWORD, **change}

    answer = await auth.client.post(
        "/v1/auth/signup",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )

    assert_problem(answer, status, code)
    assert [error["field"] for error in answer.json()["errors"]] == list(change)
    assert PASSWORD not in answer.text
    assert await auth.counts() == {}
    assert await auth.events() == []


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {"Content-Type": "application/json"}, 400, "invalid_json"),
        (b"[]", {"Content-Type": "application/json"}, 422, "validation_failed"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {}, 415, "unsupported_media_type"),
        (
            b"{}",
            {"Content-Type": "application/json", "Origin": "https://evil.example"},
            403,
            "origin_not_allowed",
        ),
        (
            b"{}",
            {"Content-Type": "application/json", "Origin": "null"},
            403,
            "origin_not_allowed",
        ),
        (
            b"{}",
            {"Content-Type": "application/json", "Origin": ALLOWED_ORIGIN},
            422,
            "validation_failed",
        ),
        (
            b"{}",
            {"Content-Type": "application/json", "Origin": PUBLIC_URL},
            422,
            "validation_failed",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/auth/signup", "/v1/auth/verify", "/v1/auth/login"])
async def test_only_json_from_allowed_pages_is_read(
    auth: AuthService, *, path: str, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await auth.client.post(path, content=content, headers=headers)

    assert_problem(answer, status, code)
    assert await auth.counts() == {}


async def test_redeeming_the_link_makes_the_account_and_a_session(auth: AuthService) -> None:
    token = await auth.mailed_token(await auth.sign_up("Grace@Example.com", name="Grace"))
    assert (await auth.log_in("grace@example.com")).status_code == 401, "no account before"
    await auth.database.execute("DELETE FROM login_failures")
    await auth.forget_events()

    answer = await auth.post("/v1/auth/verify", {"token": token, "token_delivery": "body"})

    session = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert session["token_type"] == "Bearer"
    assert 800 <= session["expires_in"] <= 900
    assert session["refresh_token"]
    assert session["user"]["email"] == "grace@example.com"
    assert session["user"]["name"] == "Grace"
    assert session["user"]["roles"] == []
    token_claims = claims(session)
    always = {"iss", "aud", "sub", "sid", "jti", "iat", "exp", "roles", "amr", "auth_time"}
    assert token_claims.keys() == always | {"permissions"}
    assert token_claims["amr"] == ["email"]
    assert await auth.counts() == {"users": 1, "sessions": 1}
    [event] = await auth.events()
    assert event["type"] == "user.registered"
    assert event["data"] == {"user_id": session["user"]["id"]}
    assert event["subject"] == session["user"]["id"]
    me = await auth.client.get("/v1/auth/me", headers=bearer(session))
    assert me.json() == session["user"]
    assert (await auth.log_in("grace@example.com")).status_code == 200


async def test_a_link_is_redeemed_once(auth: AuthService) -> None:
    link_id = await auth.sign_up("new@example.com")
    token = await auth.mailed_token(link_id)
    await auth.post("/v1/auth/verify", {"token": token})
    await auth.forget_events()
    before = await auth.counts()

    again = await auth.post("/v1/auth/verify", {"token": token})

    assert_problem(again, 400, "link_invalid")
    assert await auth.counts() == before
    assert await auth.events() == []
    spent = await auth.internal("GET", f"/internal/links/{link_id}", source="mail")
    assert_problem(spent, 404, "not_found")


async def test_ten_redemptions_at_once_have_one_success(auth: AuthService) -> None:
    token = await auth.mailed_token(await auth.sign_up("new@example.com"))
    await auth.forget_events()

    answers = await asyncio.gather(
        *(auth.post("/v1/auth/verify", {"token": token}) for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9
    assert await auth.counts() == {"users": 1, "sessions": 1}
    assert await auth.event_types() == ["user.registered"]


async def test_many_links_of_one_address_at_once_have_one_success(auth: AuthService) -> None:
    tokens = [await auth.mailed_token(await auth.sign_up("new@example.com")) for _ in range(8)]
    await auth.forget_events()

    answers = await asyncio.gather(
        *(auth.post("/v1/auth/verify", {"token": token}) for token in reversed(tokens))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert await auth.counts() == {"users": 1, "sessions": 1}


@pytest.mark.parametrize("known", [True, False])
async def test_an_address_gets_only_so_many_sign_up_mails_an_hour_and_nobody_is_told(
    auth: AuthService, *, known: bool
) -> None:
    if known:
        await auth.register("ada@example.com")
        await auth.database.execute("DELETE FROM known_devices")
    await auth.database.execute("TRUNCATE magic_link_counts")
    await auth.forget_events()
    before = (await auth.counts()).get("links", 0)

    for network in range(5):
        for _ in range(12):
            answer = await auth.post(
                "/v1/auth/signup",
                {"email": "ada@example.com", "password": PASSWORD},
                x_real_ip=f"198.51.100.{network}",
            )
            assert (answer.status_code, answer.json()) == (202, {"status": "verification_sent"})

    assert await auth.event_types() == ["signup.requested"] * 40
    counts = await auth.counts()
    assert (counts["signups"], counts["links"] - before) == (40, 40)


async def test_a_strangers_password_does_not_survive_the_owners_signup(auth: AuthService) -> None:
    theirs = await auth.mailed_token(await auth.sign_up(KNOWN, "the stranger's password"))
    mine = await auth.mailed_token(await auth.sign_up(KNOWN, "the owner's own password"))

    assert (await auth.post("/v1/auth/verify", {"token": mine})).status_code == 200

    assert_problem(await auth.post("/v1/auth/verify", {"token": theirs}), 400, "link_invalid")
    assert (await auth.log_in(KNOWN, "the stranger's password")).status_code == 401
    assert (await auth.log_in(KNOWN, "the owner's own password")).status_code == 200


async def test_an_expired_link_is_dead(auth: AuthService) -> None:
    link_id = await auth.sign_up("new@example.com")
    token = await auth.mailed_token(link_id)
    await auth.database.execute(
        "UPDATE links SET created_at = now() - interval '2 days', expires_at = now()"
    )

    assert_problem(await auth.post("/v1/auth/verify", {"token": token}), 400, "link_invalid")
    mail = await auth.internal("GET", f"/internal/links/{link_id}", source="mail")
    assert_problem(mail, 404, "not_found")


async def test_made_up_tokens_are_refused(auth: AuthService) -> None:
    genuine = await auth.mailed_token(await auth.sign_up("new@example.com"))
    stolen_key = LinkTokens(MasterKey(type(auth.settings.master_key)("another key" * 4)))
    made_up = [
        "x",
        "ü" * 64,
        genuine[:-1],
        genuine[::-1],
        ("B" if genuine[0] == "A" else "A") + genuine[1:],
        stolen_key.token("signup", uuid4()),
    ]

    for token in made_up:
        answer = await auth.post("/v1/auth/verify", {"token": token})
        assert_problem(answer, 400, "link_invalid")
    assert await auth.counts() == {"signups": 1, "links": 1}


async def test_opening_the_page_spends_nothing_and_runs_only_its_own_script(
    auth: AuthService,
) -> None:
    token = await auth.mailed_token(await auth.sign_up("new@example.com"))

    page = await auth.client.get("/verify", params={"token": token})

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in page.headers
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|style=", page.text)
    for name in re.findall(r'(?:src|href)="(/verify/[^"]+)"', page.text):
        part = await auth.client.get(name)
        assert part.status_code == 200
        assert part.headers["x-content-type-options"] == "nosniff"
    assert await auth.counts() == {"signups": 1, "links": 1}
    assert (await auth.post("/v1/auth/verify", {"token": token})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"x_forwarded_host": "evil.example"},
        {"forwarded": "host=evil.example"},
        {"referer": "https://evil.example/"},
    ],
)
async def test_s14_links_are_of_the_configured_address_whatever_the_host_header_says(
    auth: AuthService, headers: dict[str, str]
) -> None:
    body = {"email": KNOWN, "password": PASSWORD}
    assert (await auth.post("/v1/auth/signup", body, **headers)).status_code == 202
    [event] = await auth.events()
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert mail["variables"]["url"].startswith(f"{PUBLIC_URL}/verify#token=")

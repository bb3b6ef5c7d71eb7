"""What happens beside the requests: the first boot, the administrator, and the clean-up."""

import asyncio
import io
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.auth.admin_command import make_or_promote
from services.auth.master_key import MasterKey
from services.auth.signing_keys import Algorithm, KeyRing, UnreadableSigningKey
from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)
from tests.service.auth.authenticator import enrol, mfa_token, second_step
from tests.service.auth.test_passwords import reset

EMAIL = "ada@example.com"

EXPIRE_SIGNUPS = """
UPDATE signups SET created_at = now() - interval '2 days', expires_at = now()
WHERE email LIKE $1"""
EXPIRE_SESSIONS = """
UPDATE sessions SET created_at = now() - interval '30 days', expires_at = now(),
                    idle_expires_at = now()
WHERE id = ANY ($1)"""
EXPIRE_REVOCATION = """
UPDATE revocations SET revoked_at = now() - interval '1 hour', expires_at = now()
WHERE session_id = $1"""
AGE_FAILURES = """
UPDATE login_failures SET last_failed_at = now() - interval '2 hours'
WHERE network = $1::text::cidr"""
EXPIRE_API_KEY = """
UPDATE api_keys SET created_at = now() - interval '90 days',
                    expires_at = now() - interval '31 days'
WHERE name = $1"""


async def test_instances_that_boot_at_once_share_one_key_of_each_kind(database: Database) -> None:
    await database.execute("TRUNCATE signing_keys")
    rings = [KeyRing(database, MasterKey(SecretStr("a master key"))) for _ in range(5)]

    await asyncio.gather(*(ring.start() for ring in rings))

    for algorithm in Algorithm:
        assert len({ring.newest(algorithm).id for ring in rings}) == 1
    assert await database.fetchval("SELECT count(*) FROM signing_keys") == len(Algorithm)
    with pytest.raises(UnreadableSigningKey, match="FREEHOLD_MASTER_KEY"):
        await KeyRing(database, MasterKey(SecretStr("another master key"))).start()
    await database.execute("TRUNCATE signing_keys")


async def test_the_private_key_is_not_readable_at_rest(auth: AuthService) -> None:
    ring = KeyRing(auth.database, MasterKey(auth.settings.master_key))
    await ring.start()
    secrets = {
        "ES256": ring.newest(Algorithm.ES256).private_key.private_numbers().private_value,
        "RS256": ring.newest(Algorithm.RS256).private_key.private_numbers().d,
    }
    for row in await auth.database.fetch("SELECT algorithm, private_key FROM signing_keys"):
        secret = secrets.pop(row["algorithm"])
        assert secret.to_bytes((secret.bit_length() + 7) // 8, "big") not in row["private_key"]
    assert secrets == {}


async def _admin(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch, *arguments: str, password: str = ""
) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return await make_or_promote(auth.settings, list(arguments))


async def _acts_of_the_operator(auth: AuthService) -> list[tuple[str, dict[str, Any]]]:
    rows = await auth.database.fetch(
        "SELECT action, details FROM audit_log WHERE actor_id IS NULL ORDER BY id"
    )
    return [(row["action"], row["details"]) for row in rows]


async def test_the_command_makes_an_administrator(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await auth.sign_up(EMAIL)
    await auth.forget_events()

    assert await _admin(auth, monkeypatch, "Ada@Example.com", password=PASSWORD) == 0

    session = (await auth.log_in(EMAIL)).json()
    assert session["user"]["roles"] == ["administrator"]
    assert claims(session)["roles"] == ["administrator"]
    assert await auth.counts() == {"users": 1, "sessions": 1}
    assert await auth.event_types() == ["user.registered"]
    assert await _acts_of_the_operator(auth) == [
        ("account.created", {"roles": ["administrator"], "by": "command line"})
    ]


@pytest.mark.parametrize(
    ("given", "working"), [("", PASSWORD), ("a new password", "a new password")]
)
async def test_the_command_promotes_an_account(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch, given: str, working: str
) -> None:
    session = await auth.register(EMAIL)
    await auth.forget_events()

    assert await _admin(auth, monkeypatch, EMAIL, password=given) == 0
    assert await _admin(auth, monkeypatch, EMAIL) == 0, "again changes nothing"

    assert await auth.revoked() == {claims(session)["sid"]}
    told = ["notice.requested"] if given else []
    assert await auth.event_types() == [*told, "session.revoked"]
    promoted = ("roles.changed", {"before": [], "after": ["administrator"], "by": "command line"})
    replaced = ("password.changed", {"by": "command line"})
    assert await _acts_of_the_operator(auth) == [promoted, *([replaced] if given else [])]
    assert (await auth.log_in(EMAIL, working)).json()["user"]["roles"] == ["administrator"]


async def test_a_password_that_the_command_replaces_leaves_no_other_way_in(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await auth.register(EMAIL)
    await auth.post("/v1/auth/password/forgot", {"email": EMAIL})
    link = await auth.mailed_token(UUID((await auth.events())[-1]["data"]["link_id"]))
    app = await enrol(auth, session)
    waiting = await mfa_token(auth, EMAIL)
    await auth.forget_events()

    assert await _admin(auth, monkeypatch, EMAIL, password="a new password") == 0

    notice, revoked = await auth.events()
    mail = await auth.mail(UUID(notice["data"]["link_id"]))
    assert (mail["to"], mail["template"]) == (EMAIL, "password_changed")
    assert revoked["data"]["session_id"] == claims(session)["sid"]
    assert_problem(await reset(auth, link), 400, "link_invalid")
    assert_problem(await second_step(auth, waiting, app.code()), 401, "mfa_token_invalid")
    assert await auth.database.fetchval("SELECT count(*) FROM known_devices") == 0


@pytest.mark.parametrize(
    ("roles", "given", "events", "acts", "said"),
    [
        ([], "", [], ["roles.changed"], "promoted"),
        (["administrator"], "", [], [], "left as it is"),
        (
            ["administrator"],
            "a new password",
            ["notice.requested"],
            ["password.changed"],
            "promoted",
        ),
    ],
)
async def test_the_command_lets_a_disabled_account_in_again(
    auth: AuthService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    roles: list[str],
    given: str,
    events: list[str],
    acts: list[str],
    said: str,
) -> None:
    session = await auth.register(EMAIL)
    key = await auth.post(
        "/v1/auth/api-keys", {"name": "app", "scopes": ["files:read"]}, **bearer(session)
    )
    admin = await make_administrator(auth)
    path = f"/v1/auth/users/{session['user']['id']}"
    await auth.database.execute("UPDATE users SET roles = $2 WHERE email = $1", EMAIL, roles)
    await auth.post(f"{path}/disable", {"reason": "on leave"}, **bearer(admin))
    await auth.forget_events()

    assert await _admin(auth, monkeypatch, EMAIL, password=given) == 0

    assert capsys.readouterr().out == (
        f"administrator {said}: {EMAIL}\nThe account was disabled; now it is enabled again.\n"
    )
    assert await auth.event_types() == ["user.enabled", *events]
    assert [act for act, _ in await _acts_of_the_operator(auth)] == ["user.enabled", *acts]
    shown = (await auth.client.get(path, headers=bearer(admin))).json()
    assert (shown["disabled_at"], shown["disabled_reason"]) == (None, None)
    assert (await auth.log_in(EMAIL, given or PASSWORD)).status_code == 200
    exchange = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    assert exchange.status_code == 200

    assert await _admin(auth, monkeypatch, EMAIL) == 0
    assert capsys.readouterr().out == f"administrator left as it is: {EMAIL}\n"


@pytest.mark.parametrize(
    ("arguments", "password", "status", "said"),
    [
        ((), PASSWORD, 2, "Give one e-mail address"),
        (("not-an-address",), PASSWORD, 1, "cannot be used"),
        ((EMAIL,), "", 1, "give a password"),
        ((EMAIL,), "short", 1, "at least 8 characters"),
    ],
)
async def test_the_command_says_what_is_wrong(
    auth: AuthService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    password: str,
    status: int,
    said: str,
) -> None:
    assert await _admin(auth, monkeypatch, *arguments, password=password) == status
    assert said in capsys.readouterr().err
    assert await auth.counts() == {}


async def test_clean_up_removes_what_has_expired_and_only_that(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    for number in range(5):
        await auth.sign_up(f"late{number}@example.com")
    await auth.sign_up("pending@example.com")
    gone = [(await auth.log_in(EMAIL)).json() for _ in range(2)]
    ended = [(await auth.log_in(EMAIL)).json() for _ in range(2)]
    for one in ended:
        await auth.post("/v1/auth/logout", {}, **bearer(one))
    await auth.log_in(EMAIL, "wrong", x_real_ip="198.51.100.1")
    await auth.log_in(EMAIL, "wrong", x_real_ip="198.51.100.2")
    for name in ("old", "good"):
        await auth.post(
            "/v1/auth/api-keys", {"name": name, "scopes": ["realtime"]}, **bearer(session)
        )
    await auth.forget_events()
    past: list[tuple[str, Any]] = [
        (EXPIRE_SIGNUPS, "late%"),
        (EXPIRE_SESSIONS, [claims(one)["sid"] for one in gone]),
        (EXPIRE_REVOCATION, claims(ended[0])["sid"]),
        (AGE_FAILURES, "198.51.100.1"),
        (EXPIRE_API_KEY, "old"),
    ]
    for statement, argument in past:
        await auth.database.execute(statement, argument)

    deleted = await auth.clean_up(batch=2)

    assert deleted == 5 + 2 + 1 + 2 + 1
    assert await auth.counts() == {
        "users": 1,
        "sessions": 1,
        "signups": 1,
        "links": 1,
        "revocations": 1,
        "login_failures": 2,
        "api_keys": 1,
    }
    assert await auth.events() == []

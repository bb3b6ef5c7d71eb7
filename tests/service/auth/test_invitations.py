"""Invitations: whom they are for, how often and how long they are good, and who may send them."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.auth.store import lock_user
from tests.parts.waiting import eventually
from tests.service.auth.auth_service import AuthService, assert_problem, bearer
from tests.service.auth.held_account import somebody_waits
from tests.service.auth.test_organisations import ADA, BOB, EVE, acts, call, join, make, roles
from tests.service.auth.test_users import make_administrator

ACCEPT = "/v1/auth/invitations/accept"
NEW = "new@example.com"


@pytest.fixture
async def ada(auth: AuthService) -> dict[str, Any]:
    return await auth.register(ADA)


@pytest.fixture
async def bob(auth: AuthService) -> dict[str, Any]:
    return await auth.register(BOB)


@pytest.fixture
async def eve(auth: AuthService) -> dict[str, Any]:
    return await auth.register(EVE)


@pytest.fixture
async def acme(auth: AuthService, ada: dict[str, Any]) -> str:
    """The address of an organisation of Ada's; the outbox is empty again."""
    path = await make(auth, ada)
    await auth.forget_events()
    return path


async def invite(
    auth: AuthService, path: str, session: dict[str, Any], email: str, role: str = "member"
) -> dict[str, Any]:
    answer = await call(
        auth, "POST", f"{path}/invitations", session, {"email": email, "role": role}
    )
    assert answer.status_code == 201, answer.text
    invitation: dict[str, Any] = answer.json()
    return invitation


async def token_of(auth: AuthService, invitation: dict[str, Any]) -> str:
    return await auth.mailed_token(UUID(invitation["id"]))


async def accept(auth: AuthService, token: str, session: dict[str, Any]) -> httpx2.Response:
    return await auth.post(ACCEPT, {"token": token}, **bearer(session))


async def test_an_invitation_lets_its_addressee_in_and_nothing_else(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    await auth.forget_events()
    invitation = await invite(auth, acme, ada, " BOB@example.com", "admin")
    assert (invitation["email"], invitation["role"]) == (BOB, "admin")
    assert await auth.event_types() == ["notice.requested"]
    mail = await auth.mail(UUID(invitation["id"]))
    assert (mail["to"], mail["template"]) == (BOB, "invitation")
    assert mail["variables"]["organisation"] == "Acme"
    assert mail["variables"]["url"].startswith("http://127.0.0.1:8080/invitation#token=")
    listed = (await call(auth, "GET", f"{acme}/invitations", ada)).json()
    assert listed == {"items": [invitation], "next": None}
    token = await token_of(auth, invitation)
    await auth.forget_events()

    joined = await accept(auth, token, bob)

    assert joined.status_code == 200
    assert (joined.json()["name"], joined.json()["role"]) == ("Acme", "admin")
    assert await roles(auth, acme) == {ADA: "owner", BOB: "admin"}
    assert await auth.event_types() == ["member.added"]
    assert await acts(auth) == ["organisation.created", "invitation.sent", "member.added"]
    assert (await call(auth, "GET", f"{acme}/invitations", ada)).json()["items"] == []
    assert_problem(await accept(auth, token, bob), 400, "link_invalid")


async def test_s24_an_invitation_is_accepted_only_by_its_addressee(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any], eve: dict[str, Any]
) -> None:
    token = await token_of(auth, await invite(auth, acme, ada, BOB))
    await auth.forget_events()
    for other in (eve, ada):
        assert_problem(await accept(auth, token, other), 403, "invitation_for_another")
    assert (await auth.post(ACCEPT, {"token": token})).status_code == 401
    assert await auth.events() == []
    assert await roles(auth, acme) == {ADA: "owner"}
    assert (await accept(auth, token, bob)).status_code == 200


async def test_s24_an_address_given_up_accepts_nothing_any_more(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    token = await token_of(auth, await invite(auth, acme, ada, BOB))
    await auth.database.execute("UPDATE users SET email = $1 WHERE email = $2", NEW, BOB)
    assert_problem(await accept(auth, token, bob), 403, "invitation_for_another")


async def test_the_answer_does_not_tell_whether_an_address_has_an_account(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    assert bob
    known, unknown = [await invite(auth, acme, ada, email) for email in (BOB, NEW)]
    assert known.keys() == unknown.keys()
    mails = [await auth.mail(UUID(one["id"])) for one in (known, unknown)]
    assert [mail["template"] for mail in mails] == ["invitation", "invitation"]

    newcomer = await auth.register(NEW)

    assert (await accept(auth, await token_of(auth, unknown), newcomer)).status_code == 200


async def test_of_ten_acceptances_at_once_one_succeeds(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    token = await token_of(auth, await invite(auth, acme, ada, BOB))
    await auth.forget_events()
    answers = await asyncio.gather(*(accept(auth, token, bob) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9
    assert await auth.event_types() == ["member.added"]


async def test_a_second_invitation_replaces_the_first(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    first = await invite(auth, acme, ada, BOB, "admin")
    old = await token_of(auth, first)
    second = await invite(auth, acme, ada, BOB, "member")
    listed = (await call(auth, "GET", f"{acme}/invitations", ada)).json()
    assert listed["items"] == [second]
    gone = await auth.internal("GET", f"/internal/links/{first['id']}", source="mail")
    assert gone.status_code == 404
    assert_problem(await accept(auth, old, bob), 400, "link_invalid")
    assert (await accept(auth, await token_of(auth, second), bob)).json()["role"] == "member"


async def test_an_invitation_ends_after_seven_days(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    invitation = await invite(auth, acme, ada, BOB)
    token = await token_of(auth, invitation)
    lived = await auth.database.fetchval("SELECT expires_at - created_at FROM links")
    assert lived.days == 7
    await auth.database.execute(
        "UPDATE links SET created_at = now() - interval '8 days', expires_at = now()"
    )
    assert_problem(await accept(auth, token, bob), 400, "link_invalid")
    assert (await call(auth, "GET", f"{acme}/invitations", ada)).json()["items"] == []
    withdrawn = await call(auth, "DELETE", f"{acme}/invitations/{invitation['id']}", ada)
    assert_problem(withdrawn, 404, "invitation_not_found")
    assert (await invite(auth, acme, ada, BOB))["id"] != invitation["id"]


async def test_what_is_withdrawn_is_worth_nothing(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    invitation = await invite(auth, acme, ada, BOB)
    token = await token_of(auth, invitation)
    path = f"{acme}/invitations/{invitation['id']}"
    other = await make(auth, bob, "Other")
    elsewhere = await call(auth, "DELETE", f"{other}/invitations/{invitation['id']}", bob)
    assert_problem(elsewhere, 404, "invitation_not_found")
    assert (await call(auth, "DELETE", path, ada)).status_code == 204
    assert_problem(await call(auth, "DELETE", path, ada), 404, "invitation_not_found")
    assert_problem(await accept(auth, token, bob), 400, "link_invalid")
    assert (await acts(auth))[-1] == "invitation.withdrawn"


@pytest.mark.parametrize(
    ("inviter", "role", "status"),
    [
        ("owner", "owner", 201),
        ("admin", "admin", 201),
        ("admin", "owner", 403),
        ("member", "member", 403),
        (None, "member", 404),
    ],
)
async def test_nobody_invites_to_a_role_above_their_own(
    *,
    auth: AuthService,
    acme: str,
    eve: dict[str, Any],
    inviter: str | None,
    role: str,
    status: int,
) -> None:
    if inviter is not None:
        await join(auth, acme, eve, inviter)
    await auth.forget_events()
    answer = await call(auth, "POST", f"{acme}/invitations", eve, {"email": NEW, "role": role})
    assert answer.status_code == status
    assert await auth.event_types() == (["notice.requested"] if status == 201 else [])


async def test_an_admin_does_not_take_an_owners_invitation_away(
    auth: AuthService, acme: str, ada: dict[str, Any], eve: dict[str, Any]
) -> None:
    invitation = await invite(auth, acme, ada, NEW, "owner")
    await join(auth, acme, eve, "admin")
    path = f"{acme}/invitations"
    withdrawn = await call(auth, "DELETE", f"{path}/{invitation['id']}", eve)
    replaced = await call(auth, "POST", path, eve, {"email": NEW, "role": "member"})
    for answer in (withdrawn, replaced):
        assert_problem(answer, 403, "organisation_role_required")
    assert (await call(auth, "GET", path, eve)).json()["items"] == [invitation]


@pytest.mark.parametrize("act", ["remove", "demote to member", "demote to admin", "delete account"])
async def test_invitations_do_not_outlive_the_right_to_send_them(
    auth: AuthService, acme: str, ada: dict[str, Any], eve: dict[str, Any], act: str
) -> None:
    member = await join(auth, acme, eve, "owner")
    await invite(auth, acme, eve, NEW, "owner")
    await invite(auth, acme, eve, BOB, "member")
    await invite(auth, acme, ada, "kept@example.com", "member")
    if act == "remove":
        await call(auth, "DELETE", member, ada)
    elif act == "delete account":
        assert (await call(auth, "DELETE", "/v1/auth/me", eve)).status_code == 204
    else:
        await call(auth, "PATCH", member, ada, {"role": act.rpartition(" ")[2]})
    listed = (await call(auth, "GET", f"{acme}/invitations", ada)).json()["items"]
    kept = {"kept@example.com"} | ({BOB} if act == "demote to admin" else set())
    assert {item["email"] for item in listed} == kept
    links = await auth.database.fetchval("SELECT count(*) FROM links WHERE purpose = 'invitation'")
    assert links == len(kept)


@pytest.mark.parametrize("act", ["disable", "take the role of the house"])
async def test_an_invitation_is_worth_nothing_while_its_sender_could_not_send_it(
    *, auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any], act: str
) -> None:
    assert ada
    admin = await make_administrator(auth, "admin@example.com")
    sender = await make_administrator(auth, "sender@example.com")
    token = await token_of(auth, await invite(auth, acme, sender, BOB, "owner"))
    path = f"/v1/auth/users/{sender['user']['id']}"
    if act == "disable":
        ended = await call(auth, "POST", f"{path}/disable", admin, {})
        back = ("POST", f"{path}/enable", None)
    else:
        ended = await call(auth, "PATCH", path, admin, {"roles": []})
        back = ("PATCH", path, {"roles": ["administrator"]})
    assert ended.status_code == 200, ended.text
    await auth.forget_events()

    assert_problem(await accept(auth, token, bob), 400, "link_invalid")

    assert await auth.events() == []
    assert await roles(auth, acme) == {ADA: "owner"}
    assert (await call(auth, back[0], back[1], admin, back[2])).status_code == 200
    assert (await accept(auth, token, bob)).status_code == 200


async def test_a_sender_who_belongs_to_the_house_no_more_invites_by_the_membership_left(
    auth: AuthService, acme: str, bob: dict[str, Any], eve: dict[str, Any]
) -> None:
    sender = await make_administrator(auth, "sender@example.com")
    await join(auth, acme, sender, "admin")
    high = await token_of(auth, await invite(auth, acme, sender, BOB, "owner"))
    low = await token_of(auth, await invite(auth, acme, sender, EVE, "admin"))
    await auth.database.execute("UPDATE users SET roles = '{}'")

    assert_problem(await accept(auth, high, bob), 400, "link_invalid")
    assert (await accept(auth, low, eve)).json()["role"] == "admin"


async def test_a_member_is_not_invited_again_and_keeps_the_role(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    token = await token_of(auth, await invite(auth, acme, ada, BOB))
    await join(auth, acme, bob, "admin")
    again = await call(auth, "POST", f"{acme}/invitations", ada, {"email": BOB})
    assert_problem(again, 409, "already_member")
    await auth.forget_events()
    assert (await accept(auth, token, bob)).json()["role"] == "admin"
    assert await auth.events() == []


async def test_invitations_go_with_their_organisation(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    token = await token_of(auth, await invite(auth, acme, ada, BOB))
    assert (await call(auth, "DELETE", acme, ada)).status_code == 204
    assert_problem(await accept(auth, token, bob), 400, "link_invalid")
    assert await auth.database.fetchval("SELECT count(*) FROM links") == 0


@pytest.mark.parametrize("bound", ["open", "a day"])
async def test_strangers_are_not_flooded(
    auth: AuthService, acme: str, ada: dict[str, Any], bound: str
) -> None:
    organisation_id, user_id = acme.rpartition("/")[2], ada["user"]["id"]
    if bound == "open":
        await auth.database.execute(
            "WITH made AS (INSERT INTO links (id, purpose, token_hash, email, template, expires_at)"
            " SELECT gen_random_uuid(), 'invitation', sha256(n::text::bytea), n || '@example.com',"
            " 'invitation', now() + interval '1 day' FROM generate_series(1, 99) n"
            " RETURNING id, email) INSERT INTO invitations"
            " (id, organisation_id, email, role, invited_by) SELECT id, $1, email, 'member', $2"
            " FROM made",
            organisation_id,
            user_id,
        )
    else:
        await auth.database.execute("UPDATE organisations SET invitations_sent = 199")
    answers = await asyncio.gather(
        *(
            call(auth, "POST", f"{acme}/invitations", ada, {"email": f"x{n}@example.com"})
            for n in range(3)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert_problem(refused, 409, "invitations_full")
    if bound == "a day":
        await auth.database.execute(
            "UPDATE organisations SET invitations_since = now() - interval '25 hours'"
        )
        await invite(auth, acme, ada, NEW)


async def test_who_invites_waits_for_the_end_of_their_account_without_the_organisation(
    auth: AuthService, acme: str, ada: dict[str, Any]
) -> None:
    path, body = f"{acme}/invitations", {"email": NEW}

    async with auth.database.transaction() as deletion:
        await lock_user(deletion, UUID(ada["user"]["id"]))
        inviting = asyncio.ensure_future(call(auth, "POST", path, ada, body))
        await eventually(lambda: somebody_waits(auth), expected=True)
        await deletion.fetch("SELECT FROM organisations FOR UPDATE NOWAIT")

    assert (await inviting).status_code == 201


@pytest.mark.parametrize("token", ["x", "A" * 64, "ü"])
async def test_any_text_as_a_token_is_answered(
    auth: AuthService, ada: dict[str, Any], token: str
) -> None:
    assert_problem(await accept(auth, token, ada), 400, "link_invalid")


async def test_s28_fetching_the_page_spends_nothing(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    invitation = await invite(auth, acme, ada, BOB)
    url: str = (await auth.mail(UUID(invitation["id"])))["variables"]["url"]
    for address in (url, "/invitation/page.js", "/page.css"):
        fetched = await auth.client.get(address)
        assert fetched.status_code == 200
        assert fetched.headers["referrer-policy"] == "no-referrer"
    assert (await accept(auth, await token_of(auth, invitation), bob)).status_code == 200


async def test_a_key_neither_invites_nor_accepts(
    auth: AuthService, acme: str, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    token = await token_of(auth, await invite(auth, acme, ada, BOB))
    key = await call(
        auth, "POST", "/v1/auth/api-keys", bob, {"name": "app", "scopes": ["files:read"]}
    )
    exchanged = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    assert_problem(await accept(auth, token, exchanged.json()), 403, "forbidden")


async def test_accounts_that_go_while_they_join_or_are_removed_leave_nothing_behind(
    auth: AuthService, acme: str, ada: dict[str, Any]
) -> None:
    for turn in range(8):
        email = f"guest{turn}@example.com"
        guest = await auth.register(email)
        token = await token_of(auth, await invite(auth, acme, ada, email))
        if turn % 2:
            assert (await accept(auth, token, guest)).status_code == 200
            other = call(auth, "DELETE", f"{acme}/members/{guest['user']['id']}", ada)
        else:
            other = accept(auth, token, guest)
        answer, deleted = await asyncio.gather(other, call(auth, "DELETE", "/v1/auth/me", guest))
        assert deleted.status_code == 204, deleted.text
        assert answer.status_code in {200, 204, 400, 401, 404}, answer.text
        assert await roles(auth, acme) == {ADA: "owner"}

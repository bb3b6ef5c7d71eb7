"""A sign-up becomes exactly one mail, whatever goes wrong on the way."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from services.mail import store
from services.mail.jobs import SendMessage
from tests.parts.waiting import eventually
from tests.service.mail.conftest import MailHouse

TOKEN = "T0kenThatMustNotBeStoredAnywhere_" + "A" * 31
URL = f"http://127.0.0.1:8080/verify#token={TOKEN}"


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let failed attempts be tried again at once."""
    monkeypatch.setattr(SendMessage, "backoff_seconds", 0.05)


def add_link(house: MailHouse, *, to: str = "ada@example.org", name: str | None = "Ada") -> UUID:
    link_id = uuid4()
    house.auth.add_link(link_id, to=to, template="verify_email", url=URL, name=name)
    return link_id


async def everything_stored(house: MailHouse) -> str:
    tables = await house.database.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'mail'"
    )
    rows: list[Any] = []
    for table in tables:
        name = table["table_name"]
        rows += await house.database.fetch(f"SELECT to_jsonb(t) AS row FROM {name} AS t")
    return json.dumps([row["row"] for row in rows])


async def test_a_sign_up_becomes_one_mail_and_nothing_else(house: MailHouse) -> None:
    await house.start_worker()
    link_id = add_link(house)
    await house.sign_up(link_id)
    await eventually(house.states, ["delivered"])

    (received,) = house.smtp.received
    message = received.message
    message_id = await house.value("SELECT id FROM messages")
    assert received.sender == "noreply@mail.example"
    assert received.recipients == ["ada@example.org"]
    headers = dict(message.items())
    assert headers.pop("Date")
    assert headers.pop("Content-Type").startswith("multipart/alternative")
    assert headers == {
        "From": "Freehold <noreply@mail.example>",
        "To": "ada@example.org",
        "Subject": "Confirm your e-mail address for 127.0.0.1:8080",
        "Message-ID": f"<{message_id}@mail.example>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert URL in text.get_content().splitlines()
    assert f'<a href="{URL}">' in html.get_content()
    assert "Hello Ada," in text.get_content()

    steps = ["accepted", "queued", "attempt", "delivered"]
    assert [step for step, _ in await house.timeline()] == steps
    assert await house.jobs() == [("completed", 1)]
    assert await house.emitted() == [("mail.delivered", {"message_id": str(message_id)})]
    assert await house.value("SELECT count(*) FROM inbox") == 1
    assert await house.value("SELECT count(*) FROM dead_letters") == 0
    row = await house.database.fetchrow("SELECT recipient, template, subject FROM messages")
    assert row is not None
    assert tuple(row) == ("ada@example.org", "verify_email", message["Subject"])
    assert TOKEN not in await everything_stored(house)


async def test_an_event_that_comes_twice_makes_one_mail(house: MailHouse) -> None:
    link_id, event_id = add_link(house), uuid7()
    await house.sign_up(link_id, event_id=event_id)
    await house.sign_up(link_id, event_id=event_id)
    other = add_link(house, to="grace@example.org")
    await house.sign_up(other)
    await house.start_worker()
    await eventually(house.states, ["delivered", "delivered"])
    assert sorted(received.recipients[0] for received in house.smtp.received) == [
        "ada@example.org",
        "grace@example.org",
    ]


async def test_the_owner_of_a_known_address_gets_the_other_mail(house: MailHouse) -> None:
    await house.start_worker()
    link_id = uuid4()
    house.auth.add_link(
        link_id, to="ada@example.org", template="account_exists", url="http://x.example", name=None
    )
    await house.sign_up(link_id)
    await eventually(house.states, ["delivered"])
    (received,) = house.smtp.received
    assert received.message["Subject"] == "You already have an account at 127.0.0.1:8080"
    text = received.message.get_body(("plain",))
    assert text is not None
    assert "http://x.example" in text.get_content().splitlines()
    assert "token=" not in text.get_content()


async def test_a_link_that_is_gone_sends_nothing(house: MailHouse) -> None:
    await house.start_worker()
    await house.sign_up(uuid4())
    await eventually(house.states, ["failed"])
    assert house.smtp.received == []
    assert await house.timeline() == [
        ("accepted", None),
        ("queued", None),
        (
            "failed",
            "The link of this mail has expired or was used already; the mail is not needed.",
        ),
    ]
    assert await house.jobs() == [("completed", 1)]
    assert await house.emitted() == []


@pytest.mark.parametrize("to", ["a@example.org\nBcc: b@example.org", "=?utf-8?q?=0A?=@example.org"])
async def test_an_address_that_would_become_a_header_sends_nothing(
    house: MailHouse, to: str
) -> None:
    await house.start_worker()
    await house.sign_up(add_link(house, to=to))
    await eventually(house.states, ["failed"])
    assert house.smtp.received == []
    assert await house.emitted() == []


@pytest.mark.parametrize("stage", ["rcpt_refusals", "data_refusals"])
async def test_a_permanent_refusal_is_a_bounce(house: MailHouse, stage: str) -> None:
    getattr(house.smtp, stage).append("550 5.1.1 no such mailbox")
    await house.start_worker()
    await house.sign_up(add_link(house))
    await eventually(house.states, ["bounced"])
    message_id = str(await house.value("SELECT id FROM messages"))
    reason = "550 5.1.1 no such mailbox"
    assert house.smtp.received == []
    assert (await house.timeline())[2:] == [("attempt", None), ("bounced", reason)]
    assert await house.jobs() == [("completed", 1)]
    assert await house.emitted() == [("mail.bounced", {"message_id": message_id, "reason": reason})]


@pytest.mark.usefixtures("quick_retries")
async def test_a_temporary_refusal_is_tried_again(house: MailHouse) -> None:
    house.smtp.rcpt_refusals.append("451 4.7.1 come back later")
    house.smtp.data_refusals.append("452 4.3.1 disk is full")
    await house.start_worker()
    await house.sign_up(add_link(house))
    await eventually(house.states, ["delivered"])
    assert len(house.smtp.received) == 1
    assert (await house.timeline())[2:] == [
        ("attempt", "451 4.7.1 come back later"),
        ("attempt", "452 4.3.1 disk is full"),
        ("attempt", None),
        ("delivered", "2.0.0 taken"),
    ]
    assert await house.jobs() == [("completed", 3)]
    assert [kind for kind, _ in await house.emitted()] == ["mail.delivered"]


@pytest.mark.usefixtures("quick_retries")
async def test_a_server_that_is_down_is_waited_for(house: MailHouse) -> None:
    await house.smtp.stop()
    await house.start_worker()
    await house.sign_up(add_link(house))

    async def attempts() -> bool:
        return len(await house.timeline()) > 3

    await eventually(attempts, expected=True)
    assert await house.states() == ["queued"]
    await house.smtp.start()
    await eventually(house.states, ["delivered"])
    assert len(house.smtp.received) == 1


@pytest.mark.usefixtures("quick_retries")
async def test_the_last_attempt_ends_the_message(
    house: MailHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SendMessage, "attempts", 2)
    house.smtp.rcpt_refusals += ["451 no", "451 still no"]
    await house.start_worker()
    await house.sign_up(add_link(house))
    await eventually(house.states, ["failed"])
    assert (await house.timeline())[2:] == [
        ("attempt", "451 no"),
        ("attempt", "451 still no"),
        ("failed", "Given up after the last attempt: 451 still no"),
    ]
    assert await house.emitted() == []


async def test_while_auth_is_away_no_attempt_is_used_up(house: MailHouse) -> None:
    await house.auth.stop()
    await house.start_worker()
    await house.sign_up(add_link(house))

    async def postponed() -> bool:
        run_at = "SELECT count(*) FROM jobs WHERE state = 'scheduled' AND run_at > created_at"
        return bool(await house.value(run_at))

    await eventually(postponed, expected=True)
    await house.auth.start()
    await eventually(house.states, ["delivered"])
    assert await house.jobs() == [("completed", 1)]
    assert len(house.smtp.received) == 1


@pytest.mark.usefixtures("quick_retries")
async def test_a_death_after_the_hand_over_repeats_the_same_message(
    house: MailHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_message, deaths = store.end_message, [RuntimeError("killed before the commit")]

    async def die_once(*args: Any) -> bool:
        if deaths:
            raise deaths.pop()
        return await end_message(*args)

    monkeypatch.setattr(store, "end_message", die_once)
    await house.start_worker()
    await house.sign_up(add_link(house))
    await eventually(house.states, ["delivered"])
    first, second = house.smtp.received
    assert first.data == second.data
    assert [step for step, _ in await house.timeline()][2:] == ["attempt", "attempt", "delivered"]
    assert [kind for kind, _ in await house.emitted()] == ["mail.delivered"]

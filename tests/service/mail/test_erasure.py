"""What is left in the mail log of somebody whose account is deleted: nothing, once they know."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.mail import erasure
from services.mail.erasure import EraseMessages
from services.mail.jobs import SendMessage
from shared.schemas.events.auth import NoticeRequested, UserDeleted
from tests.parts.waiting import eventually
from tests.service.mail.conftest import MailHouse

ADA, BOB = "ada@example.org", "bob@example.org"
URL = "http://127.0.0.1:8080"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "FIRST_LOOK", timedelta(0))
    monkeypatch.setattr(erasure, "LOOK_AGAIN", timedelta(seconds=0.1))
    monkeypatch.setattr(EraseMessages, "backoff_seconds", 0.05)
    monkeypatch.setattr(SendMessage, "backoff_seconds", 0.05)


async def send(house: MailHouse, to: str, template: str = "password_changed") -> UUID:
    link_id = uuid4()
    house.auth.add_link(link_id, to=to, template=template, url=URL, name=None)
    await house.publish(NoticeRequested(link_id=link_id))
    return link_id


async def delete(house: MailHouse, email: str) -> UUID:
    """Do what auth does when an account is deleted: the farewell first, then the event."""
    user_id = uuid4()
    farewell = await send(house, email, "account_deleted")
    house.auth.deletions[user_id] = {"email": email, "farewell_link_id": str(farewell)}
    await house.publish(UserDeleted(user_id=user_id))
    return user_id


def erased(house: MailHouse) -> Callable[[], Awaitable[list[Any]]]:
    async def confirmations() -> list[Any]:
        return [data for type_, data in await house.emitted() if type_ == "user.erased"]

    return confirmations


async def recipients(house: MailHouse) -> list[str | None]:
    rows = await house.database.fetch("SELECT recipient FROM messages ORDER BY id")
    return [row["recipient"] for row in rows]


async def test_the_owner_is_told_and_then_forgotten_and_nobody_else_is(house: MailHouse) -> None:
    await house.start_worker()
    for address in (ADA, BOB, ADA):
        await send(house, address)
    await eventually(house.states, ["delivered"] * 3)

    user_id = await delete(house, ADA)

    await eventually(erased(house), [{"user_id": str(user_id), "service": "mail"}])
    assert house.smtp.received[-1].message["Subject"] == "Your account at 127.0.0.1:8080 is deleted"
    assert await recipients(house) == [BOB]
    assert await house.value("SELECT count(DISTINCT message_id) FROM timeline") == 1


async def test_nothing_is_confirmed_before_the_farewell_has_gone_out(house: MailHouse) -> None:
    await house.smtp.stop()
    await house.start_worker()
    user_id = await delete(house, ADA)
    await eventually(
        lambda: house.value("SELECT least(count(*), 3) FROM jobs WHERE kind = 'erase_messages'"), 3
    )
    assert await erased(house)() == []

    await house.smtp.start()
    await eventually(erased(house), [{"user_id": str(user_id), "service": "mail"}])
    assert await recipients(house) == []


async def test_many_messages_go_in_batches(
    house: MailHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH_MESSAGES", 2)
    await house.start_worker()
    for _ in range(4):
        await send(house, ADA)
    await eventually(house.states, ["delivered"] * 4)
    user_id = await delete(house, ADA)
    await eventually(erased(house), [{"user_id": str(user_id), "service": "mail"}])
    assert await recipients(house) == []


async def test_a_deletion_that_is_complete_already_is_not_confirmed_again(house: MailHouse) -> None:
    await house.start_worker()
    await house.publish(UserDeleted(user_id=uuid4()))
    await eventually(
        lambda: house.value("SELECT state FROM jobs WHERE kind = 'erase_messages'"), "completed"
    )
    assert await house.emitted() == []

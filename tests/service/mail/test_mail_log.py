"""Who may read the mail log, and what it says."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from uuid_utils.compat import uuid7

from services.mail import store
from services.mail.app import web
from services.mail.settings import MailSettings
from shared.chassis.lifecycle import Lifecycle
from shared.schemas.api.mail import MessageState
from tests.parts.ids import UNKNOWN_ID
from tests.service.mail.conftest import MailHouse

PATH = "/v1/mail/messages"


@pytest.fixture
async def client(house: MailHouse) -> AsyncIterator[httpx2.AsyncClient]:
    lifecycle = Lifecycle()
    application = await web(MailSettings(**house.settings), lifecycle)
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://mail") as client:
        yield client
    await lifecycle.stop()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def read(client: httpx2.AsyncClient, house: MailHouse, path: str) -> Any:
    answer = await client.get(path, headers=bearer(house.auth.administrator()))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", [PATH, f"{PATH}/{UNKNOWN_ID}"])
async def test_only_administrators_read_it(
    client: httpx2.AsyncClient, house: MailHouse, path: str
) -> None:
    administrator = {"roles": ("administrator",)}
    callers = [
        ({}, 401, "authentication_required"),
        (bearer("nonsense"), 401, "token_invalid"),
        (bearer(house.auth.token(uuid4(), seconds=-1)), 401, "token_expired"),
        (bearer(house.auth.token(uuid4())), 403, "administrator_required"),
        (
            bearer(house.auth.token(uuid4(), scope="mail:read", **administrator)),
            403,
            "administrator_required",
        ),
    ]
    for headers, status, code in callers:
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_pages_from_the_newest_on(client: httpx2.AsyncClient, house: MailHouse) -> None:
    ids = [uuid7() for _ in range(5)]
    for message_id in ids:
        await store.insert_message(house.database, message_id, link_id=uuid4())
    seen: list[str] = []
    cursor = ""
    sizes = []
    while True:
        page = await read(client, house, f"{PATH}?limit=2{cursor}")
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [str(message_id) for message_id in reversed(ids)]
    assert sizes == [2, 2, 1]


async def test_a_message_tells_its_way_and_not_its_body(
    client: httpx2.AsyncClient, house: MailHouse
) -> None:
    message_id = uuid7()
    await store.insert_message(house.database, message_id, link_id=uuid4())
    before = await read(client, house, f"{PATH}/{message_id}")
    assert (before["to"], before["template"], before["subject"]) == (None, None, None)
    await store.begin_attempt(
        house.database, message_id, recipient="a@x.example", template="verify_email", subject="S"
    )
    assert await store.end_message(house.database, message_id, MessageState.DELIVERED, "250 OK")
    assert not await store.end_message(house.database, message_id, MessageState.BOUNCED, "550")

    message = await read(client, house, f"{PATH}/{message_id}")
    for entry in message["timeline"]:
        assert entry.pop("at").endswith("Z")
    assert message == {
        "id": str(message_id),
        "to": "a@x.example",
        "template": "verify_email",
        "subject": "S",
        "state": "delivered",
        "created_at": before["created_at"],
        "timeline": [
            {"step": "attempt", "detail": None},
            {"step": "delivered", "detail": "250 OK"},
        ],
    }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{PATH}/{UNKNOWN_ID}", 404, "message_not_found"),
        (f"{PATH}/no-id", 404, "not_found"),
        (f"{PATH}?cursor=%00", 400, "invalid_cursor"),
        (f"{PATH}?cursor=AAAA", 400, "invalid_cursor"),
        (f"{PATH}?to=ada@example.com", 422, "validation_failed"),
        (f"{PATH}?limit=0", 422, "validation_failed"),
        (f"{PATH}?limit=201", 422, "validation_failed"),
        (f"{PATH}?limit=9999999999999999999999", 422, "validation_failed"),
        (f"{PATH}?limit=x", 422, "validation_failed"),
    ],
)
async def test_wrong_questions(
    client: httpx2.AsyncClient, house: MailHouse, path: str, status: int, code: str
) -> None:
    answer = await client.get(path, headers=bearer(house.auth.administrator()))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"

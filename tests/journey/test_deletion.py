"""An account is deleted on the running stack, and every service confirms that nothing is left."""

import asyncio
from typing import Any

from tests.journey.client import LONG_SECONDS, PASSWORD, Client
from tests.journey.stack import RunningStack


async def test_a_deleted_account_is_erased_everywhere_and_its_owner_told(
    stack: RunningStack, photo: bytes
) -> None:
    async with Client(stack) as ada, Client(stack) as admin:
        stack.run("admin", admin.email, "--password-stdin", stdin=f"{PASSWORD}\n")
        await admin.log_in()
        await ada.sign_up()
        uploaded = await ada.call(
            "POST", "/v1/files", files={"file": ("photo.jpg", photo, "image/jpeg")}
        )
        path = f"/v1/files/{uploaded.json()['id']}"
        assert (await ada.call("GET", path)).status_code == 200

        assert (await ada.call("DELETE", "/v1/auth/me")).status_code == 204

        async with asyncio.timeout(LONG_SECONDS):
            while (deletion := await found(admin, ada.user_id))["completed_at"] is None:
                await asyncio.sleep(0.2)
        assert set(deletion["confirmations"]) == {"auth", "files", "jobs", "mail", "realtime"}
        assert (await ada.call("GET", path)).status_code == 401
        _, farewell = await stack.mails(ada.email, count=2)
        assert farewell["subject"].endswith("is deleted")
        log = await admin.call("GET", "/v1/mail/messages")
        assert ada.email not in log.text


async def found(admin: Client, user_id: str) -> dict[str, Any]:
    """Return what has become of a deletion."""
    answer = await admin.call("GET", "/v1/auth/deletions")
    (deletion,) = (one for one in answer.json()["items"] if one["user_id"] == user_id)
    named: dict[str, Any] = deletion
    return named

"""`Idempotency-Key`: the answer is kept with the effect, in one transaction.

The service's own migrations make the table `idempotent_answers`.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from shared.chassis.database import Executor, Transaction
from shared.chassis.errors import Problem
from shared.chassis.idempotency.statements import SQL
from shared.chassis.identity.tokens import Identity
from shared.chassis.sealing import Seal, Unsealable
from shared.schemas.problems import FieldError, ProblemCode

HEADER: Final = "Idempotency-Key"
KEPT: Final = timedelta(hours=24)
_KEY: Final = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Which request this is, as its caller names it."""

    caller: str
    key: str
    request: bytes
    """Hash of method, path and body: another request under the same key is a mistake."""


def request_key(request: Request, identity: Identity, body: BaseModel) -> RequestKey | None:
    """Read the header; None without one. Raises Problem `validation_failed` for a strange key.

    Keys of one user's sessions are the user's, those of an API key its own. Bodies that say the
    same are the same, however they are spaced.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if _KEY.fullmatch(key) is None:
        message = "Give 1 to 255 visible ASCII characters, such as a UUID."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=HEADER, message=message)]
        )
    is_session = identity.scopes is None
    caller = _caller(identity.user_id) if is_session else f"key:{identity.session_id}"
    text = f"{request.method} {request.url.path}\n{body.model_dump_json(by_alias=True)}"
    return RequestKey(caller, key, hashlib.sha256(text.encode()).digest())


class IdempotentAnswers:
    """Gives the answer of the first request to every one that comes under the same key.

    Answers may hold secrets, so they are stored sealed.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    async def once(
        self,
        transaction: Transaction,
        key: RequestKey | None,
        effect: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Have the effect and return its answer, or only the answer if it was had before.

        The effect runs in this transaction, so the answer is kept if and only if the effect is. A
        double that comes meanwhile waits for the end of the first. What raises is not kept: the
        next try is a first one. Raises Problem `idempotency_key_reused`.
        """
        if key is None:
            return await effect()
        if await transaction.fetchval(SQL["take_key"], key.caller, key.key, key.request, KEPT):
            response = await effect()
            sealed = self._seal.seal(bytes(response.body), place=_place(key))
            await transaction.execute(
                SQL["keep_answer"], key.caller, key.key, response.status_code, sealed
            )
            return response
        answer = await self.find(transaction, key)
        if answer is None:  # pruned in this very moment
            raise Problem(ProblemCode.OVERLOADED, headers={"Retry-After": "1"})
        return answer

    async def find(self, executor: Executor, key: RequestKey) -> Response | None:
        """Return the answer that was given under a key; None if there is none yet.

        Raises Problem `idempotency_key_reused`.
        """
        row = await executor.fetchrow(SQL["find_answer"], key.caller, key.key, KEPT)
        if row is None:
            return None
        if row["request"] != key.request:
            raise Problem(ProblemCode.IDEMPOTENCY_KEY_REUSED)
        try:
            body = self._seal.open(row["answer"], place=_place(key))
        except Unsealable as error:
            raise Problem(
                ProblemCode.IDEMPOTENCY_KEY_REUSED,
                "The request was carried out, but its answer cannot be read any more; look for "
                "its effect before you send it under another key.",
            ) from error
        return Response(
            body,
            row["status"],
            headers={"Idempotent-Replayed": "true", "Cache-Control": "no-store"},
            media_type="application/json",
        )


async def forget_answers(transaction: Transaction, user_id: UUID) -> None:
    """Forget what was answered in a user's sessions."""
    await transaction.execute(SQL["forget_answers"], _caller(user_id))


def _caller(user_id: UUID) -> str:
    return f"user:{user_id}"


def _place(key: RequestKey) -> str:
    return f"{key.caller} {key.key}"

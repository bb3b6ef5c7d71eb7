"""What is made by a request: once, however often it is sent under its `Idempotency-Key`."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from services.auth.access import lock_entitled_account
from services.auth.master_key import MasterKey
from shared.chassis.database import Database, Transaction
from shared.chassis.idempotency.answers import IdempotentAnswers, request_key
from shared.chassis.identity.tokens import Identity
from shared.chassis.sealing import Seal

Step: TypeAlias = Callable[[Transaction], Awaitable[object]]
Creation: TypeAlias = Callable[[Transaction], Awaitable[Response]]


class Creations:
    """Gives a request that is sent again the first one's answer, to who may still have it.

    The caller's account is locked first: its end, or the end of its roles, comes before or after,
    and no answer outlives it.
    """

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._answers = IdempotentAnswers(Seal(master_key.derive("idempotent answers")))

    async def make(
        self,
        request: Request,
        identity: Identity,
        body: BaseModel,
        create: Creation,
        *,
        require: Step | None = None,
    ) -> Response:
        """Have something made in a transaction, or answer as when it was.

        `require` raises a problem for who may not, also when the answer is given again; what the
        token alone decides is checked before this call. Raises Problem for a strange key or one
        of another request, and 401 for a token whose rights have ended.
        """
        key = request_key(request, identity, body)
        async with self._database.transaction() as transaction:
            await lock_entitled_account(transaction, identity)
            if require is not None:
                await require(transaction)
            return await self._answers.once(transaction, key, lambda: create(transaction))

    async def kept(self, request: Request, identity: Identity, body: BaseModel) -> Response | None:
        """Return the answer of when it was made, if it was; raises as `make` does.

        For what has to be prepared outside of a transaction, because others are asked.
        """
        key = request_key(request, identity, body)
        if key is None:
            return None
        async with self._database.transaction() as transaction:
            await lock_entitled_account(transaction, identity)
            return await self._answers.find(transaction, key)

"""What is left between the two proofs of a log-in."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.factors import store
from services.auth.factors.records import Challenge
from services.auth.records import Method
from services.auth.secret_hashes import hash_secret
from services.auth.store import hold_user
from shared.chassis.database import Executor, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.problems import ProblemCode

CHALLENGE_LIFETIME: Final = timedelta(minutes=10)
CHALLENGE_FAILURES: Final = 5
RECOVERY_CODE: Final = "recovery_code"
SECOND_PROOFS: Final = frozenset({Method.ONE_TIME_CODE, Method.RECOVERY_CODE, Method.PASSKEY})
_TOKEN_BYTES = 32


class SecondFactor(Protocol):
    """A kind of second factor, and the extension point for others.

    Accounts that have one of any kind must present one after their first proof.
    """

    async def methods(self, executor: Executor, user_id: UUID) -> Sequence[str]:
        """Return how an account can prove a factor of this kind; nothing if it has none."""


class Challenges:
    """Opens and settles the second step of log-ins.

    The token has 256 random bits and is stored as a hash. Whoever settles a challenge has locked
    it by `find` before, so of several at once one succeeds.
    """

    def __init__(self, kinds: Sequence[SecondFactor]) -> None:
        self._kinds = tuple(kinds)

    async def methods(self, executor: Executor, user_id: UUID) -> tuple[str, ...]:
        """Return how an account can prove itself further; nothing if it has no second factor."""
        found = [method for kind in self._kinds for method in await kind.methods(executor, user_id)]
        if found and await store.count_recovery_codes(executor, user_id):
            found.append(RECOVERY_CODE)
        return tuple(found)

    async def require_second_proof(self, executor: Executor, identity: Identity) -> bool:
        """Tell whether the account has a second factor.

        Raises a 403 problem if it has and this session was opened without: somebody who got hold
        of a session from before the factor must not replace it.
        """
        if not await self.methods(executor, identity.user_id):
            return False
        if not SECOND_PROOFS & identity.methods:
            raise Problem(ProblemCode.REAUTHENTICATION_REQUIRED)
        return True

    async def open(
        self,
        transaction: Transaction,
        user_id: UUID,
        *,
        first: Method,
        token_delivery: TokenDelivery,
    ) -> str:
        """Remember a first proof and return the token that stands for it for ten minutes."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        await store.insert_challenge(
            transaction,
            challenge_id=uuid7(),
            user_id=user_id,
            token_hash=hash_secret(token),
            first=first,
            token_delivery=token_delivery,
            lifetime=CHALLENGE_LIFETIME,
        )
        return token

    async def find(self, transaction: Transaction, token: str) -> Challenge:
        """Return the live challenge of a token, locked. Raises a 401 `mfa_token_invalid`."""
        token_hash = hash_secret(token)
        user_id = await store.find_challenge_owner(transaction, token_hash)
        if user_id is not None:
            # The account first, as everywhere: whoever ends its log-ins locks it before them.
            await hold_user(transaction, user_id)
            challenge = await store.lock_challenge(transaction, token_hash)
            if challenge is not None:
                return challenge
        raise Problem(ProblemCode.MFA_TOKEN_INVALID)

    async def settle(self, transaction: Transaction, challenge: Challenge) -> None:
        """End a challenge whose second proof was good."""
        await store.delete_challenge(transaction, challenge.id)

    async def fail(self, transaction: Transaction, challenge: Challenge) -> bool:
        """Count a wrong second proof; the fifth ends the challenge, which True tells.

        Commit this although the request fails.
        """
        if challenge.failures + 1 < CHALLENGE_FAILURES:
            await store.count_challenge_failure(transaction, challenge.id)
            return False
        await store.delete_challenge(transaction, challenge.id)
        return True

"""Where a passkey lets somebody in: at once, as a second step, and again in an open session."""

from typing import Any

from services.auth.access import hold_own_account, require_own_session
from services.auth.entrance import Entrance
from services.auth.factors.challenges import Challenges
from services.auth.factors.notices import FactorNotices
from services.auth.passkeys import store
from services.auth.passkeys.enrolment import MOST_PASSKEYS
from services.auth.passkeys.proofs import PasskeyProofs
from services.auth.passkeys.records import Asker, Purpose
from services.auth.records import Device, Method
from services.auth.sessions import Grant
from shared.chassis.database import Database, Executor
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.api.passkeys import PasskeyCredential, PasskeyLogIn
from shared.schemas.problems import ProblemCode


class PasskeyLogIns:
    """Opens sessions for people who have a passkey, which is two factors by itself."""

    def __init__(self, database: Database, proofs: PasskeyProofs, entrance: Entrance) -> None:
        self._database = database
        self._proofs = proofs
        self._entrance = entrance

    async def start(self) -> dict[str, Any]:
        """Return what a browser needs, the same for everybody: the passkey says whose it is."""
        return await self._proofs.ask(self._database, Purpose.LOG_IN)

    async def finish(self, request: PasskeyLogIn, device: Device) -> Grant:
        """Open the session. Raises 401 `passkey_invalid`, and 403 for a disabled account."""
        async with self._database.transaction() as transaction:
            user_id = await self._proofs.check(
                transaction, request.credential, Purpose.LOG_IN, None, device
            )
        # Apart from what follows: whatever comes of it, the challenge is spent.
        if user_id is None:
            raise Problem(ProblemCode.PASSKEY_INVALID)
        async with self._database.transaction() as transaction:
            return await self._entrance.open(
                transaction,
                user_id,
                methods=(Method.PASSKEY,),
                token_delivery=request.token_delivery,
                device=device,
            )


class PasskeySecondSteps:
    """Opens the session that a first proof asked for, once a passkey proves the rest."""

    def __init__(
        self,
        database: Database,
        *,
        challenges: Challenges,
        entrance: Entrance,
        proofs: PasskeyProofs,
        notices: FactorNotices,
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._entrance = entrance
        self._proofs = proofs
        self._notices = notices

    async def start(self, mfa_token: str) -> dict[str, Any]:
        """Return what a browser needs to sign with a passkey of the account.

        Raises 401 `mfa_token_invalid` for a token that is over, and 409 `factor_missing`.
        """
        async with self._database.transaction() as transaction:
            challenge = await self._challenges.find(transaction, mfa_token)
            asker = Asker(challenge.user_id, challenge.id)
            return await _ask(transaction, self._proofs, Purpose.SECOND_STEP, asker)

    async def finish(self, mfa_token: str, credential: PasskeyCredential, device: Device) -> Grant:
        """Open the session.

        Raises 401 `passkey_invalid`, which is counted, the fifth ending the log-in by 401
        `mfa_token_invalid`; and 403 for a disabled account.
        """
        async with self._database.transaction() as transaction:
            challenge = await self._challenges.find(transaction, mfa_token)
            asker = Asker(challenge.user_id, challenge.id)
            proved = await self._proofs.check(
                transaction, credential, Purpose.SECOND_STEP, asker, device
            )
            if proved is not None:
                return await self._entrance.complete(
                    transaction, challenge, method=Method.PASSKEY, device=device
                )
            is_over = await self._challenges.fail(transaction, challenge)
            if is_over:
                await self._notices.guessed(transaction, challenge.user_id)
        # Raised outside the transaction, which would take the count back otherwise.
        raise Problem(ProblemCode.MFA_TOKEN_INVALID if is_over else ProblemCode.PASSKEY_INVALID)


class PasskeyStepUps:
    """Replaces a session by one whose user has just proved who they are, with a passkey."""

    def __init__(self, database: Database, proofs: PasskeyProofs, entrance: Entrance) -> None:
        self._database = database
        self._proofs = proofs
        self._entrance = entrance

    async def start(self, identity: Identity) -> dict[str, Any]:
        """Return what a browser needs to sign with a passkey of the caller.

        Raises 409 `factor_missing` for an account without one, and 403 outside one's own session.
        """
        require_own_session(identity)
        asker = Asker(identity.user_id, identity.session_id)
        async with self._database.transaction() as transaction:
            return await _ask(transaction, self._proofs, Purpose.STEP_UP, asker)

    async def finish(
        self, identity: Identity, credential: PasskeyCredential, device: Device
    ) -> Grant:
        """Open the new session. Raises 401 `passkey_invalid`, and 403 as `start` does."""
        require_own_session(identity)
        asker = Asker(identity.user_id, identity.session_id)
        async with self._database.transaction() as transaction:
            await hold_own_account(transaction, identity.user_id)
            proved = await self._proofs.check(
                transaction, credential, Purpose.STEP_UP, asker, device
            )
            if proved is not None:
                return await self._entrance.step_up(
                    transaction, identity, proved=[Method.PASSKEY], device=device
                )
        # Raised outside the transaction, which would give the challenge back otherwise.
        raise Problem(ProblemCode.PASSKEY_INVALID)


async def _ask(
    executor: Executor, proofs: PasskeyProofs, purpose: Purpose, asker: Asker
) -> dict[str, Any]:
    allowed = await store.list_credentials(executor, asker.user_id, limit=MOST_PASSKEYS)
    if not allowed:
        raise Problem(ProblemCode.FACTOR_MISSING, "This account has no passkey.")
    return await proofs.ask(executor, purpose, asker, allowed=allowed)

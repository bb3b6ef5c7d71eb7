"""The second step of a log-in, by a code."""

from services.auth.entrance import Entrance
from services.auth.factors.challenges import Challenges
from services.auth.factors.notices import FactorNotices
from services.auth.factors.proofs import CodeProofs
from services.auth.records import Device, Method
from services.auth.sessions import Grant
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode


class SecondSteps:
    """Opens the session that a first proof asked for, once a code proves the rest.

    Both raise 401 `mfa_token_invalid` for a token that is over, 400 `code_invalid` for a wrong
    code, which is counted, the fifth ending the log-in; and 403 for a disabled account.
    """

    def __init__(
        self,
        database: Database,
        challenges: Challenges,
        entrance: Entrance,
        proofs: CodeProofs,
        notices: FactorNotices,
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._entrance = entrance
        self._proofs = proofs
        self._notices = notices

    async def with_totp(self, mfa_token: str, code: str, device: Device) -> Grant:
        """Finish with the code of an app. Raises a 429 problem while this network has to wait."""
        return await self._finish(mfa_token, code, Method.ONE_TIME_CODE, device)

    async def with_recovery_code(self, mfa_token: str, code: str, device: Device) -> Grant:
        """Finish with a recovery code, which is spent; its owner is told by mail."""
        return await self._finish(mfa_token, code, Method.RECOVERY_CODE, device)

    async def _finish(self, mfa_token: str, code: str, method: Method, device: Device) -> Grant:
        async with self._database.transaction() as transaction:
            challenge = await self._challenges.find(transaction, mfa_token)
            user_id = challenge.user_id
            if await self._proofs.check(transaction, user_id, method, code, device):
                return await self._entrance.complete(
                    transaction, challenge, method=method, device=device
                )
            is_over = await self._challenges.fail(transaction, challenge)
            if is_over:
                await self._notices.guessed(transaction, user_id)
        # Raised outside the transaction, which would take the count back otherwise.
        raise Problem(ProblemCode.MFA_TOKEN_INVALID if is_over else ProblemCode.CODE_INVALID)

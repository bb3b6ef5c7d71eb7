"""Proving again who one is, in a session that is open."""

from typing import Final

from services.auth.access import hold_own_account, own_account, require_own_session
from services.auth.entrance import Entrance
from services.auth.factors.challenges import Challenges
from services.auth.factors.proofs import CodeProofs
from services.auth.logins import Logins
from services.auth.records import Account, Device, Method
from services.auth.sessions import Grant
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.api.factors import StepUpRequest
from shared.schemas.problems import FieldError, ProblemCode

_NOTHING_TO_PROVE: Final = (
    "This account has neither a password nor a second factor; log in again instead, by mail or "
    "with your provider."
)


class StepUps:
    """Replaces a session by one whose user has just proved who they are."""

    def __init__(
        self,
        database: Database,
        *,
        logins: Logins,
        challenges: Challenges,
        entrance: Entrance,
        proofs: CodeProofs,
    ) -> None:
        self._database = database
        self._logins = logins
        self._challenges = challenges
        self._entrance = entrance
        self._proofs = proofs

    async def step_up(self, identity: Identity, request: StepUpRequest, device: Device) -> Grant:
        """Check what was sent and open the new session.

        An account with a second factor has to present that; any other its password. Raises 401
        `invalid_credentials`, 400 `code_invalid`, 403 `second_factor_required`, 429 while this
        network has to wait, and 503 when too many passwords wait to be checked.
        """
        require_own_session(identity)
        account = await own_account(self._database, identity)
        proved = [] if request.password is None else [Method.PASSWORD]
        has_factor = bool(await self._challenges.methods(self._database, account.id))
        given = _code(request)
        if has_factor and given is None:
            raise Problem(ProblemCode.SECOND_FACTOR_REQUIRED)
        if not has_factor:
            _require_password(account, request)
        if request.password is not None:
            await self._logins.authenticate(
                account.email, request.password, device, session_id=identity.session_id
            )
        async with self._database.transaction() as transaction:
            # Before its factors, as everywhere: an account that is being deleted takes them along.
            await hold_own_account(transaction, account.id)
            matches = True
            if has_factor and given is not None:
                method, code = given
                proved.append(method)
                matches = await self._proofs.check(transaction, account.id, method, code, device)
            if matches:
                return await self._entrance.step_up(
                    transaction, identity, proved=proved, device=device
                )
        # Raised outside the transaction, which would take the count back otherwise.
        raise Problem(ProblemCode.CODE_INVALID)


def _code(request: StepUpRequest) -> tuple[Method, str] | None:
    if request.code is not None:
        return Method.ONE_TIME_CODE, request.code
    if request.recovery_code is not None:
        return Method.RECOVERY_CODE, request.recovery_code
    return None


def _require_password(account: Account, request: StepUpRequest) -> None:
    if account.password_hash is None:
        raise Problem(ProblemCode.REAUTHENTICATION_REQUIRED, _NOTHING_TO_PROVE)
    if request.password is None:
        message = "This account has no second factor; send its password."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="password", message=message)]
        )

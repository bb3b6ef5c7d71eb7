"""Logging in with a password."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from services.auth import store
from services.auth.audit.log import Action, record
from services.auth.emails import InvalidEmailError, normalise_email
from services.auth.entrance import Entrance, FactorRequired
from services.auth.metrics import LOGINS, LoginOutcome
from services.auth.passwords import HashingSlot, PasswordHasher, normalise_password
from services.auth.protections.captcha import Captcha, Verdict
from services.auth.records import Account, Device, Method
from services.auth.sessions import Grant, Sessions
from services.auth.throttle import Attempt, LoginThrottle
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.schemas.api.auth import LoginRequest
from shared.schemas.problems import ProblemCode

SESSION_FAILURES: Final = 20
"""Wrong passwords in one session, after which it ends."""
CURRENT_IS_WRONG: Final = "The current password is wrong."
"""What somebody is told whose session says already which account it is."""

_OUTCOMES = {
    ProblemCode.INVALID_CREDENTIALS: LoginOutcome.WRONG,
    ProblemCode.TOO_MANY_ATTEMPTS: LoginOutcome.THROTTLED,
    ProblemCode.CAPTCHA_REQUIRED: LoginOutcome.CAPTCHA_REQUIRED,
    ProblemCode.OVERLOADED: LoginOutcome.OVERLOADED,
}


class Logins:
    """Opens sessions for people who know their password."""

    def __init__(
        self,
        database: Database,
        hasher: PasswordHasher,
        throttle: LoginThrottle,
        *,
        entrance: Entrance,
        captcha: Captcha,
        sessions: Sessions,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._throttle = throttle
        self._entrance = entrance
        self._captcha = captcha
        self._sessions = sessions

    async def log_in(self, request: LoginRequest, device: Device) -> Grant | FactorRequired:
        """Check a password and open a session, or say what has to follow.

        Raises 401 `invalid_credentials`, after the same work whether the address has an account
        or not; 429 while this network has to wait for this account, and 403 `captcha_required`
        where a CAPTCHA would spare a stranger the wait; 503 when too many passwords wait to be
        checked.
        """
        try:
            account = await self.authenticate(
                request.email, request.password, device, captcha_token=request.captcha_token
            )
        except Problem as problem:
            if problem.code in _OUTCOMES:
                LOGINS.labels(_OUTCOMES[problem.code]).inc()
            raise
        async with self._database.transaction() as transaction:
            entered = await self._entrance.enter(
                transaction,
                account.id,
                method=Method.PASSWORD,
                token_delivery=request.token_delivery,
                device=device,
                password_hash=account.password_hash,
            )
        LOGINS.labels(LoginOutcome.SUCCESS).inc()
        return entered

    async def authenticate(
        self,
        email: str,
        password: str,
        device: Device,
        *,
        session_id: UUID | None = None,
        captcha_token: str | None = None,
    ) -> Account:
        """Return the account that has this address and password. Raises as `log_in` does.

        Its hash is the one that the password was found to have, renewed if it was outdated.
        `session_id` names the open session, if any, that proves its password again; the twentieth
        wrong one in a row ends it.
        """
        typed = normalise_password(password)
        email = _as_stored(email)
        attempt = await self._throttle.check(email, device, session_id=session_id)
        is_person = False
        if attempt.is_suspect:
            is_person = await self._is_person(captcha_token, device)
            if not is_person:
                self._require_turn(attempt, captcha_token)
        async with self._hasher.slot() as slot:
            # Once more, now that a thread is free: the ones that waited before it may have used
            # up what was allowed.
            attempt = await self._throttle.check(email, device, session_id=session_id)
            if attempt.is_suspect and not is_person:
                await self._throttle.take_turn(attempt)
            account = await store.find_user_by_email(self._database, email)
            matches = await slot.verify(
                typed, account.password_hash if account else None, as_typed=password.encode()
            )
            if account is None or not matches:
                await self._fail(attempt, email, account, device, session_id)
                # Whoever has a session typed no address that could be wrong.
                detail = None if session_id is None else CURRENT_IS_WRONG
                raise Problem(ProblemCode.INVALID_CREDENTIALS, detail)
            if account.password_hash is not None and slot.is_outdated(account.password_hash):
                account = await self._renew(account, typed, slot)
        await self._throttle.forget(attempt)
        return account

    async def _is_person(self, captcha_token: str | None, device: Device) -> bool:
        if captcha_token is None or not self._captcha.is_on:
            return False
        verdict = await self._captcha.verdict(captcha_token, device)
        if verdict is Verdict.REFUSED:
            raise Problem(ProblemCode.CAPTCHA_REQUIRED)
        # Without an answer it is as if there were no CAPTCHA: strangers take turns.
        return verdict is Verdict.PERSON

    def _require_turn(self, attempt: Attempt, captcha_token: str | None) -> None:
        try:
            self._throttle.require_turn(attempt)
        except Problem as problem:
            if captcha_token is None and self._captcha.is_on:
                raise Problem(ProblemCode.CAPTCHA_REQUIRED, headers=problem.headers) from problem
            raise

    async def _renew(self, account: Account, typed: bytes, slot: HashingSlot) -> Account:
        renewed = await slot.hash(typed)
        if await store.replace_password_hash(self._database, account, renewed):
            return replace(account, password_hash=renewed)
        # Somebody else was first: with the same password, or with another one.
        current = await store.find_user(self._database, account.id)
        if current is None or not await slot.verify(typed, current.password_hash, as_typed=typed):
            raise Problem(ProblemCode.INVALID_CREDENTIALS)
        return current

    async def _fail(
        self,
        attempt: Attempt,
        email: str,
        account: Account | None,
        device: Device,
        session_id: UUID | None,
    ) -> None:
        # The same statements whether there is an account or not: the answer's time must not tell.
        async with self._database.transaction() as transaction:
            failures = await self._throttle.count_failure(transaction, attempt)
            if session_id is not None and account is not None and failures >= SESSION_FAILURES:
                # Whoever has the session does not know the password: it may well be stolen.
                await self._sessions.end(transaction, session_id, user_id=account.id)
            await record(
                transaction,
                Action.LOGIN_FAILED,
                user_id=None if account is None else account.id,
                device=device,
                method=Method.PASSWORD.value,
                typed_address=self._throttle.name(email),
                session_id=session_id,
            )


def _as_stored(email: str) -> str:
    # An address that cannot exist is an unknown one, not another kind of answer.
    try:
        return normalise_email(email)
    except InvalidEmailError:
        # Nor may it hold what no column can.
        return email.replace("\0", " ")

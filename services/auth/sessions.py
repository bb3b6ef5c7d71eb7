"""Sessions: opened by a proof of identity, kept by refreshing, ended once and for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth import store
from services.auth.access_tokens import AccessTokenIssuer
from services.auth.audit.log import Action, record
from services.auth.metrics import REFRESHES
from services.auth.records import Account, Device, EndedSession, Method, SessionWithRights
from services.auth.refresh_tokens import RefreshClaim, RefreshTokens
from services.auth.revocations import end_sessions, revoke
from shared.chassis.database import ConstraintViolation, Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import unauthenticated
from shared.chassis.outbox import Outbox
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.problems import ProblemCode

REUSE_GRACE = timedelta(seconds=10)
MOST_SESSIONS: Final = 1000
"""Of one account, so that all can be ended at once; beyond them the least used one ends."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the holder of a session receives."""

    account: Account
    session_id: UUID
    access_token: str
    expires_in: int
    refresh_token: str
    token_delivery: TokenDelivery
    refresh_expires_at: datetime
    device_token: str | None = None
    """For the cookie that the device is known by; None if it keeps the one it has, or none."""


class Sessions:
    """Opens, refreshes and ends sessions."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        issuer: AccessTokenIssuer,
        tokens: RefreshTokens,
        *,
        lifetime: timedelta,
        idle: timedelta,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._issuer = issuer
        self._tokens = tokens
        self._lifetime = lifetime
        self._idle = idle

    async def open(
        self,
        transaction: Transaction,
        account: Account,
        *,
        methods: Sequence[Method],
        token_delivery: TokenDelivery,
        device: Device,
        impersonator_id: UUID | None = None,
        organisation_id: UUID | None = None,
        lifetime: timedelta | None = None,
    ) -> Grant:
        """Open a session with an id of its own; hand the grant out only after the commit.

        `organisation_id` is one that the account belongs to, `lifetime` the session's absolute end,
        if not the usual one.
        """
        session = await store.insert_session(
            transaction,
            session_id=uuid7(),
            user_id=account.id,
            token_delivery=token_delivery,
            idle=self._idle,
            lifetime=lifetime or self._lifetime,
            device=device,
            methods=methods,
            impersonator_id=impersonator_id,
            organisation_id=organisation_id,
        )
        surplus = await store.end_surplus_sessions(transaction, account.id, keep=MOST_SESSIONS)
        await revoke(transaction, self._outbox, surplus)
        return self._grant(session, account)

    async def refresh(self, token: str, device: Device) -> Grant:
        """Exchange a refresh token for its successor, and remember where it was used.

        The token that was just replaced yields the current one for ten seconds: an answer got
        lost, or two tabs asked at once. An older one was copied: the session ends, and its end is
        committed before the 401 problem is raised.
        """
        claim = self._tokens.read(token)
        if claim is None:
            REFRESHES.labels("invalid").inc()
            raise Problem(ProblemCode.REFRESH_TOKEN_INVALID)
        rotated = await store.rotate_session(
            self._database, claim.session_id, claim.counter, idle=self._idle, device=device
        )
        if rotated is not None:
            REFRESHES.labels("rotated").inc()
            return self._grant(*rotated)
        return await self._refresh_replaced(claim, device)

    async def _refresh_replaced(self, claim: RefreshClaim, device: Device) -> Grant:
        async with self._database.transaction() as transaction:
            found = await store.lock_session(transaction, claim.session_id)
            if found is not None:
                session, account, since_refresh = found
                if _is_just_replaced(claim, session, since_refresh):
                    REFRESHES.labels("repeated").inc()
                    return self._grant(session, account)
                await self._end_copied(transaction, session, device)
        # Raised outside the transaction, which would take the end of the session back otherwise.
        if found is None:
            REFRESHES.labels("invalid").inc()
            raise Problem(ProblemCode.REFRESH_TOKEN_INVALID)
        REFRESHES.labels("reused").inc()
        raise Problem(ProblemCode.REFRESH_TOKEN_REUSED)

    async def lock_presented(
        self, transaction: Transaction, token: str, device: Device
    ) -> SessionWithRights | None:
        """Return the live session that a refresh token opens, locked; None if it opens none.

        The token is judged as `refresh` judges it and not exchanged: one older than the one that
        was just replaced was copied, and ends the session, which the log tells.
        """
        claim = self._tokens.read(token)
        found = None if claim is None else await store.lock_session(transaction, claim.session_id)
        if claim is None or found is None:
            return None
        session, _, since_refresh = found
        is_current = claim.counter == session.refresh_counter
        if is_current or _is_just_replaced(claim, session, since_refresh):
            return session
        await self._end_copied(transaction, session, device)
        return None

    async def _end_copied(
        self, transaction: Transaction, session: SessionWithRights, device: Device
    ) -> None:
        await self.end(transaction, session.id, user_id=session.user_id)
        await record(
            transaction,
            Action.SESSION_COPIED,
            user_id=session.user_id,
            session_id=session.id,
            device=device,
        )

    async def choose_organisation(
        self, transaction: Transaction, session_id: UUID, organisation_id: UUID | None
    ) -> tuple[SessionWithRights, str, int]:
        """Let a session act for an organisation of its user's, or for none.

        Returns the session with an access token that says so and the token's life in seconds; the
        refresh token stays. Hand it out only after the commit. Raises a 401 problem if the session
        has ended, 404 where its user is no member.
        """
        found = await store.lock_session(transaction, session_id)
        if found is None:
            raise unauthenticated(ProblemCode.TOKEN_REVOKED)
        try:
            # After the lock, so that it sees the role as it is now.
            session = await store.choose_organisation(transaction, session_id, organisation_id)
        except ConstraintViolation as violation:
            raise Problem(ProblemCode.ORGANISATION_NOT_FOUND) from violation
        token, seconds = self._issuer.for_session(session, roles=found[1].roles)
        return session, token, seconds

    async def end(self, transaction: Transaction, session_id: UUID, *, user_id: UUID) -> bool:
        """End one session of a user; False if there is none. Repeating it changes nothing."""
        ended = await store.end_session(transaction, session_id, user_id=user_id)
        await revoke(transaction, self._outbox, [] if ended is None else [ended])
        return ended is not None

    async def log_out(
        self,
        transaction: Transaction,
        session_id: UUID,
        *,
        user_id: UUID,
        device: Device,
        actor_id: UUID | None = None,
        **details: Any,
    ) -> None:
        """End one session because its holder, or `actor_id`, said so, which the log tells.

        Repeating it changes nothing.
        """
        if await self.end(transaction, session_id, user_id=user_id):
            await record(
                transaction,
                Action.SESSION_ENDED,
                user_id=user_id,
                actor_id=actor_id,
                session_id=session_id,
                device=device,
                **details,
            )

    async def log_out_presented(self, transaction: Transaction, token: str, device: Device) -> None:
        """End the session that a refresh token opens; one that opens none any more ends nothing."""
        session = await self.lock_presented(transaction, token, device)
        if session is not None:
            await self.log_out(
                transaction,
                session.id,
                user_id=session.user_id,
                actor_id=session.impersonator_id,
                device=device,
            )

    async def end_others(
        self, transaction: Transaction, *, user_id: UUID, keep: UUID | None
    ) -> list[EndedSession]:
        """End every session of a user but `keep`, as `end_sessions` does, and return those."""
        return await end_sessions(transaction, self._outbox, user_id, keep=keep)

    def _grant(self, session: SessionWithRights, account: Account) -> Grant:
        access_token, expires_in = self._issuer.for_session(session, roles=account.roles)
        return Grant(
            account=account,
            session_id=session.id,
            access_token=access_token,
            expires_in=expires_in,
            refresh_token=self._tokens.write(RefreshClaim(session.id, session.refresh_counter)),
            token_delivery=session.token_delivery,
            refresh_expires_at=session.idle_expires_at,
        )


def _is_just_replaced(
    claim: RefreshClaim, session: SessionWithRights, since_refresh: timedelta
) -> bool:
    return claim.counter == session.refresh_counter - 1 and abs(since_refresh) <= REUSE_GRACE


def seconds_until(moment: datetime) -> int:
    """Return the whole seconds from now to a moment, at least zero."""
    return max(0, int((moment - datetime.now(UTC)).total_seconds()))

"""The one door: whichever way somebody proved who they are, here it becomes a session."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from services.auth import store
from services.auth.audit.log import Action, record
from services.auth.factors.challenges import Challenges
from services.auth.factors.records import Challenge
from services.auth.protections.known_devices import KnownDevices
from services.auth.provider.store import move_sign_ins
from services.auth.records import Account, Device, Method
from services.auth.sessions import Grant, Sessions
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity, unauthenticated
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.problems import ProblemCode


@dataclass(frozen=True, slots=True)
class FactorRequired:
    """The first proof was good; one of the methods has to follow."""

    mfa_token: str
    methods: tuple[str, ...]


class Entrance:
    """Opens sessions for proven accounts.

    Each account is read again and held while its session opens: whoever disables it, gives it
    another password or factor, or ends its sessions at the same time comes before, and is heeded,
    or after, and ends that session as well.

    A session that is handed out by cookie takes the place of the one that the browser had. That
    one ends: its cookie is about to be overwritten, and nobody could end it there any more.
    """

    def __init__(
        self, sessions: Sessions, challenges: Challenges, known_devices: KnownDevices
    ) -> None:
        self._sessions = sessions
        self._challenges = challenges
        self._known_devices = known_devices

    async def enter(
        self,
        transaction: Transaction,
        user_id: UUID,
        *,
        method: Method,
        token_delivery: TokenDelivery,
        device: Device,
        password_hash: str | None = None,
    ) -> Grant | FactorRequired:
        """Open a session after a first proof, unless a second one has to follow.

        `password_hash` is the one that a password was checked against. Hand the grant out only
        after the commit. Raises a 403 problem for a disabled account, which is told only to who
        proved to be its owner, and 401 `invalid_credentials` where the account was deleted or got
        another password meanwhile.
        """
        account = await self._held(transaction, user_id)
        if password_hash is not None and password_hash != account.password_hash:
            raise Problem(ProblemCode.INVALID_CREDENTIALS)
        further = await self._challenges.methods(transaction, user_id)
        if further:
            token = await self._challenges.open(
                transaction, user_id, first=method, token_delivery=token_delivery
            )
            await record(
                transaction,
                Action.FACTOR_REQUIRED,
                user_id=user_id,
                device=device,
                method=method.value,
            )
            return FactorRequired(token, further)
        return await self._welcome(
            transaction, account, methods=(method,), token_delivery=token_delivery, device=device
        )

    async def complete(
        self, transaction: Transaction, challenge: Challenge, *, method: Method, device: Device
    ) -> Grant:
        """Open the session of a challenge whose second proof was good. Raises as `enter` does."""
        await self._challenges.settle(transaction, challenge)
        return await self.open(
            transaction,
            challenge.user_id,
            methods=(challenge.first, method),
            token_delivery=challenge.token_delivery,
            device=device,
        )

    async def step_up(
        self,
        transaction: Transaction,
        identity: Identity,
        *,
        proved: Iterable[Method],
        device: Device,
    ) -> Grant:
        """Replace a session by one whose user has just proved more, in whatever way.

        The new one has an id of its own and the methods of both; the old one ends with it, so of
        several step-ups of one session at the same time one succeeds. Raises a 401 problem if the
        session has ended, and as `enter` does.
        """
        # The account first, as everywhere: whoever disables it locks it before its sessions.
        account = await store.hold_user(transaction, identity.user_id)
        found = await store.lock_session(transaction, identity.session_id)
        if account is None or found is None:
            raise unauthenticated(ProblemCode.TOKEN_REVOKED)
        session, _, _ = found
        methods = dict.fromkeys([*(Method(name) for name in session.methods), *proved])
        grant = await self._open(
            transaction,
            account,
            methods=tuple(methods),
            token_delivery=session.token_delivery,
            device=device,
            organisation_id=session.organisation_id,
        )
        # Applications stay signed in: it is the same person at the same browser.
        await move_sign_ins(transaction, session.id, grant.session_id)
        await self._sessions.end(transaction, session.id, user_id=account.id)
        await record(
            transaction,
            Action.SESSION_STEPPED_UP,
            user_id=account.id,
            device=device,
            session_id=grant.session_id,
            replaced=str(session.id),
        )
        await self._replace_in_browser(transaction, grant, device)
        return grant

    async def open(
        self,
        transaction: Transaction,
        user_id: UUID,
        *,
        methods: tuple[Method, ...],
        token_delivery: TokenDelivery,
        device: Device,
    ) -> Grant:
        """Open a session whose user has proved enough. Raises as `enter` does.

        The owner is told by mail if it is on a device that the account has not seen before.
        """
        account = await self._held(transaction, user_id)
        return await self._welcome(
            transaction, account, methods=methods, token_delivery=token_delivery, device=device
        )

    async def _held(self, transaction: Transaction, user_id: UUID) -> Account:
        account = await store.hold_user(transaction, user_id)
        if account is None:
            raise Problem(ProblemCode.INVALID_CREDENTIALS)
        return account

    async def _welcome(
        self,
        transaction: Transaction,
        account: Account,
        *,
        methods: tuple[Method, ...],
        token_delivery: TokenDelivery,
        device: Device,
    ) -> Grant:
        grant = await self._open(
            transaction, account, methods=methods, token_delivery=token_delivery, device=device
        )
        await self._replace_in_browser(transaction, grant, device)
        token = await self._known_devices.welcome(transaction, account, device, token_delivery)
        return replace(grant, device_token=token)

    async def _replace_in_browser(
        self, transaction: Transaction, grant: Grant, device: Device
    ) -> None:
        """End the session whose refresh cookie the new one's overwrites, if there is one.

        A log-in is the last time that this cookie is seen, so an old one is held against its
        session here as a refresh would: else a log-in would hide that the session was copied, and
        the copy would live on. Whoever brings a cookie of theirs to end somebody's session could
        end it by a refresh or a log-out as well, and stands in the log.
        """
        if grant.token_delivery is not TokenDelivery.COOKIE or device.refresh_token is None:
            return
        # Another account than the new session's is not held: nothing is done to it but what a
        # log-out does, which locks the session alone.
        before = await self._sessions.lock_presented(transaction, device.refresh_token, device)
        if before is None:
            return
        if before.user_id == grant.account.id:
            # Applications stay signed in: it is the same person at the same browser.
            await move_sign_ins(transaction, before.id, grant.session_id)
        await self._sessions.log_out(
            transaction,
            before.id,
            user_id=before.user_id,
            actor_id=grant.account.id,
            device=device,
            replaced_by=str(grant.session_id),
        )

    async def _open(
        self,
        transaction: Transaction,
        account: Account,
        *,
        methods: tuple[Method, ...],
        token_delivery: TokenDelivery,
        device: Device,
        organisation_id: UUID | None = None,
    ) -> Grant:
        require_enabled(account)
        grant = await self._sessions.open(
            transaction,
            account,
            methods=methods,
            token_delivery=token_delivery,
            device=device,
            organisation_id=organisation_id,
        )
        await record(
            transaction,
            Action.SESSION_OPENED,
            user_id=account.id,
            session_id=grant.session_id,
            device=device,
            methods=[method.value for method in methods],
        )
        return grant


def require_enabled(account: Account) -> None:
    """Raise a 403 problem for an account that an administrator has disabled."""
    if account.disabled_at is not None:
        raise Problem(ProblemCode.ACCOUNT_DISABLED)

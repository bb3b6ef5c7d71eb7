"""The one door: whichever way somebody proved who they are, here it becomes a session."""

from dataclasses import dataclass

from services.auth.audit.log import Action, record
from services.auth.records import Account, Device, Method
from services.auth.sessions import Grant, Sessions
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.problems import ProblemCode


@dataclass(frozen=True, slots=True)
class FactorRequired:
    """The first proof was good; one of the methods has to follow."""

    mfa_token: str
    methods: tuple[str, ...]


class Entrance:
    """Opens sessions for proven accounts."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def enter(
        self,
        transaction: Transaction,
        account: Account,
        *,
        method: Method,
        token_delivery: TokenDelivery,
        device: Device,
    ) -> Grant | FactorRequired:
        """Open a session after a first proof, unless a second one has to follow.

        Hand the grant out only after the commit. Raises a 403 problem for a disabled account,
        which is told only to who proved to be its owner.
        """
        return await self.open(
            transaction,
            account,
            methods=(method,),
            token_delivery=token_delivery,
            device=device,
        )

    async def open(
        self,
        transaction: Transaction,
        account: Account,
        *,
        methods: tuple[Method, ...],
        token_delivery: TokenDelivery,
        device: Device,
    ) -> Grant:
        """Open a session whose user has proved enough. Raises as `enter` does."""
        require_enabled(account)
        grant = await self._sessions.open(
            transaction, account, methods=methods, token_delivery=token_delivery, device=device
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

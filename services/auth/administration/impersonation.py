"""Acting in somebody's name, for a while and for all to see."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth.audit.log import Action, record
from services.auth.entrance import require_enabled
from services.auth.mailing.mails import AccountMails
from services.auth.records import Device
from services.auth.sessions import Grant, Sessions
from services.auth.store import hold_user, lock_user
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.problems import ProblemCode
from shared.schemas.roles import ADMINISTRATOR

LIFETIME: Final = timedelta(hours=1)


class Impersonation:
    """Opens sessions in which an administrator acts as somebody else.

    Such a session ends after an hour, with the administrator's own when those are all ended, and
    whenever its user ends it. Its tokens name the administrator (`act`), so that every service can
    tell; what would take the account over is refused in it. The user reads of it in a mail, in
    their activity and in the list of their sessions.
    """

    def __init__(self, database: Database, sessions: Sessions, mails: AccountMails) -> None:
        self._database = database
        self._sessions = sessions
        self._mails = mails

    async def begin(self, user_id: UUID, reason: str, by: UUID, device: Device) -> Grant:
        """Open a session as a user.

        Raises a 404 problem, and 403 for a caller who administers no more or is disabled, for an
        administrator's account, which would lend roles to whoever acts in it, and for a disabled
        one.
        """
        async with self._database.transaction() as transaction:
            # As they are now: who is no administrator any more has lost these sessions too.
            administrator = await hold_user(transaction, by)
            if administrator is None or ADMINISTRATOR not in administrator.roles:
                raise Problem(ProblemCode.ADMINISTRATOR_REQUIRED)
            require_enabled(administrator)
            account = await lock_user(transaction, user_id)
            if account is None:
                raise Problem(ProblemCode.USER_NOT_FOUND)
            if ADMINISTRATOR in account.roles:
                raise Problem(ProblemCode.FORBIDDEN, "Nobody acts in the name of an administrator.")
            require_enabled(account)
            grant = await self._sessions.open(
                transaction,
                account,
                methods=(),
                token_delivery=TokenDelivery.BODY,
                device=device,
                impersonator_id=by,
                lifetime=LIFETIME,
            )
            await self._mails.notify(transaction, account, "account_entered", reason=reason)
            await record(
                transaction,
                Action.IMPERSONATION_BEGUN,
                user_id=account.id,
                actor_id=by,
                session_id=grant.session_id,
                device=device,
                reason=reason,
            )
            return grant

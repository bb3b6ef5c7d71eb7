"""Who may do what with accounts, sessions and keys: the only place that decides it."""

from uuid import UUID

from services.auth import store
from services.auth.records import Account
from shared.chassis.database import Executor
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.problems import ProblemCode


def require_session(identity: Identity) -> UUID:
    """Return the user behind a full session.

    Raises a 403 problem for an API key: a credential cannot mint its like, nor end the sessions
    of whoever made it.
    """
    if identity.scopes is not None:
        raise Problem(
            ProblemCode.FORBIDDEN,
            "An API key cannot do this; log in and use the session's access token.",
        )
    return identity.user_id


async def own_account(executor: Executor, identity: Identity) -> Account:
    """Return the caller's account. Raises a 401 problem if it is gone."""
    account = await store.find_user(executor, identity.user_id)
    if account is None:
        raise Problem(ProblemCode.TOKEN_INVALID)
    return account

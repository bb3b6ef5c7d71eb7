"""Who may do what with accounts, sessions and keys: the only place that decides it."""

import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from services.auth import store
from services.auth.records import Account
from shared.chassis.database import Executor, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity, unauthenticated
from shared.schemas.problems import ProblemCode
from shared.schemas.scopes import is_for_administrators

RECENT_SECONDS: Final = 600


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


def require_administrator(identity: Identity) -> UUID:
    """Return the administrator who asks, in a session of their own. Raises a 403 problem."""
    if not identity.is_administrator or identity.impersonator_id is not None:
        raise Problem(ProblemCode.ADMINISTRATOR_REQUIRED)
    return identity.user_id


def require_own_session(identity: Identity) -> UUID:
    """Return the user of a session that nobody else acts in. Raises a 403 problem."""
    user_id = require_session(identity)
    if identity.impersonator_id is not None:
        raise Problem(ProblemCode.FORBIDDEN, "Whoever acts in somebody's name cannot do this.")
    return user_id


def require_recent(identity: Identity) -> UUID:
    """Return the user if they proved who they are within the last ten minutes.

    What takes an account over, or gives access that outlives the session, asks for it: factors,
    passwords, addresses, deletion, keys, invitations. Raises a 403 problem
    `reauthentication_required` otherwise, and one for whoever acts in somebody's name.
    """
    user_id = require_own_session(identity)
    if time.time() - identity.authenticated_at > RECENT_SECONDS:
        raise Problem(ProblemCode.REAUTHENTICATION_REQUIRED)
    return user_id


def require_recent_administrator(identity: Identity) -> UUID:
    """Return the administrator who asks if they proved who they are within the last ten minutes.

    What gives others lasting rights asks for it, so that a stolen access token does not. Raises a
    403 problem, as `require_administrator` and then `require_recent` do.
    """
    require_administrator(identity)
    return require_recent(identity)


def require_grantable(identity: Identity, scopes: Iterable[str]) -> None:
    """Raise a 403 problem for scopes of a key that only an administrator may give away."""
    if identity.is_administrator:
        return
    foreign = sorted({scope for scope in scopes if is_for_administrators(scope)})
    if foreign:
        raise Problem(
            ProblemCode.ADMINISTRATOR_REQUIRED,
            f"Only an administrator may give a key the scope `{foreign[0]}`.",
        )


async def own_account(executor: Executor, identity: Identity) -> Account:
    """Return the caller's account.

    Raises a 401 problem if it is gone, 403 for the key of a service account, which has none.
    """
    account = await store.find_user(executor, identity.user_id)
    if account is None and identity.scopes is not None:
        raise Problem(
            ProblemCode.FORBIDDEN, "This key speaks for a service account, which has no profile."
        )
    if account is None:
        raise Problem(ProblemCode.TOKEN_INVALID)
    return account


async def hold_own_account(transaction: Transaction, user_id: UUID) -> Account:
    """Return the caller's account, held as by `store.hold_user`. Raises a 401 problem if gone."""
    account = await store.hold_user(transaction, user_id)
    if account is None:
        raise Problem(ProblemCode.TOKEN_INVALID)
    return account


async def lock_entitled_account(transaction: Transaction, identity: Identity) -> Account:
    """Return the caller's account, locked, if it still is what the token says of it.

    The doors learn within a second that roles were taken away or the account disabled; what is
    given out here does not wait for that. Raises a 401 problem.
    """
    account = await lock_own_account(transaction, identity.user_id)
    if account.disabled_at is not None or not identity.roles.issubset(account.roles):
        raise unauthenticated(ProblemCode.TOKEN_REVOKED)
    return account


async def lock_own_account(transaction: Transaction, user_id: UUID) -> Account:
    """Return the caller's account, locked: whoever opens a session of it comes before or after.

    Take it before locks on anything that belongs to the account. Raises a 401 problem if it is
    gone.
    """
    account = await store.lock_user(transaction, user_id)
    if account is None:
        raise Problem(ProblemCode.TOKEN_INVALID)
    return account

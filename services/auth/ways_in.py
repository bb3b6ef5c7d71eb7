"""What logs in to an account, looked at by whatever takes a part of it away."""

from services.auth.federation.store import has_usable_identity
from services.auth.passkeys.store import has_passkeys
from services.auth.records import Account
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode


async def require_way_in(transaction: Transaction, account: Account) -> None:
    """Raise a 409 problem if nothing is left but a mailed link; the account's row is locked."""
    if not (
        account.password_hash is not None
        or await has_usable_identity(transaction, account.id)
        or await has_passkeys(transaction, account.id)
    ):
        raise Problem(ProblemCode.LAST_WAY_IN)

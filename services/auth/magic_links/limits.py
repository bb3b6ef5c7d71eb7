"""How many codes may be tried for an address."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Final

from services.auth.mailing import store
from services.auth.mailing.limits import AddressNames
from services.auth.mailing.store import Counted
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

CODES_FOR_ONE_ADDRESS: Final = 10
_WINDOW: Final = timedelta(days=1)
_EVERYWHERE = ip_network("::/0")
_RETRY_SECONDS = 3600


class CodeLimits:
    """Counts wrong codes by address, ten a day from all networks. The links go on working."""

    def __init__(self, names: AddressNames) -> None:
        self._names = names

    async def count(self, transaction: Transaction, email: str) -> None:
        """Count one more code before it is looked at; one attempt for an address at a time.

        Raises a 429 problem for one that is not to be looked at.
        """
        attempts = await store.count_up(
            transaction, self._names.name(email), Counted.CODE, _EVERYWHERE, window=_WINDOW
        )
        if attempts > CODES_FOR_ONE_ADDRESS:
            raise Problem(
                ProblemCode.TOO_MANY_ATTEMPTS,
                "Too many wrong codes were tried for this address; open the link in the mail "
                "instead.",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )

    async def forgive(self, transaction: Transaction, email: str) -> None:
        """Take back the count of a code that was right."""
        await store.count_down(transaction, self._names.name(email), Counted.CODE, _EVERYWHERE)

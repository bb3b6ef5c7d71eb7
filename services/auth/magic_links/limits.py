"""How many mails an address gets, and how many codes may be tried for it."""

import hmac
from datetime import timedelta
from ipaddress import ip_network
from typing import Final

from services.auth.magic_links import store
from services.auth.magic_links.store import Counted
from services.auth.master_key import MasterKey
from services.auth.records import Network
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

MAILS_FROM_ONE_NETWORK: Final = 5
MAILS_TO_ONE_ADDRESS: Final = 20
CODES_FOR_ONE_ADDRESS: Final = 10
_MAIL_WINDOW: Final = timedelta(hours=1)
_CODE_WINDOW: Final = store.COUNTED_FOR
_EVERYWHERE = ip_network("::/0")
_RETRY_SECONDS = 3600


class MagicLinkLimits:
    """Counts by address, known or not, so that no count tells which addresses have an account.

    Anybody can ask for mails to an address and guess at their codes: an hour has mails for four
    such networks, and a day ten wrong codes for all of them together. The links go on working.
    """

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("magic-link-limits")

    async def may_send(self, transaction: Transaction, email: str, network: Network) -> bool:
        """Count one more mail to an address and tell whether it may be sent."""
        address = self._address(email)
        from_here = await store.count_up(
            transaction, address, Counted.MAIL, network, window=_MAIL_WINDOW
        )
        everywhere = await store.count_everywhere(
            transaction,
            address,
            Counted.MAIL,
            window=_MAIL_WINDOW,
            share=MAILS_FROM_ONE_NETWORK,
        )
        return from_here <= MAILS_FROM_ONE_NETWORK and everywhere <= MAILS_TO_ONE_ADDRESS

    async def count_code(self, transaction: Transaction, email: str) -> None:
        """Count one more code before it is looked at; one attempt for an address at a time.

        Raises a 429 problem for one that is not to be looked at.
        """
        attempts = await store.count_up(
            transaction, self._address(email), Counted.CODE, _EVERYWHERE, window=_CODE_WINDOW
        )
        if attempts > CODES_FOR_ONE_ADDRESS:
            raise Problem(
                ProblemCode.TOO_MANY_ATTEMPTS,
                "Too many wrong codes were tried for this address; open the link in the mail "
                "instead.",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )

    async def forgive_code(self, transaction: Transaction, email: str) -> None:
        """Take back the count of a code that was right."""
        await store.count_down(transaction, self._address(email), Counted.CODE, _EVERYWHERE)

    def _address(self, email: str) -> bytes:
        return hmac.digest(self._key, email.encode(), "sha256")

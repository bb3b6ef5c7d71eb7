"""How many mails anybody can have sent to an address."""

import hmac
from datetime import timedelta
from typing import Final

from services.auth.mailing import store
from services.auth.mailing.store import Counted
from services.auth.master_key import MasterKey
from services.auth.networks import network_of
from services.auth.protections.known_devices import DeviceMarks
from services.auth.protections.store import is_known
from services.auth.records import Device
from shared.chassis.database import Transaction

SHARES: Final = {Counted.MAIL: 5, Counted.SIGNUP: 10}
"""Mails to one address that one network can have sent in an hour."""
NETWORKS: Final = 4
"""Whose shares one address gets in an hour at most."""
_WINDOW: Final = timedelta(hours=1)


class AddressNames:
    """Names addresses in counts by a MAC: no count tells which addresses were typed."""

    def __init__(self, master_key: MasterKey) -> None:
        # Of the first kind of mail that was counted; the counts go on.
        self._key = master_key.derive("magic-link-limits")

    def name(self, email: str) -> bytes:
        """Return what counts know a normalised address by."""
        return hmac.digest(self._key, email.encode(), "sha256")


class MailLimits:
    """Counts the mails of an hour by address, known or not, so that no count tells which it is.

    Anybody can ask for mails to an address, so each network has a share and all together have a
    few. A browser or network that the account knows has its share whatever others ask for.
    """

    def __init__(self, names: AddressNames, marks: DeviceMarks) -> None:
        self._names = names
        self._marks = marks

    async def may_send(
        self, transaction: Transaction, kind: Counted, email: str, device: Device
    ) -> bool:
        """Count one more mail to an address and tell whether it may be sent.

        Others who ask for the same kind to the same address from the same network wait until the
        transaction ends.
        """
        address, network = self._names.name(email), network_of(device.address)
        share = SHARES[kind]
        from_here = await store.count_up(transaction, address, kind, network, window=_WINDOW)
        everywhere = await store.count_everywhere(
            transaction, address, kind, window=_WINDOW, share=share
        )
        mark = None if device.token is None else self._marks.of_token(device.token)
        known = await is_known(transaction, email, device_hash=mark, network=network)
        return from_here <= share and (known or everywhere <= NETWORKS * share)

"""Which devices an account was used on before, and telling its owner of new ones."""

import hmac
import secrets
from datetime import UTC, datetime
from typing import Final

from services.auth.mailing.mails import AccountMails
from services.auth.master_key import MasterKey
from services.auth.networks import neighbourhood_of, network_of
from services.auth.protections import store
from services.auth.records import Account, Device
from services.auth.user_agents import device_name, family
from shared.chassis.database import Transaction
from shared.schemas.api.auth import TokenDelivery

MOST_DEVICES: Final = 50
"""Of one account; beyond them the one that was not seen for longest is a stranger again."""
NEW_DEVICE: Final = "new_device"
_TOKEN_BYTES = 32


class DeviceMarks:
    """What the table and the limits know a device by: MACs, which tell nobody who is where."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("known-device")

    def of(self, device: Device) -> bytes:
        """Return the mark of a device's cookie or, if it has none, of its place."""
        return self.of_place(device) if device.token is None else self.of_token(device.token)

    def of_token(self, token: str) -> bytes:
        """Return the mark of a browser that keeps this token in its cookie."""
        return hmac.digest(self._key, b"cookie\0" + token.encode(), "sha256")

    def of_place(self, device: Device) -> bytes:
        """Return the mark of a kind of program in a neighbourhood: of clients without cookies.

        Others in the same neighbourhood with the same program have it too, which is why a browser
        that has a cookie, or is given one, is never known by it.
        """
        place = f"place\0{family(device.user_agent)}\0{neighbourhood_of(device.address)}"
        return hmac.digest(self._key, place.encode(), "sha256")


class KnownDevices:
    """Remembers where sessions are opened, and writes to the owner when it is somewhere new."""

    def __init__(self, mails: AccountMails, marks: DeviceMarks) -> None:
        self._mails = mails
        self._marks = marks

    async def welcome(
        self,
        transaction: Transaction,
        account: Account,
        device: Device,
        token_delivery: TokenDelivery,
    ) -> str | None:
        """Remember the device of a session that is being opened in the transaction.

        Returns what the device's cookie is to hold; None for a client that keeps no cookies. The
        very first session of an account is no surprise to its owner and brings no mail.
        """
        token = device.token
        if token is None and token_delivery is TokenDelivery.COOKIE:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
        mark = self._marks.of_place(device) if token is None else self._marks.of_token(token)
        noted = await store.note_device(transaction, account.id, mark, network_of(device.address))
        if noted.is_new:
            await store.delete_surplus_devices(transaction, account.id, keep=MOST_DEVICES)
        if noted.is_new and not noted.is_first:
            await self._mails.notify(
                transaction,
                account,
                NEW_DEVICE,
                when=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
                device=device_name(device.user_agent),
                address="unknown" if device.address is None else str(device.address),
            )
        return token

    async def forget_others(
        self, transaction: Transaction, account: Account, device: Device
    ) -> None:
        """Make strangers of all devices but one, whose user has just proved to be the owner.

        A thief who knew the old password would otherwise still be on familiar terms.
        """
        mark = self._marks.of(device)
        await store.note_device(transaction, account.id, mark, network_of(device.address))
        await store.forget_devices(transaction, account.id, keep=mark)

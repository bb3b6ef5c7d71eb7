"""Checking codes: each is good once."""

from uuid import UUID

from services.auth.audit.log import Action, record
from services.auth.factors import store
from services.auth.factors.notices import FactorNotices
from services.auth.factors.recovery_codes import hash_code
from services.auth.factors.throttle import CodeThrottle
from services.auth.factors.totp import matching_step
from services.auth.master_key import MasterKey
from services.auth.metrics import SECOND_PROOFS
from services.auth.networks import network_of
from services.auth.records import Device, Method
from shared.chassis.database import Transaction
from shared.chassis.sealing import Seal


class TotpSecrets:
    """Encrypts the secrets of authenticator apps, each for its own row."""

    def __init__(self, master_key: MasterKey) -> None:
        self._seal = Seal(master_key.derive("totp-secrets"))

    def seal(self, secret: bytes, totp_id: UUID) -> bytes:
        """Return what is stored."""
        return self._seal.seal(secret, place=f"totp/{totp_id}")

    def open(self, sealed: bytes, totp_id: UUID) -> bytes:
        """Return the secret. Raises Unsealable for another master key or row."""
        return self._seal.open(sealed, place=f"totp/{totp_id}")


class CodeProofs:
    """Checks the codes that people type, and uses up the right ones."""

    def __init__(
        self, secrets: TotpSecrets, throttle: CodeThrottle, notices: FactorNotices
    ) -> None:
        self._secrets = secrets
        self._throttle = throttle
        self._notices = notices

    async def check(
        self, transaction: Transaction, user_id: UUID, method: Method, code: str, device: Device
    ) -> bool:
        """Check a one-time code or a recovery code, which its owner is told of by mail.

        False means wrong: that is counted and logged, so commit it, and only then fail the
        request. Raises a 429 problem while this network has to wait with one-time codes.
        """
        if method is Method.RECOVERY_CODE:
            matches = await store.take_recovery_code(transaction, user_id, hash_code(code))
        else:
            matches = await self._is_one_time_code(transaction, user_id, code, device)
        SECOND_PROOFS.labels("success" if matches else "wrong").inc()
        if not matches:
            await record(
                transaction,
                Action.FACTOR_FAILED,
                user_id=user_id,
                device=device,
                method=method.value,
            )
        elif method is Method.RECOVERY_CODE:
            await self._notices.recovery_code_used(transaction, user_id, device)
        return matches

    async def _is_one_time_code(
        self, transaction: Transaction, user_id: UUID, code: str, device: Device
    ) -> bool:
        # The row is locked, so of several codes at once each sees what the one before it did.
        app = await store.lock_totp(transaction, user_id)
        if app is None:
            return False
        network = network_of(device.address)
        await self._throttle.check(transaction, user_id, network)
        secret = self._secrets.open(app.sealed_secret, app.id)
        step = matching_step(secret, code, now=app.now)
        if step is None or step <= app.last_used_step:
            await self._throttle.count_failure(transaction, user_id, network)
            return False
        await store.use_totp_step(transaction, app.id, step)
        await self._throttle.forget(transaction, user_id, network)
        return True

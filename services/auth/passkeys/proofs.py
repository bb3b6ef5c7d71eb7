"""Asking passkeys to sign, and checking what they signed: each challenge is good once."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.auth.audit.log import Action, record
from services.auth.metrics import PASSKEYS, PasskeyOutcome
from services.auth.passkeys import store
from services.auth.passkeys.records import Asker, Credential, Passkey, Purpose
from services.auth.passkeys.relying_party import (
    CHALLENGE_SECONDS,
    Asserted,
    RelyingParty,
    bytes_of,
    challenge_of,
)
from services.auth.records import Device, Method
from services.auth.secret_hashes import hash_secret
from shared.chassis.database import Executor, Transaction
from shared.schemas.api.passkeys import PasskeyCredential

CHALLENGE_LIFETIME: Final = timedelta(seconds=CHALLENGE_SECONDS)
_CHALLENGE_BYTES: Final = 32


class PasskeyChallenges:
    """Gives out challenges of 256 random bits, stored as hashes, and takes each back once."""

    async def give(self, executor: Executor, purpose: Purpose, asker: Asker | None) -> bytes:
        """Return a new challenge, in place of the asker's last one for the same purpose."""
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        await store.put_challenge(
            executor, hash_secret(challenge), purpose, asker, lifetime=CHALLENGE_LIFETIME
        )
        return challenge

    async def take(
        self, transaction: Transaction, client_data: str, purpose: Purpose, asker: Asker | None
    ) -> bytes | None:
        """Return the challenge that was signed, which is spent by it.

        None if it was not given out to this asker for this, or not within five minutes.
        """
        challenge = challenge_of(client_data)
        if challenge is None:
            return None
        taken = await store.take_challenge(transaction, hash_secret(challenge), purpose, asker)
        return challenge if taken else None


class PasskeyProofs:
    """Proves who somebody is by one of their passkeys."""

    def __init__(self, party: RelyingParty, challenges: PasskeyChallenges) -> None:
        self._party = party
        self._challenges = challenges

    async def ask(
        self,
        executor: Executor,
        purpose: Purpose,
        asker: Asker | None = None,
        *,
        allowed: Sequence[Credential] = (),
    ) -> dict[str, Any]:
        """Return what a browser needs to sign with one of the passkeys, or with any it finds.

        Raises a 409 problem where browsers would refuse to.
        """
        self._party.require_available()
        challenge = await self._challenges.give(executor, purpose, asker)
        return self._party.request_options(challenge, allowed)

    async def check(
        self,
        transaction: Transaction,
        credential: PasskeyCredential,
        purpose: Purpose,
        asker: Asker | None,
        device: Device,
    ) -> UUID | None:
        """Return whose passkey has signed the challenge.

        None means refused: the challenge is spent by it and the attempt logged, so commit that,
        and only then fail the request.
        """
        challenge = await self._challenges.take(
            transaction, credential.response.client_data, purpose, asker
        )
        credential_id = bytes_of(credential.raw_id)
        passkey = credential_id and await store.lock_passkey(transaction, credential_id)
        asserted = None
        if passkey and challenge and _may_prove(passkey, credential, asker):
            asserted = self._party.asserted(credential, challenge, passkey.public_key)
        if not passkey or asserted is None:
            concerned = asker or passkey
            await self._log_refusal(transaction, concerned.user_id if concerned else None, device)
            return None
        if was_copied(passkey.sign_count, asserted.sign_count):
            await self._log_copy(transaction, passkey, asserted, device)
            return None
        await store.use_passkey(
            transaction,
            passkey.id,
            sign_count=asserted.sign_count,
            is_backed_up=asserted.is_backed_up,
        )
        PASSKEYS.labels(PasskeyOutcome.ACCEPTED).inc()
        return passkey.user_id

    @staticmethod
    async def _log_refusal(transaction: Transaction, user_id: UUID | None, device: Device) -> None:
        PASSKEYS.labels(PasskeyOutcome.REFUSED).inc()
        # Of nobody there is nothing to log, and strangers could fill the log with it.
        if user_id is not None:
            await record(
                transaction,
                Action.FACTOR_FAILED,
                user_id=user_id,
                device=device,
                method=Method.PASSKEY.value,
            )

    @staticmethod
    async def _log_copy(
        transaction: Transaction, passkey: Passkey, asserted: Asserted, device: Device
    ) -> None:
        PASSKEYS.labels(PasskeyOutcome.COPIED).inc()
        await record(
            transaction,
            Action.PASSKEY_COPIED,
            user_id=passkey.user_id,
            device=device,
            passkey_id=str(passkey.id),
            known_count=passkey.sign_count,
            given_count=asserted.sign_count,
        )


def was_copied(known: int, given: int) -> bool:
    """Tell whether a counter says that another authenticator has the same key.

    It goes up with each use, or stays 0 for good where a passkey is synchronised.
    """
    return given <= known and (known, given) != (0, 0)


def _may_prove(passkey: Passkey, credential: PasskeyCredential, asker: Asker | None) -> bool:
    handle = credential.response.user_handle
    if handle is not None and bytes_of(handle) != passkey.user_id.bytes:
        return False
    return asker is None or passkey.user_id == asker.user_id

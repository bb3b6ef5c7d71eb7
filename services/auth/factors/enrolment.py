"""How an account gets, changes and loses its second factors."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from uuid_utils.compat import uuid7

from services.auth.access import lock_own_account, own_account, require_recent
from services.auth.audit.log import Action
from services.auth.factors import store
from services.auth.factors.challenges import Challenges
from services.auth.factors.notices import FactorNotices
from services.auth.factors.proofs import CodeProofs, TotpSecrets
from services.auth.factors.recovery_codes import renew_codes
from services.auth.factors.totp import matching_step, new_secret, provisioning_uri, shown_secret
from services.auth.records import Account, Device, Method
from services.auth.sessions import Sessions
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.problems import ProblemCode

_SPENT = "This app is confirmed already or was asked for in another session; start anew."


@dataclass(frozen=True, slots=True)
class NewApp:
    """What an authenticator app has to be told, once."""

    secret: str
    uri: str


class Enrolment:
    """Changes second factors: logged, told to the owner by mail, one change after the other.

    With `end_others` every session but the one that asks ends.
    """

    def __init__(
        self,
        database: Database,
        *,
        sessions: Sessions,
        challenges: Challenges,
        secrets: TotpSecrets,
        proofs: CodeProofs,
        notices: FactorNotices,
        public_url: str,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._challenges = challenges
        self._secrets = secrets
        self._proofs = proofs
        self._notices = notices
        self._issuer = urlsplit(public_url).hostname or public_url

    async def start(self, identity: Identity) -> NewApp:
        """Make the secret of an app; it counts for nothing until this session confirms it.

        Raises a 403 problem unless the user has proved lately who they are, with a second factor
        if they have one.
        """
        require_recent(identity)
        secret, totp_id = new_secret(), uuid7()
        async with self._database.transaction() as transaction:
            account = await own_account(transaction, identity)
            await self._challenges.require_second_proof(transaction, identity)
            await store.put_pending_totp(
                transaction,
                totp_id=totp_id,
                user_id=account.id,
                session_id=identity.session_id,
                sealed_secret=self._secrets.seal(secret, totp_id),
            )
        return NewApp(
            secret=shown_secret(secret),
            uri=provisioning_uri(secret, account=account.email, issuer=self._issuer),
        )

    async def confirm(
        self, identity: Identity, code: str, device: Device, *, end_others: bool
    ) -> list[str]:
        """Make the app count, in place of one before it, and return new recovery codes.

        Raises 409 `factor_missing` if this session did not ask for it within a quarter of an
        hour, and 400 `code_invalid`.
        """
        require_recent(identity)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, identity.user_id)
            app = await store.lock_pending_totp(transaction, account.id, identity.session_id)
            if app is None:
                raise Problem(ProblemCode.FACTOR_MISSING, _SPENT)
            await self._challenges.require_second_proof(transaction, identity)
            secret = self._secrets.open(app.sealed_secret, app.id)
            step = matching_step(secret, code, now=app.now)
            if step is None:
                raise Problem(ProblemCode.CODE_INVALID)
            replaced = await store.delete_confirmed_totp(transaction, account.id)
            await store.confirm_totp(transaction, app.id, step=step)
            await self._changed(
                transaction,
                identity,
                account,
                Action.FACTOR_ADDED,
                device,
                change="The authenticator app was replaced by another one."
                if replaced
                else "An authenticator app was added.",
                end_others=end_others,
            )
            return await renew_codes(transaction, account.id)

    async def remove(
        self, identity: Identity, method: Method, code: str, device: Device, *, end_others: bool
    ) -> None:
        """Remove the app, and with the last second factor the recovery codes.

        Raises 409 `factor_missing`, 400 `code_invalid`, 429 while codes have to wait, and 403
        unless the user has proved lately who they are.
        """
        require_recent(identity)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, identity.user_id)
            if not await store.has_totp(transaction, account.id):
                raise Problem(ProblemCode.FACTOR_MISSING)
            matches = await self._proofs.check(transaction, account.id, method, code, device)
            if matches:
                await store.delete_confirmed_totp(transaction, account.id)
                if not await self._challenges.methods(transaction, account.id):
                    await store.replace_recovery_codes(transaction, account.id, [])
                await self._changed(
                    transaction,
                    identity,
                    account,
                    Action.FACTOR_REMOVED,
                    device,
                    change="The authenticator app was removed.",
                    end_others=end_others,
                )
        # Raised outside the transaction, which would take the count back otherwise.
        if not matches:
            raise Problem(ProblemCode.CODE_INVALID)

    async def renew_recovery_codes(
        self, identity: Identity, device: Device, *, end_others: bool
    ) -> list[str]:
        """Return ten new recovery codes; the old ones are worth nothing from then on.

        Raises 409 `factor_missing` for an account without a second factor, and 403 as `start`.
        """
        require_recent(identity)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, identity.user_id)
            if not await self._challenges.require_second_proof(transaction, identity):
                raise Problem(ProblemCode.FACTOR_MISSING)
            await self._changed(
                transaction,
                identity,
                account,
                Action.RECOVERY_CODES_RENEWED,
                device,
                change="New recovery codes were made; the old ones do not work any more.",
                end_others=end_others,
            )
            return await renew_codes(transaction, account.id)

    async def _changed(
        self,
        transaction: Transaction,
        identity: Identity,
        account: Account,
        action: Action,
        device: Device,
        *,
        change: str,
        end_others: bool,
    ) -> None:
        session_id = identity.session_id
        await self._notices.changed(
            transaction, account, action, device, change=change, session_id=session_id
        )
        if end_others:
            await self._sessions.end_others(transaction, user_id=account.id, keep=session_id)

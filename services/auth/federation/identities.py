"""Whose account it is that a provider vouches for."""

from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth import store as accounts
from services.auth.access import lock_own_account, require_recent
from services.auth.audit.log import Action, record
from services.auth.entrance import Entrance, FactorRequired, require_enabled
from services.auth.federation import store
from services.auth.federation.records import Connection, Profile
from services.auth.mailing.mails import AccountMails
from services.auth.records import Account, Device, Method
from services.auth.sessions import Grant
from services.auth.ways_in import require_way_in
from shared.chassis.database import ConstraintViolation, Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity, unauthenticated
from shared.chassis.outbox import Outbox
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.events.auth import UserRegistered
from shared.schemas.problems import ProblemCode

CHANGED: Final = "identity_changed"


class Identities:
    """Finds accounts by issuer and subject, never by an address alone.

    An address counts once: when an identity is new and its provider vouches for the address. The
    account that has it is verified, as every account is, so both are the same person's. Whoever
    merely began to sign up with the address loses that.
    """

    def __init__(
        self, database: Database, outbox: Outbox, entrance: Entrance, mails: AccountMails
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._entrance = entrance
        self._mails = mails

    async def enter(
        self, connection: Connection, profile: Profile, device: Device
    ) -> Grant | FactorRequired:
        """Let in whoever a provider vouches for; make an account for who has none.

        Raises a 403 problem `email_not_verified` where a new identity has no address that its
        provider vouches for, 400 `sign_in_expired` for one that was unlinked this moment, and as
        `Entrance.enter` does.
        """
        try:
            return await self._enter(connection, profile, device)
        except ConstraintViolation as violation:
            if violation.constraint != "users_email_key":
                raise
            # The address got its account in another way meanwhile: now it is there to be found.
            return await self._enter(connection, profile, device)

    async def _enter(
        self, connection: Connection, profile: Profile, device: Device
    ) -> Grant | FactorRequired:
        async with self._database.transaction() as transaction:
            known = await store.lock_identity(transaction, profile)
            if known is None:
                user_id = (await self._account_of(transaction, connection, profile, device)).id
            else:
                identity_id, user_id = known
                # The account first, as everywhere: whoever unlinks this has locked it.
                await accounts.hold_user(transaction, user_id)
                if not await store.use_identity(transaction, identity_id, connection.id, profile):
                    raise Problem(ProblemCode.SIGN_IN_EXPIRED)
            return await self._entrance.enter(
                transaction,
                user_id,
                method=Method.FEDERATED,
                token_delivery=TokenDelivery.COOKIE,
                device=device,
            )

    async def _account_of(
        self, transaction: Transaction, connection: Connection, profile: Profile, device: Device
    ) -> Account:
        if profile.email is None or not profile.is_email_verified:
            raise Problem(
                ProblemCode.EMAIL_NOT_VERIFIED,
                f"{connection.name} does not confirm that your e-mail address is yours. Verify it "
                f"there and try again; or log in here in another way and link {connection.name} "
                "in the settings of your account.",
            )
        account = await accounts.lock_user_by_email(transaction, profile.email)
        await accounts.delete_signups(transaction, profile.email)
        if account is None:
            account = await accounts.insert_user(
                transaction,
                user_id=uuid7(),
                email=profile.email,
                name=profile.name,
                password_hash=None,
            )
            await self._outbox.emit(
                transaction, UserRegistered(user_id=account.id), subject=str(account.id)
            )
            await record(transaction, Action.ACCOUNT_CREATED, user_id=account.id, device=device)
            await self._add(transaction, account, connection, profile, device)
            return account
        require_enabled(account)
        await self._add(transaction, account, connection, profile, device)
        await self._tell(transaction, account, f"{connection.name} now logs in to your account.")
        return account

    async def link(
        self, connection: Connection, profile: Profile, session_id: UUID, device: Device
    ) -> None:
        """Link an identity with the account of a session; doing it twice changes nothing.

        No address counts here: who is logged in says so. Raises a 409 problem if the identity is
        another account's, and 401 if the session has ended.
        """
        async with self._database.transaction() as transaction:
            known = await store.lock_identity(transaction, profile)
            account = await self._account_in(transaction, session_id)
            if known is not None:
                if known[1] != account.id:
                    raise Problem(ProblemCode.IDENTITY_TAKEN)
                return
            await self._add(transaction, account, connection, profile, device)
            change = f"{connection.name} was linked with your account and now logs in to it."
            await self._tell(transaction, account, change)

    async def _account_in(self, transaction: Transaction, session_id: UUID) -> Account:
        # The account first, as everywhere: whoever disables it locks it before its sessions.
        owner = await store.find_session_owner(transaction, session_id)
        account = None if owner is None else await accounts.hold_user(transaction, owner)
        if account is None or await accounts.lock_session(transaction, session_id) is None:
            raise unauthenticated(ProblemCode.TOKEN_REVOKED)
        require_enabled(account)
        return account

    async def unlink(self, identity: Identity, identity_id: UUID, device: Device) -> None:
        """Remove an identity of the caller's account.

        Raises a 404 problem, 409 for the last way in, and 403 unless the caller has proved lately
        who they are.
        """
        user_id = require_recent(identity)
        async with self._database.transaction() as transaction:
            account = await lock_own_account(transaction, user_id)
            issuer = await store.delete_identity(transaction, identity_id, user_id)
            if issuer is None:
                raise Problem(ProblemCode.IDENTITY_NOT_FOUND)
            await require_way_in(transaction, account)
            await record(
                transaction,
                Action.IDENTITY_UNLINKED,
                user_id=user_id,
                device=device,
                session_id=identity.session_id,
                issuer=issuer,
            )
            await self._tell(transaction, account, f"{issuer} no longer logs in to your account.")

    async def _add(
        self,
        transaction: Transaction,
        account: Account,
        connection: Connection,
        profile: Profile,
        device: Device,
    ) -> None:
        await store.insert_identity(transaction, uuid7(), account.id, connection.id, profile)
        await record(
            transaction,
            Action.IDENTITY_LINKED,
            user_id=account.id,
            device=device,
            connection=connection.id,
            issuer=profile.issuer,
        )

    async def _tell(self, transaction: Transaction, account: Account, change: str) -> None:
        await self._mails.notify(transaction, account, CHANGED, change=change)

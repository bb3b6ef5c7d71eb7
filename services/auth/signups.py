"""Signing up: a pending attempt, a mail, and an account once its link is redeemed."""

from datetime import timedelta

from uuid_utils.compat import uuid7

from services.auth import store
from services.auth.audit.log import Action, record
from services.auth.emails import require_email
from services.auth.entrance import Entrance
from services.auth.links import LinkTokens
from services.auth.mailing.limits import MailLimits
from services.auth.mailing.store import Counted
from services.auth.names import clean_name
from services.auth.new_passwords import NewPasswords
from services.auth.passwords import PasswordHasher
from services.auth.records import Device, Method, Signup
from services.auth.sessions import Grant
from shared.chassis.database import ConstraintViolation, Database
from shared.chassis.errors import Problem
from shared.chassis.outbox import Outbox
from shared.schemas.api.auth import SignupRequest, TokenDelivery
from shared.schemas.events.auth import SignupRequested, UserRegistered
from shared.schemas.problems import ProblemCode

PURPOSE = "signup"


class Signups:
    """Takes attempts to sign up, and makes accounts of those that are confirmed."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        hasher: PasswordHasher,
        entrance: Entrance,
        links: LinkTokens,
        *,
        limits: MailLimits,
        lifetime: timedelta,
        new_passwords: NewPasswords,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._hasher = hasher
        self._entrance = entrance
        self._links = links
        self._limits = limits
        self._lifetime = lifetime
        self._new_passwords = new_passwords

    async def request(self, request: SignupRequest, device: Device) -> None:
        """Remember an attempt and have a mail sent.

        Does the same for every address: which mail its owner gets is found out when it is
        rendered. Beyond the hour's share nothing is remembered, and the answer does not tell.
        Raises a 422 problem for an address or password that nobody could use, and 503
        when too many passwords wait to be hashed.
        """
        email = require_email(request.email)
        name = clean_name(request.name)
        password = await self._new_passwords.require(request.password, email=email, name=name)
        async with self._hasher.slot() as slot:
            password_hash = await slot.hash(password)
        signup = Signup(id=uuid7(), email=email, name=name, password_hash=password_hash)
        link_id = uuid7()
        async with self._database.transaction() as transaction:
            if not await self._limits.may_send(transaction, Counted.SIGNUP, email, device):
                return
            await store.insert_signup(
                transaction,
                signup,
                link_id=link_id,
                token_hash=self._links.hash(PURPOSE, link_id),
                lifetime=self._lifetime,
            )
            await self._outbox.emit(
                transaction, SignupRequested(link_id=link_id), subject=str(signup.id)
            )

    async def verify(self, token: str, *, token_delivery: TokenDelivery, device: Device) -> Grant:
        """Make the account of the attempt that a link names, and open its first session.

        Works once: of several redemptions at the same time one succeeds. Every other pending
        attempt for the address dies. Raises a 400 problem for a link that is spent or not ours.
        """
        token_hash = self._links.hash_of_token(PURPOSE, token)
        if token_hash is None:
            raise Problem(ProblemCode.LINK_INVALID)
        try:
            async with self._database.transaction() as transaction:
                signup = await store.take_signup(transaction, token_hash)
                if signup is None:
                    raise Problem(ProblemCode.LINK_INVALID)
                account = await store.insert_user(
                    transaction,
                    user_id=uuid7(),
                    email=signup.email,
                    name=signup.name,
                    password_hash=signup.password_hash,
                )
                await store.delete_signups(transaction, signup.email)
                await self._outbox.emit(
                    transaction, UserRegistered(user_id=account.id), subject=str(account.id)
                )
                await record(transaction, Action.ACCOUNT_CREATED, user_id=account.id, device=device)
                return await self._entrance.open(
                    transaction,
                    account.id,
                    methods=(Method.MAIL,),
                    token_delivery=token_delivery,
                    device=device,
                )
        except ConstraintViolation as violation:
            # The address got its account in another way while the link was under way.
            if violation.constraint == "users_email_key":
                raise Problem(ProblemCode.LINK_INVALID) from violation
            raise

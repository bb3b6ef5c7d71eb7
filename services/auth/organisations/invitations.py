"""Invitations to organisations: for one address, for one week, for one use."""

from typing import Final
from uuid import UUID

from services.auth.access import lock_own_account
from services.auth.audit.log import Action, record
from services.auth.emails import require_email
from services.auth.links import LinkTokens
from services.auth.mailing.mails import AccountMails
from services.auth.mailing.store import Mail
from services.auth.organisations import store
from services.auth.organisations.access import (
    Act,
    may,
    require,
    standing,
    standing_of_account,
)
from services.auth.organisations.records import (
    INVITATION_LIFETIME,
    INVITATIONS_A_DAY,
    INVITATIONS_AT_MOST,
    MEMBERS_AT_MOST,
    MEMBERSHIPS_AT_MOST,
    InvitationRow,
    OrganisationRow,
)
from services.auth.records import Account, Device
from services.auth.store import find_user
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.outbox import Outbox
from shared.schemas.api.organisations import InvitationCreate
from shared.schemas.events.auth import MemberAdded
from shared.schemas.problems import ProblemCode
from shared.schemas.roles import OrganisationRole

PURPOSE: Final = "invitation"


class Invitations:
    """Invites addresses, whether or not they have an account, and lets their owners in."""

    def __init__(
        self, database: Database, outbox: Outbox, mails: AccountMails, tokens: LinkTokens
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._mails = mails
        self._tokens = tokens

    async def require_invitable(
        self, transaction: Transaction, organisation_id: UUID, role: OrganisationRole, by: Identity
    ) -> None:
        """Raise 404 for a stranger, and 403 for a role above the caller's, until the end.

        The caller's account, which the invitation will name, is locked before the organisation.
        """
        await self._locked(transaction, organisation_id, by, Act.INVITE, role)

    async def invite(
        self,
        transaction: Transaction,
        organisation_id: UUID,
        request: InvitationCreate,
        identity: Identity,
        device: Device,
    ) -> InvitationRow:
        """Mail an invitation, which replaces an earlier one to the same address.

        Whether the address has an account is not looked up, so the answer cannot tell. Raises as
        `require_invitable` does, and 409 for a member's address and for too many invitations.
        """
        email = require_email(request.email)
        organisation = await self._locked(
            transaction, organisation_id, identity, Act.INVITE, request.role
        )
        if await store.is_member_address(transaction, organisation_id, email):
            raise Problem(ProblemCode.ALREADY_MEMBER)
        before = await store.find_invitation_to(transaction, organisation_id, email)
        if before is not None:
            # Whoever may not give a role does not take its invitation back either.
            require(standing(identity, organisation.role), Act.WITHDRAW_INVITATION, before.role)
            await store.withdraw_invitation(transaction, before.id)
        await _require_room(transaction, organisation_id)
        link_id = await self._mails.send(transaction, _mail(organisation, email))
        await store.insert_invitation(
            transaction,
            link_id,
            organisation_id=organisation_id,
            email=email,
            role=request.role,
            invited_by=identity.user_id,
        )
        await record(
            transaction,
            Action.INVITATION_SENT,
            user_id=identity.user_id,
            device=device,
            organisation_id=str(organisation_id),
            invitation_id=str(link_id),
            role=request.role.value,
        )
        invitation = await store.find_invitation(transaction, organisation_id, link_id)
        assert invitation is not None  # noqa: S101 - it was made above
        return invitation

    async def page(
        self, organisation_id: UUID, identity: Identity, *, before: UUID | None, limit: int
    ) -> list[InvitationRow]:
        """Return open invitations, newest first. Raises 404 for a stranger, 403 for a member."""
        found = await store.find_organisation(self._database, organisation_id, identity.user_id)
        require(None if found is None else standing(identity, found.role), Act.LIST_INVITATIONS)
        return await store.list_invitations(
            self._database, organisation_id, before=before, limit=limit
        )

    async def withdraw(
        self, organisation_id: UUID, invitation_id: UUID, identity: Identity, device: Device
    ) -> None:
        """Make an invitation worthless.

        Raises 404 for a stranger or if there is none, 403 for a role above the caller's.
        """
        async with self._database.transaction() as transaction:
            organisation = await self._locked(
                transaction, organisation_id, identity, Act.WITHDRAW_INVITATION
            )
            invitation = await store.find_invitation(transaction, organisation_id, invitation_id)
            if invitation is None:
                raise Problem(ProblemCode.INVITATION_NOT_FOUND)
            own = standing(identity, organisation.role)
            require(own, Act.WITHDRAW_INVITATION, invitation.role)
            await store.withdraw_invitation(transaction, invitation.id)
            await record(
                transaction,
                Action.INVITATION_WITHDRAWN,
                user_id=identity.user_id,
                device=device,
                organisation_id=str(organisation_id),
                invitation_id=str(invitation.id),
            )

    async def accept(self, token: str, user_id: UUID, device: Device) -> OrganisationRow:
        """Let the addressee of an invitation in, once, and return the organisation.

        Who is a member already keeps their role. Raises a 400 problem for a token that is no good
        any more, also because whoever sent it could not send it now, 403 for the account of another
        address, which leaves the invitation as it is, and 409 where there is no room.
        """
        token_hash = self._tokens.hash_of_token(PURPOSE, token)
        if token_hash is None:
            raise Problem(ProblemCode.LINK_INVALID)
        async with self._database.transaction() as transaction:
            invitation = await store.find_invitation_by_token(transaction, token_hash)
            if invitation is None:
                raise Problem(ProblemCode.LINK_INVALID)
            # In the order of whoever deletes an account: the account, its organisations, links.
            account = await lock_own_account(transaction, user_id)
            if account.email != invitation.email:
                raise Problem(ProblemCode.INVITATION_FOR_ANOTHER)
            await store.lock_organisation(transaction, invitation.organisation_id, user_id)
            if await self._mails.take(transaction, PURPOSE, token) is None:
                raise Problem(ProblemCode.LINK_INVALID)
            await _require_sender(transaction, invitation)
            await self._add(transaction, invitation, account, device)
            joined = await store.find_organisation(transaction, invitation.organisation_id, user_id)
        if joined is None:
            raise Problem(ProblemCode.LINK_INVALID)
        return joined

    async def _add(
        self,
        transaction: Transaction,
        invitation: InvitationRow,
        account: Account,
        device: Device,
    ) -> None:
        organisation_id = invitation.organisation_id
        memberships = await store.count_memberships(transaction, account.id)
        if memberships.total >= MEMBERSHIPS_AT_MOST:
            raise Problem(ProblemCode.ORGANISATIONS_FULL)
        if await store.count_members(transaction, organisation_id) >= MEMBERS_AT_MOST:
            raise Problem(ProblemCode.MEMBERS_FULL)
        if not await store.insert_member(transaction, organisation_id, account.id, invitation.role):
            return
        await self._outbox.emit(
            transaction,
            MemberAdded(organisation_id=organisation_id, user_id=account.id, role=invitation.role),
            subject=str(organisation_id),
        )
        await record(
            transaction,
            Action.MEMBER_ADDED,
            user_id=account.id,
            device=device,
            organisation_id=str(organisation_id),
            invitation_id=str(invitation.id),
            invited_by=str(invitation.invited_by),
            role=invitation.role.value,
        )

    async def _locked(
        self,
        transaction: Transaction,
        organisation_id: UUID,
        identity: Identity,
        act: Act,
        *over: OrganisationRole,
    ) -> OrganisationRow:
        found = await store.lock_organisation(transaction, organisation_id, identity.user_id)
        if found is None:
            raise Problem(ProblemCode.ORGANISATION_NOT_FOUND)
        require(standing(identity, found.role), act, *over)
        return found


async def _require_sender(transaction: Transaction, invitation: InvitationRow) -> None:
    # Read and not held: two who accept each other's invitations would wait for each other. A
    # membership cannot change while its organisation is locked.
    sender = await find_user(transaction, invitation.invited_by)
    member = await store.find_member(transaction, invitation.organisation_id, invitation.invited_by)
    role = standing_of_account(sender, None if member is None else member.role)
    if not may(role, Act.INVITE, invitation.role):
        raise Problem(ProblemCode.LINK_INVALID)


async def _require_room(transaction: Transaction, organisation_id: UUID) -> None:
    if await store.count_invitations(transaction, organisation_id) >= INVITATIONS_AT_MOST:
        raise Problem(ProblemCode.INVITATIONS_FULL)
    if not await store.count_invitation_mail(transaction, organisation_id, most=INVITATIONS_A_DAY):
        raise Problem(ProblemCode.INVITATIONS_FULL)


def _mail(organisation: OrganisationRow, email: str) -> Mail:
    return Mail(
        purpose=PURPOSE,
        email=email,
        template="invitation",
        template_otherwise="invitation",
        path="/invitation",
        lifetime=INVITATION_LIFETIME,
        variables={"organisation": organisation.name},
    )

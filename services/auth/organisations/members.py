"""Who belongs to an organisation: other roles, and the end of memberships."""

from uuid import UUID

from services.auth.access import require_recent
from services.auth.audit.log import Action, record, record_each
from services.auth.organisations import store
from services.auth.organisations.access import Act, is_lower, may, require, standing
from services.auth.organisations.records import MemberRow
from services.auth.records import Device
from services.auth.revocations import end_sessions, revoke
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import MemberChanged, MemberRemoved, OrganisationDeleted
from shared.schemas.problems import ProblemCode
from shared.schemas.roles import OrganisationRole


class Members:
    """Changes memberships; the last owner of an organisation stays.

    Every change locks the organisation first, so that of two owners who would leave each other
    alone at the same time one is refused.
    """

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def page(
        self, organisation_id: UUID, identity: Identity, *, before: UUID | None, limit: int
    ) -> tuple[list[MemberRow], bool]:
        """Return members, newest first, and whether the caller may see their addresses.

        Raises a 404 problem for a stranger.
        """
        found = await store.find_organisation(self._database, organisation_id, identity.user_id)
        role = None if found is None else standing(identity, found.role)
        require(role, Act.LIST_MEMBERS)
        rows = await store.list_members(self._database, organisation_id, before=before, limit=limit)
        return rows, may(role, Act.SEE_ADDRESSES)

    async def change_role(
        self,
        organisation_id: UUID,
        user_id: UUID,
        role: OrganisationRole,
        identity: Identity,
        device: Device,
    ) -> MemberRow:
        """Give a member another role and return the member.

        If the new role may do less, sessions that chose the organisation end, and invitations are
        withdrawn that the member could not send any more; a higher one stands in the next access
        token. Raises 404 for a stranger or who is no member, 403 for roles
        above the caller's, and for a higher role unless the caller has proved lately who they are,
        409 for the last owner.
        """
        async with self._database.transaction() as transaction:
            own, member = await self._locked(transaction, organisation_id, user_id, identity)
            require(own, Act.CHANGE_ROLE, member.role, role)
            if role is member.role:
                return member
            if is_lower(role, member.role):
                await self._require_other_owner(transaction, organisation_id, member)
                await self._end_sessions(transaction, organisation_id, user_id)
                await store.withdraw_invitations_by(
                    transaction,
                    user_id,
                    organisation_id=organisation_id,
                    keep=[given for given in OrganisationRole if may(role, Act.INVITE, given)],
                )
            else:
                require_recent(identity)
            await store.set_member_role(transaction, organisation_id, user_id, role)
            await self._outbox.emit(
                transaction,
                MemberChanged(organisation_id=organisation_id, user_id=user_id, role=role),
                subject=str(organisation_id),
            )
            await record(
                transaction,
                Action.MEMBER_CHANGED,
                user_id=user_id,
                actor_id=identity.user_id,
                device=device,
                organisation_id=str(organisation_id),
                before=member.role.value,
                after=role.value,
            )
            changed = await store.find_member(transaction, organisation_id, user_id)
        assert changed is not None  # noqa: S101 - nobody else can have removed it meanwhile
        return changed

    async def remove(
        self, organisation_id: UUID, user_id: UUID, identity: Identity, device: Device
    ) -> None:
        """End a membership, somebody else's or the caller's own.

        Sessions that chose the organisation end, and the member's invitations are withdrawn.
        Raises as `change_role` does.
        """
        async with self._database.transaction() as transaction:
            own, member = await self._locked(transaction, organisation_id, user_id, identity)
            if user_id == identity.user_id:
                require(own, Act.LEAVE)
            else:
                require(own, Act.REMOVE_MEMBER, member.role)
            await self._require_other_owner(transaction, organisation_id, member)
            await self._end_sessions(transaction, organisation_id, user_id)
            await store.withdraw_invitations_by(
                transaction, user_id, organisation_id=organisation_id
            )
            await store.delete_member(transaction, organisation_id, user_id)
            await self._outbox.emit(
                transaction,
                MemberRemoved(organisation_id=organisation_id, user_id=user_id),
                subject=str(organisation_id),
            )
            await record(
                transaction,
                Action.MEMBER_REMOVED,
                user_id=user_id,
                actor_id=identity.user_id,
                device=device,
                organisation_id=str(organisation_id),
            )

    async def _locked(
        self, transaction: Transaction, organisation_id: UUID, user_id: UUID, identity: Identity
    ) -> tuple[OrganisationRole, MemberRow]:
        found = await store.lock_organisation(transaction, organisation_id, identity.user_id)
        own = None if found is None else standing(identity, found.role)
        require(own, Act.READ)
        assert own is not None  # noqa: S101 - strangers were refused
        member = await store.find_member(transaction, organisation_id, user_id)
        if member is None:
            raise Problem(ProblemCode.MEMBER_NOT_FOUND)
        return own, member

    async def _require_other_owner(
        self, transaction: Transaction, organisation_id: UUID, member: MemberRow
    ) -> None:
        if member.role is not OrganisationRole.OWNER:
            return
        if not await store.is_other_owner(transaction, organisation_id, member.user_id):
            raise Problem(ProblemCode.LAST_OWNER)

    async def _end_sessions(
        self, transaction: Transaction, organisation_id: UUID, user_id: UUID
    ) -> None:
        ended = await store.end_member_sessions(transaction, organisation_id, user_id=user_id)
        await revoke(transaction, self._outbox, ended)


async def leave_everything(
    transaction: Transaction, outbox: Outbox, user_id: UUID, by: UUID, device: Device
) -> None:
    """Take an account that is about to be deleted out of its organisations.

    One without other members is deleted with it; the account's sessions end. Call it with the
    account locked and nothing that belongs to it: whoever removes a member locks the organisation
    first too. Raises a 409 problem that names the organisations which would be left without owner.
    """
    belongings = await store.lock_belongings(transaction, user_id)
    ownerless = [
        one for one in belongings if one.is_owner and one.others and not one.has_other_owner
    ]
    if ownerless:
        names = ", ".join(f"“{one.name}”" for one in ownerless[:5])
        raise Problem(
            ProblemCode.SOLE_OWNER,
            f"The account is the only owner of {names}: make another member an owner, or delete "
            "the organisation first.",
        )
    await end_sessions(transaction, outbox, user_id)
    await store.withdraw_invitations_by(transaction, user_id, organisation_id=None)
    left = [one.organisation_id for one in belongings]
    deserted = [one.organisation_id for one in belongings if not one.others]
    await outbox.emit_all(
        transaction,
        [
            *((MemberRemoved(organisation_id=one, user_id=user_id), str(one)) for one in left),
            *((OrganisationDeleted(organisation_id=one), str(one)) for one in deserted),
        ],
    )
    for action, organisation_ids in (
        (Action.MEMBER_REMOVED, left),
        (Action.ORGANISATION_DELETED, deserted),
    ):
        await record_each(
            transaction,
            action,
            user_id=user_id,
            actor_id=by,
            device=device,
            details=[{"organisation_id": str(one)} for one in organisation_ids],
        )
    await store.delete_organisations(transaction, deserted)

"""The statements about organisations and their members."""

from collections.abc import Sequence
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.organisations.records import (
    Belonging,
    InvitationRow,
    MemberRow,
    Memberships,
    OrganisationRow,
)
from services.auth.records import EndedSession
from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries
from shared.schemas.roles import OrganisationRole

SQL = load_queries(__file__)


def _organisation(row: Record) -> OrganisationRow:
    role = None if row["role"] is None else OrganisationRole(row["role"])
    return OrganisationRow(**{**dict(row), "role": role})


def _member(row: Record) -> MemberRow:
    return MemberRow(**{**dict(row), "role": OrganisationRole(row["role"])})


def _invitation(row: Record) -> InvitationRow:
    return InvitationRow(**{**dict(row), "role": OrganisationRole(row["role"])})


async def insert_organisation(
    executor: Executor, organisation_id: UUID, *, name: str, slug: str
) -> OrganisationRow | None:
    """Create an organisation; None if another one has the slug."""
    row = await executor.fetchrow(SQL["insert_organisation"], organisation_id, name, slug)
    return None if row is None else _organisation(row)


async def find_organisation(
    executor: Executor, organisation_id: UUID, user_id: UUID
) -> OrganisationRow | None:
    """Return an organisation and what a user is in it."""
    row = await executor.fetchrow(SQL["find_organisation"], organisation_id, user_id)
    return None if row is None else _organisation(row)


async def lock_organisation(
    executor: Executor, organisation_id: UUID, user_id: UUID
) -> OrganisationRow | None:
    """Return the same, as it is once nobody else can change it until the transaction ends."""
    await executor.execute(SQL["lock_organisation"], organisation_id)
    return await find_organisation(executor, organisation_id, user_id)


async def list_organisations_of(
    executor: Executor, user_id: UUID, *, before: UUID | None, limit: int
) -> list[OrganisationRow]:
    """Return the organisations that a user belongs to, newest first."""
    rows = await executor.fetch(SQL["list_organisations_of"], user_id, before, limit)
    return [_organisation(row) for row in rows]


async def list_organisations(
    executor: Executor, user_id: UUID, *, before: UUID | None, limit: int
) -> list[OrganisationRow]:
    """Return all organisations, newest first, and what a user is in each."""
    rows = await executor.fetch(SQL["list_organisations"], user_id, before, limit)
    return [_organisation(row) for row in rows]


async def change_organisation(
    executor: Executor, organisation_id: UUID, *, name: str, slug: str
) -> None:
    """Rename an organisation. Raises ConstraintViolation `organisations_slug_key`."""
    await executor.execute(SQL["change_organisation"], organisation_id, name, slug)


async def delete_organisations(executor: Executor, organisation_ids: Sequence[UUID]) -> None:
    """Remove organisations that no session names any more, with all that hangs on them."""
    await executor.execute(SQL["delete_organisations"], list(organisation_ids))


async def count_memberships(executor: Executor, user_id: UUID) -> Memberships:
    """Return how many organisations a user belongs to."""
    row = await executor.fetchrow(SQL["count_memberships"], user_id)
    assert row is not None  # noqa: S101 - the statement always returns one row
    return Memberships(**dict(row))


async def count_members(executor: Executor, organisation_id: UUID) -> int:
    """Return how many belong to an organisation."""
    members: int = await executor.fetchval(SQL["count_members"], organisation_id)
    return members


async def insert_member(
    executor: Executor, organisation_id: UUID, user_id: UUID, role: OrganisationRole
) -> bool:
    """Let a user belong to an organisation; False if they do already, in whatever role."""
    inserted = await executor.fetchval(
        SQL["insert_member"], uuid7(), organisation_id, user_id, role.value
    )
    return inserted is not None


async def find_member(executor: Executor, organisation_id: UUID, user_id: UUID) -> MemberRow | None:
    """Return one member."""
    row = await executor.fetchrow(SQL["find_member"], organisation_id, user_id)
    return None if row is None else _member(row)


async def list_members(
    executor: Executor, organisation_id: UUID, *, before: UUID | None, limit: int
) -> list[MemberRow]:
    """Return members, newest first."""
    rows = await executor.fetch(SQL["list_members"], organisation_id, before, limit)
    return [_member(row) for row in rows]


async def is_other_owner(executor: Executor, organisation_id: UUID, user_id: UUID) -> bool:
    """Tell whether somebody besides a user owns an organisation and can log in."""
    is_other: bool = await executor.fetchval(SQL["is_other_owner"], organisation_id, user_id)
    return is_other


async def set_member_role(
    executor: Executor, organisation_id: UUID, user_id: UUID, role: OrganisationRole
) -> None:
    """Give a member another role."""
    await executor.execute(SQL["set_member_role"], organisation_id, user_id, role.value)


async def delete_member(executor: Executor, organisation_id: UUID, user_id: UUID) -> None:
    """End a membership that no session names any more."""
    await executor.execute(SQL["delete_member"], organisation_id, user_id)


async def lock_belongings(executor: Executor, user_id: UUID) -> list[Belonging]:
    """Return a user's memberships; their organisations are locked until the transaction ends."""
    await executor.fetch(SQL["lock_organisations_of"], user_id)
    rows = await executor.fetch(SQL["list_belongings"], user_id)
    return [Belonging(**dict(row)) for row in rows]


async def end_member_sessions(
    executor: Executor, organisation_id: UUID, *, user_id: UUID | None
) -> list[EndedSession]:
    """Remove the sessions of one member, or of all, whose tokens may name an organisation.

    The other sessions of theirs are locked and cannot begin to name it in this transaction.
    """
    await executor.execute(SQL["lock_member_sessions"], organisation_id, user_id)
    rows = await executor.fetch(SQL["end_member_sessions"], organisation_id, user_id)
    return [EndedSession(**dict(row)) for row in rows]


async def is_member_address(executor: Executor, organisation_id: UUID, email: str) -> bool:
    """Tell whether whoever has an address belongs to an organisation."""
    is_member: bool = await executor.fetchval(SQL["is_member_address"], organisation_id, email)
    return is_member


async def count_invitation_mail(executor: Executor, organisation_id: UUID, *, most: int) -> bool:
    """Count one more invitation that is mailed; False if there were `most` within a day."""
    counted = await executor.fetchval(SQL["count_invitation_mail"], organisation_id, most)
    return counted is not None


async def count_invitations(executor: Executor, organisation_id: UUID) -> int:
    """Return how many invitations are open."""
    invitations: int = await executor.fetchval(SQL["count_invitations"], organisation_id)
    return invitations


async def insert_invitation(
    executor: Executor,
    link_id: UUID,
    *,
    organisation_id: UUID,
    email: str,
    role: OrganisationRole,
    invited_by: UUID,
) -> None:
    """Say what a mailed link invites to."""
    await executor.execute(
        SQL["insert_invitation"], link_id, organisation_id, email, role.value, invited_by
    )


async def find_invitation(
    executor: Executor, organisation_id: UUID, invitation_id: UUID
) -> InvitationRow | None:
    """Return an open invitation of an organisation."""
    row = await executor.fetchrow(SQL["find_invitation"], invitation_id, organisation_id)
    return None if row is None else _invitation(row)


async def find_invitation_to(
    executor: Executor, organisation_id: UUID, email: str
) -> InvitationRow | None:
    """Return what an address was invited to before, even if that is over."""
    row = await executor.fetchrow(SQL["find_invitation_to"], organisation_id, email)
    return None if row is None else _invitation(row)


async def find_invitation_by_token(executor: Executor, token_hash: bytes) -> InvitationRow | None:
    """Return the open invitation that a mailed token accepts."""
    row = await executor.fetchrow(SQL["find_invitation_by_token"], token_hash)
    return None if row is None else _invitation(row)


async def list_invitations(
    executor: Executor, organisation_id: UUID, *, before: UUID | None, limit: int
) -> list[InvitationRow]:
    """Return open invitations, newest first."""
    rows = await executor.fetch(SQL["list_invitations"], organisation_id, before, limit)
    return [_invitation(row) for row in rows]


async def withdraw_invitation(executor: Executor, invitation_id: UUID) -> None:
    """Make one invitation worthless."""
    await executor.execute(SQL["withdraw_invitation"], invitation_id)


async def withdraw_invitations_by(
    executor: Executor,
    user_id: UUID,
    *,
    organisation_id: UUID | None,
    keep: Sequence[OrganisationRole] = (),
) -> None:
    """Make a user's invitations worthless, in one organisation or all, but those to some roles."""
    kept = [role.value for role in keep]
    await executor.execute(SQL["withdraw_invitations_by"], user_id, organisation_id, kept)

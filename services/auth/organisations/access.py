"""Who may do what in an organisation: the only place that decides it."""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from services.auth.records import Account
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.problems import ProblemCode
from shared.schemas.roles import ADMINISTRATOR, OrganisationRole

_RANKS: Final = {
    OrganisationRole.MEMBER: 1,
    OrganisationRole.ADMIN: 2,
    OrganisationRole.OWNER: 3,
}


class Act(Enum):
    """Something that is done in an organisation."""

    READ = auto()
    LIST_MEMBERS = auto()
    LEAVE = auto()
    SEE_ADDRESSES = auto()
    CHANGE = auto()
    INVITE = auto()
    LIST_INVITATIONS = auto()
    WITHDRAW_INVITATION = auto()
    CHANGE_ROLE = auto()
    REMOVE_MEMBER = auto()
    DELETE = auto()


LEAST_ROLES: Final[Mapping[Act, OrganisationRole]] = MappingProxyType(
    {
        Act.READ: OrganisationRole.MEMBER,
        Act.LIST_MEMBERS: OrganisationRole.MEMBER,
        Act.LEAVE: OrganisationRole.MEMBER,
        Act.SEE_ADDRESSES: OrganisationRole.ADMIN,
        Act.CHANGE: OrganisationRole.ADMIN,
        Act.INVITE: OrganisationRole.ADMIN,
        Act.LIST_INVITATIONS: OrganisationRole.ADMIN,
        Act.WITHDRAW_INVITATION: OrganisationRole.ADMIN,
        Act.CHANGE_ROLE: OrganisationRole.ADMIN,
        Act.REMOVE_MEMBER: OrganisationRole.ADMIN,
        Act.DELETE: OrganisationRole.OWNER,
    }
)


def standing(identity: Identity, membership: OrganisationRole | None) -> OrganisationRole | None:
    """Return what the caller counts as in an organisation, or None for a stranger.

    Whoever administers the house stands like an owner in each: somebody has to be able to help
    when the last owner is gone.
    """
    if identity.is_administrator and identity.impersonator_id is None:
        return OrganisationRole.OWNER
    return membership


def standing_of_account(
    account: Account | None, membership: OrganisationRole | None
) -> OrganisationRole | None:
    """Return the same of an account that does not ask itself; None if it is gone or disabled."""
    if account is None or account.disabled_at is not None:
        return None
    return OrganisationRole.OWNER if ADMINISTRATOR in account.roles else membership


def may(role: OrganisationRole | None, act: Act, *over: OrganisationRole) -> bool:
    """Tell whether a role is enough for an act.

    `over` are the roles that the act takes, gives or withdraws: nobody touches one above their own.
    """
    if role is None:
        return False
    rank = _RANKS[role]
    return rank >= _RANKS[LEAST_ROLES[act]] and all(rank >= _RANKS[other] for other in over)


def is_lower(role: OrganisationRole, than: OrganisationRole) -> bool:
    """Tell whether one role may do less than another."""
    return _RANKS[role] < _RANKS[than]


def require(role: OrganisationRole | None, act: Act, *over: OrganisationRole) -> None:
    """Raise a 404 problem for a stranger and a 403 one for a member whose role is not enough."""
    if role is None:
        raise Problem(ProblemCode.ORGANISATION_NOT_FOUND)
    if may(role, act, *over):
        return
    if may(role, act):
        raise Problem(
            ProblemCode.ORGANISATION_ROLE_REQUIRED,
            f"Your role is {role.value}; nobody gives, changes or takes a role above their own.",
        )
    raise Problem(
        ProblemCode.ORGANISATION_ROLE_REQUIRED,
        f"Your role is {role.value}; this takes at least {LEAST_ROLES[act].value}.",
    )

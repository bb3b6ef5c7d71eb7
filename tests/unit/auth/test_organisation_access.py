"""Who may do what in an organisation: every role with every act, over every other role."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.auth.organisations.access import (
    LEAST_ROLES,
    Act,
    is_lower,
    may,
    require,
    standing,
    standing_of_account,
)
from services.auth.organisations.organisations import slug_from
from services.auth.records import Account
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.roles import ADMINISTRATOR, OrganisationRole

OWNER, ADMIN, MEMBER = OrganisationRole
EVERYBODY = {OWNER, ADMIN, MEMBER}
MAY = {
    Act.READ: EVERYBODY,
    Act.LIST_MEMBERS: EVERYBODY,
    Act.LEAVE: EVERYBODY,
    Act.SEE_ADDRESSES: {OWNER, ADMIN},
    Act.CHANGE: {OWNER, ADMIN},
    Act.INVITE: {OWNER, ADMIN},
    Act.LIST_INVITATIONS: {OWNER, ADMIN},
    Act.WITHDRAW_INVITATION: {OWNER, ADMIN},
    Act.CHANGE_ROLE: {OWNER, ADMIN},
    Act.REMOVE_MEMBER: {OWNER, ADMIN},
    Act.DELETE: {OWNER},
}
NOT_ABOVE = {OWNER: EVERYBODY, ADMIN: {ADMIN, MEMBER}, MEMBER: {MEMBER}}


def test_the_table_speaks_of_every_act() -> None:
    assert set(MAY) == set(Act) == set(LEAST_ROLES)


@pytest.mark.parametrize("role", [OWNER, ADMIN, MEMBER, None])
@pytest.mark.parametrize("act", Act)
def test_each_role_may_exactly_this(role: OrganisationRole | None, act: Act) -> None:
    assert may(role, act) is (role in MAY[act])
    for over in OrganisationRole:
        allowed = role is not None and role in MAY[act] and over in NOT_ABOVE[role]
        assert may(role, act, over) is allowed
        assert may(role, act, MEMBER, over) is allowed


@pytest.mark.parametrize(
    ("role", "act", "over", "code"),
    [
        (None, Act.READ, (), "organisation_not_found"),
        (MEMBER, Act.INVITE, (), "organisation_role_required"),
        (ADMIN, Act.INVITE, (OWNER,), "organisation_role_required"),
    ],
)
def test_a_stranger_hears_of_nothing_and_a_member_what_is_missing(
    role: OrganisationRole | None, act: Act, over: tuple[OrganisationRole, ...], code: str
) -> None:
    with pytest.raises(Problem) as caught:
        require(role, act, *over)
    assert caught.value.code == code


@pytest.mark.parametrize("membership", [OWNER, ADMIN, MEMBER, None])
@pytest.mark.parametrize(
    ("roles", "scopes", "impersonated", "counts_as_owner"),
    [
        ({ADMINISTRATOR}, None, False, True),
        ({ADMINISTRATOR}, None, True, False),
        ({ADMINISTRATOR}, {"jobs"}, False, False),
        ({"editor"}, None, False, False),
    ],
)
def test_only_administrators_in_their_own_session_stand_like_owners(
    *,
    membership: OrganisationRole | None,
    roles: set[str],
    scopes: set[str] | None,
    impersonated: bool,
    counts_as_owner: bool,
) -> None:
    identity = Identity(
        user_id=uuid4(),
        session_id=uuid4(),
        roles=frozenset(roles),
        scopes=None if scopes is None else frozenset(scopes),
        expires_at=int(time.time()) + 60,
        impersonator_id=uuid4() if impersonated else None,
    )
    assert standing(identity, membership) is (OWNER if counts_as_owner else membership)


@pytest.mark.parametrize("membership", [OWNER, ADMIN, MEMBER, None])
@pytest.mark.parametrize("roles", [(), (ADMINISTRATOR,), ("editor",)])
@pytest.mark.parametrize("state", ["open", "disabled", "gone"])
def test_an_account_that_does_not_ask_counts_while_it_is_open(
    membership: OrganisationRole | None, roles: tuple[str, ...], state: str
) -> None:
    now = datetime.now(UTC)
    account = Account(
        id=uuid4(),
        email="ada@example.com",
        name=None,
        password_hash=None,
        roles=roles,
        created_at=now,
        disabled_at=now if state == "disabled" else None,
    )

    counted = standing_of_account(None if state == "gone" else account, membership)

    if state != "open":
        assert counted is None
    else:
        assert counted is (OWNER if ADMINISTRATOR in roles else membership)


def test_roles_have_one_order() -> None:
    lower = {(one, other) for one in EVERYBODY for other in EVERYBODY if is_lower(one, other)}
    assert lower == {(MEMBER, ADMIN), (MEMBER, OWNER), (ADMIN, OWNER)}


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"),
        ("  Müller & Söhne  ", "muller-sohne"),
        ("株式会社", "organisation"),
        ("--", "organisation"),
        ("x" * 39 + " y", "x" * 39),
        ("a" * 100, "a" * 40),
    ],
)
def test_a_slug_resembles_the_name(name: str, slug: str) -> None:
    assert slug_from(name) == slug

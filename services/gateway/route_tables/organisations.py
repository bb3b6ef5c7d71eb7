"""Organisations, their members and invitations."""

from typing import Final

from services.gateway.route import IDEMPOTENCY_KEY, PAGING, Access, Json, Route
from shared.schemas.api import organisations
from shared.schemas.api.pages import Page

_ALL: Final = "/v1/auth/organisations"
_ONE: Final = f"{_ALL}/{{organisation_id}}"
_MEMBER: Final = f"{_ONE}/members/{{user_id}}"
_OF_EVERYBODY: Final[Json] = {
    "name": "all",
    "in": "query",
    "description": "Whether to list all of the house; administrators only",
    "schema": {"type": "boolean"},
}

ORGANISATION_ROUTES: Final = (
    Route(
        method="POST",
        path=_ALL,
        service="auth",
        access=Access.USER,
        summary="Make an organisation, whose owner you are",
        status=201,
        request=organisations.OrganisationCreate,
        answer=organisations.Organisation,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path=_ALL,
        service="auth",
        access=Access.USER,
        summary="List your organisations, newest first",
        answer=Page[organisations.Organisation],
        parameters=(*PAGING, _OF_EVERYBODY),
    ),
    Route(
        method="GET",
        path=_ONE,
        service="auth",
        access=Access.USER,
        summary="Read an organisation that you belong to",
        answer=organisations.Organisation,
    ),
    Route(
        method="PATCH",
        path=_ONE,
        service="auth",
        access=Access.USER,
        summary="Change an organisation's name or slug, as its owner or admin",
        request=organisations.OrganisationUpdate,
        answer=organisations.Organisation,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        service="auth",
        access=Access.USER,
        summary="Delete an organisation for good, as its owner; takes a proof of the last ten "
        "minutes and ends the sessions that chose it",
        status=204,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/members",
        service="auth",
        access=Access.USER,
        summary="List who belongs to an organisation, newest first",
        answer=Page[organisations.Member],
        parameters=PAGING,
    ),
    Route(
        method="PATCH",
        path=_MEMBER,
        service="auth",
        access=Access.USER,
        summary="Give a member another role, none above your own; a higher one takes a proof of "
        "the last ten minutes, a lower one ends the sessions in which they chose the organisation",
        request=organisations.MemberUpdate,
        answer=organisations.Member,
    ),
    Route(
        method="DELETE",
        path=_MEMBER,
        service="auth",
        access=Access.USER,
        summary="Remove a member, or leave; the sessions in which they chose the organisation end",
        status=204,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/invitations",
        service="auth",
        access=Access.USER,
        summary="Invite an address by mail, for a week; takes a proof of the last ten minutes. A "
        "second invitation replaces the first, and the answer does not tell whether the address "
        "has an account",
        status=201,
        request=organisations.InvitationCreate,
        answer=organisations.Invitation,
        guessable=True,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path=f"{_ONE}/invitations",
        service="auth",
        access=Access.USER,
        summary="List the open invitations of an organisation, as its owner or admin",
        answer=Page[organisations.Invitation],
        parameters=PAGING,
    ),
    Route(
        method="DELETE",
        path=f"{_ONE}/invitations/{{invitation_id}}",
        service="auth",
        access=Access.USER,
        summary="Withdraw an invitation; its link is worthless at once",
        status=204,
    ),
    Route(
        method="POST",
        path="/v1/auth/invitations/accept",
        service="auth",
        access=Access.USER,
        summary="Accept an invitation by its mailed token, with the account of the invited address",
        request=organisations.InvitationAccept,
        answer=organisations.Organisation,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/session/organisation",
        service="auth",
        access=Access.USER,
        summary="Choose the organisation that the session acts for, or none; the access token in "
        "the answer names it as `org` and your role in it as `org_role`",
        request=organisations.OrganisationChoice,
        answer=organisations.ChosenOrganisation,
    ),
)

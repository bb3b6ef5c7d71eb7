"""Roles of the house, for administrators."""

from typing import Final

from services.gateway.route import PAGING, Access, Route
from shared.schemas.api import roles
from shared.schemas.api.pages import Page

_ALL: Final = "/v1/auth/roles"
_ONE: Final = f"{_ALL}/{{name}}"

ROLE_ROUTES: Final = (
    Route(
        method="GET",
        path=_ALL,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List the roles by name",
        answer=Page[roles.Role],
        parameters=PAGING,
    ),
    Route(
        method="GET",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Read a role",
        answer=roles.Role,
    ),
    Route(
        method="PUT",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Make a role, or replace its permissions; access tokens carry them from their next "
        "renewal on, so everywhere within 15 minutes",
        request=roles.RolePut,
        answer=roles.Role,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Delete a role that no account has",
        status=204,
    ),
)

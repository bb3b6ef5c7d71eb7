"""Other people's accounts, for administrators."""

from typing import Any, Final

from services.gateway.route import PAGING, Access, Route
from shared.schemas.api import users
from shared.schemas.api.auth import Session, SessionInfo
from shared.schemas.api.pages import Page


def _query(name: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}


_ONE: Final = "/v1/auth/users/{user_id}"

USER_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/auth/users",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List accounts, newest first, or search them: `query`, `role`, `disabled`",
        answer=Page[users.ManagedUser],
        parameters=(
            *PAGING,
            _query("query", "What address or name begins with; two hundred of each are found"),
            _query("role", "Only accounts with this role"),
            _query("disabled", "Only disabled accounts, or only others", "boolean"),
        ),
    ),
    Route(
        method="GET",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Read an account and what hangs on it",
        answer=users.ManagedUserDetail,
    ),
    Route(
        method="PATCH",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Change name or roles; other roles end the account's sessions",
        request=users.ManagedUserUpdate,
        answer=users.ManagedUserDetail,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Delete an account for good",
        status=204,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/disable",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Shut an account; its sessions and keys stop working within a second",
        request=users.DisableUser,
        answer=users.ManagedUserDetail,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/enable",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Open an account again",
        answer=users.ManagedUserDetail,
    ),
    Route(
        method="GET",
        path=f"{_ONE}/sessions",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List an account's open sessions",
        answer=Page[SessionInfo],
        parameters=PAGING,
    ),
    Route(
        method="DELETE",
        path=f"{_ONE}/sessions",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="End all of an account's sessions",
        status=204,
    ),
    Route(
        method="DELETE",
        path=f"{_ONE}/sessions/{{session_id}}",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="End one of an account's sessions",
        status=204,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/impersonate",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Act in somebody's name for an hour; they are told, and the log says so",
        request=users.ImpersonateUser,
        answer=Session,
    ),
    Route(
        method="GET",
        path="/v1/auth/audit",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List what was done to accounts, by whom and from where, newest first",
        answer=Page[users.AuditEntry],
        parameters=(
            *PAGING,
            _query("user_id", "Whom it was done to"),
            _query("actor_id", "Who did it"),
            _query("action", "What was done, such as `user.disabled`"),
        ),
    ),
)

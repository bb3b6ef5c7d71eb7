"""An account's address, and what became of deleted accounts."""

from typing import Final

from services.gateway.route import PAGING, Access, Route
from shared.schemas.api import accounts
from shared.schemas.api.pages import Page

ACCOUNT_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/auth/me/email",
        service="auth",
        access=Access.USER,
        summary="Ask for another address; it takes a recent log-in, and both addresses confirm it",
        status=202,
        request=accounts.EmailChangeRequest,
        answer=accounts.EmailChangeAccepted,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/me/email",
        service="auth",
        access=Access.USER,
        summary="Take back a change of address that is not confirmed yet",
        status=204,
    ),
    Route(
        method="POST",
        path="/v1/auth/email/confirm",
        service="auth",
        access=Access.PUBLIC,
        summary="Confirm a change of address by the link mailed to either address",
        request=accounts.EmailConfirmation,
        answer=accounts.EmailConfirmed,
        guessable=True,
    ),
    Route(
        method="GET",
        path="/v1/auth/deletions",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List deleted accounts and which services have confirmed that nothing is left",
        answer=Page[accounts.AccountDeletion],
        parameters=(
            *PAGING,
            {
                "name": "outstanding",
                "in": "query",
                "description": "Only those that some service has not confirmed, or only others",
                "schema": {"type": "boolean"},
            },
        ),
    ),
)

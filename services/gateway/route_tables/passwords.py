"""Forgotten and changed passwords."""

from typing import Final

from services.gateway.route import Access, Route
from shared.schemas.api import passwords

PASSWORD_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/auth/password/forgot",
        service="auth",
        access=Access.PUBLIC,
        summary="Ask for a link to choose another password; the answer is the same for all",
        status=202,
        request=passwords.ForgottenPassword,
        answer=passwords.ResetAccepted,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/password/reset",
        service="auth",
        access=Access.PUBLIC,
        summary="Choose another password by a mailed link; ends every session and opens none",
        status=204,
        request=passwords.PasswordReset,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/password/change",
        service="auth",
        access=Access.USER,
        summary="Choose another password by the current one; ends the other sessions",
        status=204,
        request=passwords.PasswordChange,
        guessable=True,
    ),
)

"""The mail log: what the mail service offers."""

from typing import Final

from services.gateway.route import PAGING, Access, Route
from shared.schemas.api import mail
from shared.schemas.api.pages import Page

MAIL_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/mail/messages",
        service="mail",
        access=Access.ADMINISTRATOR,
        summary="List the mails that were sent, newest first",
        answer=Page[mail.Message],
        parameters=PAGING,
    ),
    Route(
        method="GET",
        path="/v1/mail/messages/{message_id}",
        service="mail",
        access=Access.ADMINISTRATOR,
        summary="Read how far a mail got, step by step",
        answer=mail.Message,
    ),
)

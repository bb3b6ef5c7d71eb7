"""Every public route of Freehold, once.

nginx's locations, the gateway's decisions and the OpenAPI document are made from `ROUTES`. What is
not here does not exist for the outside, so internal routes of services are unreachable by omission.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel

from shared.schemas.api import auth, files, mail, realtime
from shared.schemas.api.pages import Page

DEFAULT_BODY_LIMIT: Final = 1024 * 1024
"""Bytes a request body may have where a route says nothing else."""

UPLOAD_BODY_LIMIT: Final = 5 * 1024**3 + 64 * 1024
"""Bytes of one upload in one request: 5 GiB, the largest object that S3 takes by a single PUT, and
the form around it."""

Json = Mapping[str, Any]
"""A fragment of the OpenAPI document, where a model cannot say it."""

_BINARY: Final[Json] = {"type": "string", "format": "binary"}
_TEXT: Final[Json] = {"type": "string"}
_OBJECT: Final[Json] = {"application/json": {"type": "object"}}
_PAGING: Final[tuple[Json, ...]] = (
    {
        "name": "cursor",
        "in": "query",
        "description": "`next` of the page before",
        "schema": {"type": "string"},
    },
    {
        "name": "limit",
        "in": "query",
        "description": "Items on a page",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
    },
)


class Access(StrEnum):
    """Who may call a route; the gateway refuses everybody else before the body arrives."""

    PUBLIC = "public"
    USER = "user"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path.

    `path` is a template: `{name}` stands for one non-empty segment. `request` and `answer` are
    the JSON bodies; `request_contents` and `answer_contents` the schemas of others by media type.
    """

    method: str
    path: str
    service: str
    access: Access
    summary: str
    status: int = 200
    scope: str | None = None
    """What an API key must be good for; None where the service itself decides about keys."""
    request: type[BaseModel] | None = None
    request_contents: Json | None = None
    answer: type[BaseModel] | None = None
    answer_contents: Json | None = None
    parameters: tuple[Json, ...] = ()
    """Query and header parameters, as OpenAPI says them; those of the path are in it."""
    documented: bool = True
    body_limit: int = DEFAULT_BODY_LIMIT
    """Bytes; a longer body gets 413 as soon as its length is known."""
    streaming: bool = False
    """Whether nginx passes the body on while it arrives instead of collecting it first."""
    guessable: bool = False
    """Whether calling it often helps to guess a secret: a stricter request limit holds."""
    websocket: bool = False


AUTH_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/auth/signup",
        service="auth",
        access=Access.PUBLIC,
        summary="Ask for an account; a mail with a link follows",
        status=202,
        request=auth.SignupRequest,
        answer=auth.SignupAccepted,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/verify",
        service="auth",
        access=Access.PUBLIC,
        summary="Redeem the link of a verification mail and open a session",
        request=auth.VerifyRequest,
        answer=auth.Session,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/login",
        service="auth",
        access=Access.PUBLIC,
        summary="Open a session with e-mail address and password",
        request=auth.LoginRequest,
        answer=auth.Session,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/refresh",
        service="auth",
        access=Access.PUBLIC,
        summary="Renew a session by its refresh token, which is replaced",
        request=auth.RefreshRequest,
        answer=auth.Session,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/logout",
        service="auth",
        access=Access.USER,
        summary="End the session of the access token, everywhere",
        status=204,
        request=auth.LogoutRequest,
    ),
    Route(
        method="GET",
        path="/v1/auth/me",
        service="auth",
        access=Access.USER,
        summary="Read the account of the access token",
        answer=auth.User,
    ),
    Route(
        method="PATCH",
        path="/v1/auth/me",
        service="auth",
        access=Access.USER,
        summary="Change the profile; fields left out stay as they are",
        request=auth.UserUpdate,
        answer=auth.User,
    ),
    Route(
        method="GET",
        path="/v1/auth/sessions",
        service="auth",
        access=Access.USER,
        summary="List the open sessions",
        answer=Page[auth.SessionInfo],
        parameters=_PAGING,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/sessions",
        service="auth",
        access=Access.USER,
        summary="End all sessions but this one",
        status=204,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/sessions/{session_id}",
        service="auth",
        access=Access.USER,
        summary="End one session",
        status=204,
    ),
    Route(
        method="POST",
        path="/v1/auth/api-keys",
        service="auth",
        access=Access.USER,
        summary="Make an API key; its secret is shown this once",
        status=201,
        request=auth.ApiKeyCreate,
        answer=auth.CreatedApiKey,
    ),
    Route(
        method="GET",
        path="/v1/auth/api-keys",
        service="auth",
        access=Access.USER,
        summary="List the API keys without their secrets",
        answer=Page[auth.ApiKey],
        parameters=_PAGING,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/api-keys/{key_id}",
        service="auth",
        access=Access.USER,
        summary="Delete an API key; it stops working within a second",
        status=204,
    ),
    Route(
        method="GET",
        path="/.well-known/jwks.json",
        service="auth",
        access=Access.PUBLIC,
        summary="Read the public keys that verify access tokens",
        answer_contents=_OBJECT,
    ),
    Route(
        method="GET",
        path="/verify",
        service="auth",
        access=Access.PUBLIC,
        summary="Open the page that mailed verification links lead to; it changes nothing itself",
        answer_contents={"text/html": _TEXT},
    ),
    Route(
        method="GET",
        path="/verify/page.js",
        service="auth",
        access=Access.PUBLIC,
        summary="Read the script of the page",
        documented=False,
    ),
    Route(
        method="GET",
        path="/verify/page.css",
        service="auth",
        access=Access.PUBLIC,
        summary="Read the style of the page",
        documented=False,
    ),
)

FILES_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/files",
        service="files",
        access=Access.USER,
        summary="Upload a file as form field `file`, or as raw body with X-File-Name",
        status=201,
        scope="files:write",
        request_contents={
            "multipart/form-data": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": _BINARY},
            },
            "*/*": _BINARY,
        },
        parameters=(
            {
                "name": "X-File-Name",
                "in": "header",
                "description": "Name of the file where the body is not a form, percent-encoded",
                "schema": {"type": "string"},
            },
        ),
        answer=files.File,
        body_limit=UPLOAD_BODY_LIMIT,
        streaming=True,
    ),
    Route(
        method="GET",
        path="/v1/files",
        service="files",
        access=Access.USER,
        summary="List your files, newest first",
        scope="files:read",
        answer=Page[files.File],
        parameters=_PAGING,
    ),
    Route(
        method="GET",
        path="/v1/files/{file_id}",
        service="files",
        access=Access.USER,
        summary="Read what is known about a file",
        scope="files:read",
        answer=files.File,
    ),
    Route(
        method="GET",
        path="/v1/files/{file_id}/content",
        service="files",
        access=Access.USER,
        summary="Download a file; ranges and If-None-Match are honoured",
        scope="files:read",
        answer_contents={"*/*": _BINARY},
    ),
    Route(
        method="GET",
        path="/v1/files/{file_id}/variants/{variant}",
        service="files",
        access=Access.USER,
        summary="Download a derived form of an image, such as `thumb`",
        scope="files:read",
        answer_contents={"*/*": _BINARY},
    ),
)

MAIL_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/mail/messages",
        service="mail",
        access=Access.ADMINISTRATOR,
        summary="List the mails that were sent, newest first",
        answer=Page[mail.Message],
        parameters=_PAGING,
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

REALTIME_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/realtime",
        service="realtime",
        # The token is the first frame: browsers cannot set headers on a WebSocket.
        access=Access.PUBLIC,
        summary="Open a WebSocket; the first frame is `auth` with an access token",
        status=101,
        websocket=True,
    ),
    Route(
        method="POST",
        path="/v1/realtime/publish",
        service="realtime",
        access=Access.USER,
        summary="Send a message to everybody on a channel",
        scope="realtime",
        status=202,
        request=realtime.PublishRequest,
        answer=realtime.PublishAccepted,
    ),
)

GATEWAY_ROUTES: Final = (
    Route(
        method="GET",
        path="/healthz",
        service="gateway",
        access=Access.PUBLIC,
        summary="Tell whether the gateway runs",
        answer_contents=_OBJECT,
    ),
    Route(
        method="GET",
        path="/readyz",
        service="gateway",
        access=Access.PUBLIC,
        summary="Tell whether every service is ready; 503 names those that are not",
        answer_contents=_OBJECT,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        service="gateway",
        access=Access.PUBLIC,
        summary="Read this API as an OpenAPI 3.1 document",
        answer_contents=_OBJECT,
    ),
    Route(
        method="GET",
        path="/docs",
        service="gateway",
        access=Access.PUBLIC,
        summary="Read this API as a page",
        answer_contents={"text/html": _TEXT},
    ),
)

ROUTES: Final = AUTH_ROUTES + FILES_ROUTES + MAIL_ROUTES + REALTIME_ROUTES + GATEWAY_ROUTES

SERVICES: Final = tuple(dict.fromkeys(route.service for route in ROUTES))
"""Every service that has public routes, the gateway last."""


def segments(path: str) -> tuple[str | None, ...]:
    """Split a path template into its segments; None stands for a parameter.

    >>> segments("/v1/files/{file_id}/content")
    ('v1', 'files', None, 'content')
    """
    return tuple(None if part.startswith("{") else part for part in path.split("/")[1:])

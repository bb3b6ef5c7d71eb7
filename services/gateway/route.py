"""What one public route says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, Final

from pydantic import BaseModel

DEFAULT_BODY_LIMIT: Final = 1024 * 1024
"""Bytes a request body may have where a route says nothing else."""

UPLOAD_BODY_LIMIT: Final = 5 * 1024**3 + 64 * 1024
"""Bytes of one upload in one request: 5 GiB, the largest object that S3 takes by a single PUT, and
the form around it."""

Json = Mapping[str, Any]
"""A fragment of the OpenAPI document, where a model cannot say it."""

BINARY: Final[Json] = {"type": "string", "format": "binary"}
TEXT: Final[Json] = {"type": "string"}
JSON_OBJECT: Final[Json] = {"application/json": {"type": "object"}}
PAGING: Final[tuple[Json, ...]] = (
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
IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Chosen by you, up to 255 characters: the same request sent again with it gets "
    "the first one's answer, for 24 hours",
    "schema": {"type": "string", "maxLength": 255},
}


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
    `query` is a model of query parameters and `form` one of a body in the form of web pages.
    """

    method: str
    path: str
    service: str
    access: Access
    summary: str
    status: int = 200
    takes_tokens: bool = False
    """Whether a public route serves who brings a token by it; a bad one is refused as elsewhere."""
    scope: str | None = None
    """What an API key must be good for; None where the service itself decides about keys."""
    request: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    always_json: bool = False
    """Whether even a body that says nothing has to be sent, as where a session is opened."""
    request_contents: Json | None = None
    answer: type[BaseModel] | UnionType | None = None
    answer_contents: Json | None = None
    error: type[BaseModel] | None = None
    """The JSON body of its errors where a standard says another than problems."""
    error_contents: Json | None = None
    query: type[BaseModel] | None = None
    parameters: tuple[Json, ...] = ()
    """Other query and header parameters, as OpenAPI says them; those of the path are in it."""
    security: tuple[Json, ...] | None = None
    """What authenticates a call, as OpenAPI says it, where that is not what `access` needs."""
    documented: bool = True
    """False where it serves our own pages alone, and changes with them."""
    body_limit: int = DEFAULT_BODY_LIMIT
    """Bytes; a longer body gets 413 as soon as its length is known."""
    streaming: bool = False
    """Whether nginx passes the body on while it arrives instead of collecting it first."""
    guessable: bool = False
    """Whether calling it often helps to guess a secret: a stricter request limit holds."""
    websocket: bool = False


def segments(path: str) -> tuple[str | None, ...]:
    """Split a path template into its segments; None stands for a parameter.

    >>> segments("/v1/files/{file_id}/content")
    ('v1', 'files', None, 'content')
    """
    return tuple(None if part.startswith("{") else part for part in path.split("/")[1:])

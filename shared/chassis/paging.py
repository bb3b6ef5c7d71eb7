"""Pages of lists: `cursor` and `limit` of a request, and the cursor of the next page.

Cursors are opaque to clients: the last id, or name, of the page before, in base64url.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from uuid import UUID

from starlette.requests import Request

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

DEFAULT_LIMIT: Final = 50
MAXIMUM_LIMIT: Final = 100
_PAGING: Final = ("cursor", "limit")
_BOOLEANS: Final = {"true": True, "false": False}
_MOST_SHOWN: Final = 20
_LONGEST_SHOWN: Final = 100
_UUID_BYTES: Final = 16
_LONGEST_NAME: Final = 400
"""In bytes: a hundred characters of any script."""


class HasId(Protocol):
    """A row that a cursor can name by its id."""

    @property
    def id(self) -> UUID:
        """The row's id."""


class HasName(Protocol):
    """A row that a cursor can name by its name."""

    @property
    def name(self) -> str:
        """The row's name."""


RowT = TypeVar("RowT", bound=HasId)
NamedT = TypeVar("NamedT", bound=HasName)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list ordered by id, newest first, is asked for."""

    before: UUID | None
    """The last row of the page before."""
    limit: int

    @property
    def rows_to_read(self) -> int:
        """One more than the page holds, which tells whether another page follows."""
        return self.limit + 1

    @property
    def parameters(self) -> dict[str, str]:
        """The query that asks another service for this page of its part of the list."""
        cursor = {} if self.before is None else {"cursor": _encoded(self.before.bytes)}
        return {"limit": str(self.limit), **cursor}

    def cut(
        self, rows: Sequence[RowT], *, is_more: bool = False
    ) -> tuple[Sequence[RowT], str | None]:
        """Return the rows of the page and the cursor of the next one.

        `is_more` says that there are rows behind these, which were not read.
        """
        page = rows[: self.limit]
        if not page or not (is_more or len(rows) > self.limit):
            return page, None
        return page, _encoded(page[-1].id.bytes)


@dataclass(frozen=True, slots=True)
class NamedPageQuery:
    """Which page of a list ordered by name is asked for."""

    after: str
    """The last name of the page before; empty on the first one."""
    limit: int

    @property
    def rows_to_read(self) -> int:
        """One more than the page holds, which tells whether another page follows."""
        return self.limit + 1

    @property
    def parameters(self) -> dict[str, str]:
        """The query that asks another service for this page of its part of the list."""
        cursor = {"cursor": _encoded(self.after.encode())} if self.after else {}
        return {"limit": str(self.limit), **cursor}

    def inner_part(self, prefix: str) -> "NamedPageQuery | None":
        """Return the same for a service that knows its names without the prefix."""
        part = self.part(prefix)
        return part and NamedPageQuery(part.after.removeprefix(prefix), self.limit)

    def part(self, prefix: str) -> "NamedPageQuery | None":
        """Return which page of the names with this prefix may hold some of the page asked for.

        None if all of them come before it.
        """
        if self.after.startswith(prefix):
            return self
        return NamedPageQuery("", self.limit) if self.after < prefix else None

    def cut(
        self, rows: Sequence[NamedT], *, is_more: bool = False
    ) -> tuple[Sequence[NamedT], str | None]:
        """Return the rows of the page and the cursor of the next one.

        `is_more` says that there are rows behind these, which were not read.
        """
        page = rows[: self.limit]
        if not page or not (is_more or len(rows) > self.limit):
            return page, None
        return page, _encoded(page[-1].name.encode())


def page_query(request: Request, *filters: str) -> PageQuery:
    """Read `cursor` and `limit` of a list that knows these filters besides.

    Raises Problem `invalid_cursor` or `validation_failed`.
    """
    require_known_query(request, *_PAGING, *filters)
    cursor = request.query_params.get("cursor")
    return PageQuery(_decoded_id(cursor) if cursor else None, _limit(request))


def named_page_query(request: Request, *filters: str) -> NamedPageQuery:
    """Read the same of a list that is ordered by name. Raises Problem as `page_query` does."""
    require_known_query(request, *_PAGING, *filters)
    cursor = request.query_params.get("cursor")
    return NamedPageQuery(_decoded_name(cursor) if cursor else "", _limit(request))


def require_known_query(request: Request, *known: str) -> None:
    """Raise Problem `validation_failed` for a query that names something else than these.

    A filter that is passed over would answer with everything, or do something to everything.
    """
    unknown = [name for name in request.query_params if name not in known]
    if not unknown:
        return
    message = (
        f"There is no such parameter; there are {', '.join(f'`{name}`' for name in sorted(known))}."
        if known
        else "This call takes no parameters in its address."
    )
    errors = [
        FieldError(field=name[:_LONGEST_SHOWN], message=message) for name in unknown[:_MOST_SHOWN]
    ]
    raise Problem(ProblemCode.VALIDATION_FAILED, errors=errors)


def optional_boolean(request: Request, name: str) -> bool | None:
    """Return what a filter says, None without it. Raises Problem unless it is `true` or `false`."""
    text = request.query_params.get(name)
    if not text:
        return None
    if text not in _BOOLEANS:
        fault = FieldError(field=name, message="Give `true` or `false`.")
        raise Problem(ProblemCode.VALIDATION_FAILED, errors=[fault])
    return _BOOLEANS[text]


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    # The slice keeps a text of a million digits from being made a number.
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAXIMUM_LIMIT):
        message = f"Give a number from 1 to {MAXIMUM_LIMIT}."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="limit", message=message)]
        )
    return int(text)


def _encoded(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).rstrip(b"=").decode()


def _decoded(cursor: str) -> bytes:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise Problem(ProblemCode.INVALID_CURSOR) from error


def _decoded_id(cursor: str) -> UUID:
    position = _decoded(cursor)
    if len(position) != _UUID_BYTES:
        raise Problem(ProblemCode.INVALID_CURSOR)
    return UUID(bytes=position)


def _decoded_name(cursor: str) -> str:
    position = _decoded(cursor)
    if not 0 < len(position) <= _LONGEST_NAME or b"\0" in position:
        raise Problem(ProblemCode.INVALID_CURSOR)
    try:
        return position.decode()
    except UnicodeDecodeError as error:
        raise Problem(ProblemCode.INVALID_CURSOR) from error

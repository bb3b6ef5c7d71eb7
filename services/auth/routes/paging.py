"""Pages of lists that are ordered by id, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from starlette.requests import Request

from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 100


class HasId(Protocol):
    """A row that a cursor can name."""

    @property
    def id(self) -> UUID:
        """The row's id."""


RowT = TypeVar("RowT", bound=HasId)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list is asked for."""

    before: UUID | None
    limit: int

    @property
    def rows_to_read(self) -> int:
        """One more than the page holds, which tells whether another page follows."""
        return self.limit + 1

    def cut(self, rows: Sequence[RowT]) -> tuple[Sequence[RowT], str | None]:
        """Return the rows of the page and the cursor of the next one."""
        if len(rows) <= self.limit:
            return rows, None
        return rows[: self.limit], str(rows[self.limit - 1].id)


def page_query(request: Request) -> PageQuery:
    """Read `cursor` and `limit`. Raises a 400 or 422 problem for values that make no sense."""
    cursor = request.query_params.get("cursor")
    try:
        before = UUID(cursor) if cursor else None
    except ValueError as error:
        raise Problem(ProblemCode.INVALID_CURSOR) from error
    limit = request.query_params.get("limit", str(_DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _MAX_LIMIT):
        message = f"Give a number from 1 to {_MAX_LIMIT}."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="limit", message=message)]
        )
    return PageQuery(before, int(limit))

"""The shape of every list."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT]
    next: str | None = Field(description="Cursor of the next page; null on the last one")


class HousePage(Page[ItemT], Generic[ItemT]):
    """One page of a list that several services hold parts of."""

    unreachable: list[str] = Field(
        description="Services that could not be asked: what they hold is missing here"
    )

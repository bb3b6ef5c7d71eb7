"""The statements about mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from services.auth.records import Network
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


COUNTED_FOR: Final = timedelta(days=1)
"""The longest time that any act is counted for."""


class Counted(StrEnum):
    """Acts that are counted for each address."""

    MAIL = "mail"
    """A mail that logs in."""
    SIGNUP = "signup"
    CODE = "code"
    """A wrong one, of a mail that logs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail about an account."""

    purpose: str
    """What redeeming its link does; for a notice, what it tells."""
    email: str
    template: str
    """Of the mail service."""
    lifetime: timedelta
    """For how long the link is good, or the notice worth sending."""
    user_id: UUID | None = None
    """None means whoever has the address when the mail is rendered."""
    template_otherwise: str | None = None
    """For an address without an account, if `user_id` is None; without one no mail is sent.

    It has no link, unless it is the same as `template`: then the link needs no account.
    """
    template_taken: str | None = None
    """Instead, and without the link, if the address belongs to another account than `user_id`."""
    path: str | None = None
    """The page that the link opens; None for a notice."""
    has_code: bool = False
    """Whether the template also shows a code of six digits, for another device."""
    variables: dict[str, str | None] | None = None
    """For the template, besides `name`, `url` and `code`; no secrets."""
    data: dict[str, Any] | None = None
    """For whoever redeems the link; no secrets."""


@dataclass(frozen=True, slots=True)
class TakenLink:
    """A link that has just been spent."""

    id: UUID
    user_id: UUID | None
    email: str
    data: dict[str, Any]


async def insert_mail(
    executor: Executor, mail: Mail, *, link_id: UUID, token_hash: bytes, most: int | None
) -> bool:
    """Remember a mail until it is sent or its link redeemed; False if there are `most` already."""
    inserted = await executor.fetchval(
        SQL["insert_mail"],
        link_id,
        mail.purpose,
        token_hash,
        mail.user_id,
        mail.email,
        mail.template,
        mail.template_otherwise,
        mail.path,
        mail.has_code,
        mail.variables or {},
        mail.data or {},
        mail.lifetime,
        most,
        mail.template_taken,
    )
    return inserted is not None


async def find_link_address(executor: Executor, purpose: str, token_hash: bytes) -> str | None:
    """Return where a link was sent, if it is still good."""
    email: str | None = await executor.fetchval(SQL["find_link_address"], token_hash, purpose)
    return email


async def take_link(executor: Executor, purpose: str, token_hash: bytes) -> TakenLink | None:
    """Spend a link; None if it is spent, expired or of another purpose."""
    row = await executor.fetchrow(SQL["take_link"], token_hash, purpose)
    return None if row is None else TakenLink(**dict(row))


async def discard_links(
    executor: Executor, *, user_id: UUID, email: str, purposes: Sequence[str]
) -> None:
    """Make every link of an account worthless that has one of the purposes."""
    await executor.execute(SQL["discard_links"], user_id, email, list(purposes))


async def count_up(
    executor: Executor, address: bytes, kind: Counted, network: Network, *, window: timedelta
) -> int:
    """Count one more act of a kind, and return how many there were within the window.

    Others who count the same wait until the transaction ends.
    """
    count: int = await executor.fetchval(SQL["count_up"], address, kind.value, network, window)
    return count


async def count_down(executor: Executor, address: bytes, kind: Counted, network: Network) -> None:
    """Take one act back."""
    await executor.execute(SQL["count_down"], address, kind.value, network)


async def count_everywhere(
    executor: Executor, address: bytes, kind: Counted, *, window: timedelta, share: int
) -> int:
    """Return how many acts all networks had, none of them counting for more than its share."""
    count: int = await executor.fetchval(
        SQL["count_everywhere"], address, kind.value, window, share
    )
    return count


async def delete_old_counts(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` counts that have begun anew by now; return how many."""
    tag = await executor.execute(SQL["delete_old_counts"], limit, COUNTED_FOR)
    return int(tag.rpartition(" ")[2])

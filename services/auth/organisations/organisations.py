"""Making, changing and deleting organisations."""

import re
import secrets
import unicodedata
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.access import lock_own_account
from services.auth.audit.log import Action, record
from services.auth.names import clean_name
from services.auth.organisations import store
from services.auth.organisations.access import Act, require, standing
from services.auth.organisations.records import (
    MEMBERSHIPS_AT_MOST,
    NAME_LENGTH,
    OWNED_AT_MOST,
    OrganisationRow,
)
from services.auth.records import Device
from services.auth.revocations import revoke
from shared.chassis.database import ConstraintViolation, Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.outbox import Outbox
from shared.schemas.api.organisations import OrganisationCreate, OrganisationUpdate
from shared.schemas.events.auth import MemberAdded, OrganisationCreated, OrganisationDeleted
from shared.schemas.problems import FieldError, ProblemCode
from shared.schemas.roles import OrganisationRole

_NOT_OF_SLUGS: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_DERIVED_SLUG: Final = 40


class Organisations:
    """Changes organisations, each act logged and told in its own transaction."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def create(
        self, transaction: Transaction, user_id: UUID, request: OrganisationCreate, device: Device
    ) -> OrganisationRow:
        """Make an organisation that a user owns.

        Raises a 409 problem for a slug that is taken and for who has enough organisations, 422 for
        a name that is none.
        """
        name = _name(request.name)
        await _require_room(transaction, user_id)
        row = await _insert(transaction, name, request.slug)
        await store.insert_member(transaction, row.id, user_id, OrganisationRole.OWNER)
        subject = str(row.id)
        await self._outbox.emit(
            transaction,
            OrganisationCreated(organisation_id=row.id, user_id=user_id),
            subject=subject,
        )
        added = MemberAdded(organisation_id=row.id, user_id=user_id, role=OrganisationRole.OWNER)
        await self._outbox.emit(transaction, added, subject=subject)
        await record(
            transaction,
            Action.ORGANISATION_CREATED,
            user_id=user_id,
            device=device,
            organisation_id=subject,
        )
        created = await store.find_organisation(transaction, row.id, user_id)
        assert created is not None  # noqa: S101 - it was made above
        return created

    async def read(self, organisation_id: UUID, identity: Identity) -> OrganisationRow:
        """Return an organisation of the caller's. Raises a 404 problem for a stranger."""
        found = await store.find_organisation(self._database, organisation_id, identity.user_id)
        return _require(found, identity, Act.READ)

    async def change(
        self,
        organisation_id: UUID,
        request: OrganisationUpdate,
        identity: Identity,
        device: Device,
    ) -> OrganisationRow:
        """Change what the request names.

        Raises 404 for a stranger, 403 for a role that is not enough, 409 for a slug that is taken,
        422 for a name that is none.
        """
        async with self._database.transaction() as transaction:
            found = await store.lock_organisation(transaction, organisation_id, identity.user_id)
            row = _require(found, identity, Act.CHANGE)
            name = row.name if request.name is None else _name(request.name)
            slug = request.slug or row.slug
            try:
                await store.change_organisation(transaction, row.id, name=name, slug=slug)
            except ConstraintViolation as violation:
                if violation.constraint != "organisations_slug_key":
                    raise
                raise Problem(ProblemCode.SLUG_TAKEN) from violation
            await record(
                transaction,
                Action.ORGANISATION_CHANGED,
                user_id=identity.user_id,
                device=device,
                organisation_id=str(row.id),
                before={"name": row.name, "slug": row.slug},
                after={"name": name, "slug": slug},
            )
        return await self.read(organisation_id, identity)

    async def delete(self, organisation_id: UUID, identity: Identity, device: Device) -> None:
        """Remove an organisation; sessions that chose it end. Raises as `change` does."""
        async with self._database.transaction() as transaction:
            found = await store.lock_organisation(transaction, organisation_id, identity.user_id)
            row = _require(found, identity, Act.DELETE)
            await revoke(
                transaction,
                self._outbox,
                await store.end_member_sessions(transaction, row.id, user_id=None),
            )
            await store.delete_organisations(transaction, [row.id])
            await self._outbox.emit(
                transaction, OrganisationDeleted(organisation_id=row.id), subject=str(row.id)
            )
            await record(
                transaction,
                Action.ORGANISATION_DELETED,
                user_id=identity.user_id,
                device=device,
                organisation_id=str(row.id),
                name=row.name,
            )


def slug_from(name: str) -> str:
    """Return a slug that resembles a name.

    >>> slug_from("  Müller & Söhne  ")
    'muller-sohne'
    >>> slug_from("株式会社")
    'organisation'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _NOT_OF_SLUGS.sub("-", plain).strip("-")[:_LONGEST_DERIVED_SLUG].strip("-")
    return slug or "organisation"


async def _insert(transaction: Transaction, name: str, slug: str | None) -> OrganisationRow:
    derived = slug_from(name)
    chosen = [slug] if slug is not None else [derived, f"{derived}-{secrets.token_hex(3)}"]
    for candidate in chosen:
        row = await store.insert_organisation(transaction, uuid7(), name=name, slug=candidate)
        if row is not None:
            return row
    raise Problem(ProblemCode.SLUG_TAKEN)


async def _require_room(transaction: Transaction, user_id: UUID) -> None:
    # The account is locked, so that of many requests at once none counts too few.
    await lock_own_account(transaction, user_id)
    memberships = await store.count_memberships(transaction, user_id)
    if memberships.owned >= OWNED_AT_MOST or memberships.total >= MEMBERSHIPS_AT_MOST:
        raise Problem(ProblemCode.ORGANISATIONS_FULL)


def _require(found: OrganisationRow | None, identity: Identity, act: Act) -> OrganisationRow:
    if found is None:
        raise Problem(ProblemCode.ORGANISATION_NOT_FOUND)
    require(standing(identity, found.role), act)
    return found


def _name(name: str) -> str:
    cleaned = clean_name(name, most=NAME_LENGTH)
    if cleaned is None:
        message = "A name has at least one character."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)]
        )
    return cleaned

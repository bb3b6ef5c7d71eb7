"""Making, changing and deleting roles, and giving only those that there are."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from services.auth.audit.log import Action, record
from services.auth.records import Device
from services.auth.roles import store
from services.auth.roles.store import RoleRow
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.schemas.api.roles import RolePut
from shared.schemas.problems import FieldError, ProblemCode

ROLES_AT_MOST: Final = 200
TOKEN_CHARACTERS: Final = 2048
"""For the names of roles and permissions in one access token, which has 4096 for everything."""
_BETWEEN_NAMES: Final = 3


class Roles:
    """Says what the holders of roles may do.

    A change stands in the access token that a session gets by its next refresh, so everywhere
    within a quarter of an hour.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, request: RolePut, by: UUID, device: Device) -> RoleRow:
        """Make a role or replace what it allows.

        Raises a 409 problem for a built-in role, for too many roles, and where the names of
        somebody's roles and permissions would not fit into a token any more.
        """
        permissions = sorted(set(request.permissions))
        async with self._database.transaction() as transaction:
            await store.lock_making_roles(transaction)
            before = await store.lock_role(transaction, name)
            if before is None and await store.count_roles(transaction) >= ROLES_AT_MOST:
                raise Problem(ProblemCode.ROLES_FULL)
            _require_changeable(before)
            role = await store.put_role(
                transaction, name, description=request.description, permissions=permissions
            )
            if _characters([name, *permissions]) > TOKEN_CHARACTERS or (
                await store.is_too_much_for_a_token(transaction, role=name, most=TOKEN_CHARACTERS)
            ):
                raise Problem(ProblemCode.PERMISSIONS_FULL)
            await record(
                transaction,
                Action.ROLE_CHANGED,
                user_id=None,
                actor_id=by,
                device=device,
                role=name,
                before=None if before is None else list(before.permissions),
                after=permissions,
            )
        return role

    async def delete(self, name: str, by: UUID, device: Device) -> None:
        """Remove a role that nobody has.

        Raises a 404 problem, and 409 for a built-in one and while some account has it.
        """
        async with self._database.transaction() as transaction:
            role = await store.lock_role(transaction, name)
            if role is None:
                raise Problem(ProblemCode.ROLE_NOT_FOUND)
            _require_changeable(role)
            if await store.is_role_held(transaction, name):
                raise Problem(ProblemCode.ROLE_IN_USE)
            await store.delete_role(transaction, name)
            await record(
                transaction,
                Action.ROLE_DELETED,
                user_id=None,
                actor_id=by,
                device=device,
                role=name,
                before=list(role.permissions),
            )


async def require_known(transaction: Transaction, names: Sequence[str]) -> None:
    """Raise a 422 problem that names the roles which there are not.

    The others neither go nor change until the transaction ends.
    """
    known = await store.keep_roles(transaction, names)
    errors = [
        FieldError(field="roles", message=f"There is no role `{name}`; make it first.")
        for name in names
        if name not in known
    ]
    if errors:
        raise Problem(ProblemCode.VALIDATION_FAILED, errors=errors)


async def require_fitting(transaction: Transaction, user_id: UUID) -> None:
    """Raise a 409 problem if an account's roles and permissions do not fit into a token."""
    if await store.is_too_much_for_a_token(transaction, user_id=user_id, most=TOKEN_CHARACTERS):
        raise Problem(ProblemCode.PERMISSIONS_FULL)


def _characters(names: Iterable[str]) -> int:
    return sum(len(name) + _BETWEEN_NAMES for name in names)


def _require_changeable(role: RoleRow | None) -> None:
    if role is not None and role.is_built_in:
        raise Problem(ProblemCode.ROLE_BUILT_IN)

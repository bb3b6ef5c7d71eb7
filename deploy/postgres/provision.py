"""Gives every service its role and its schema in the database, again and again the same."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import LauncherError
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


async def provision(url: str, passwords: Mapping[str, str], *, embedded: bool) -> None:
    """Make a role `freehold_<service>` that owns the schema `<service>`, for each service.

    A role has no rights on another's schema. In the embedded server the database of the address
    is made first; what an external database's public schema holds is not ours to close.
    Idempotent. Raises LauncherError if the given role may not create roles.
    """
    if embedded:
        await _create_database(url)
    connection = await asyncpg.connect(url)
    try:
        for service, password in passwords.items():
            await connection.execute(SQL["name_service"], service, password)
            await connection.execute(SQL["provision_service"])
        if embedded:
            await connection.execute(SQL["close_public_schema"])
    except asyncpg.InsufficientPrivilegeError as error:
        raise LauncherError(
            f"The role of FREEHOLD_POSTGRES_URL may not do what is needed: {error}.\n"
            "Next: give it CREATEROLE and CREATE on its database, then run `./freehold up`."
        ) from error
    finally:
        await connection.close()


async def _create_database(url: str) -> None:
    address = urlsplit(url)
    database = address.path.removeprefix("/")
    connection = await asyncpg.connect(urlunsplit(address._replace(path="/postgres")))
    try:
        if not await connection.fetchval(SQL["database_exists"], database):
            statement = await connection.fetchval(SQL["create_database_statement"], database)
            await connection.execute(statement)
    finally:
        await connection.close()

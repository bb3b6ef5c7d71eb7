"""Gives every service its role and its schema in the database, again and again the same."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import LauncherError
from deploy.local.external import CONNECT_TIMEOUT_SECONDS, unusable
from shared.chassis.queries import load_queries
from shared.chassis.reachability import server_of, why_unreachable

SQL = load_queries(__file__)
VARIABLE = "FREEHOLD_POSTGRES_URL"
DEFAULT_PORT = 5432


async def provision(url: str, passwords: Mapping[str, str], *, embedded: bool) -> None:
    """Make a role `freehold_<service>` that owns the schema `<service>`, for each service.

    A role has no rights on another's schema. In the embedded server the database of the address
    is made first; what an external database's public schema holds is not ours to close.
    Idempotent. Raises LauncherError if an external server cannot be used, or if the given role may
    not create roles.
    """
    if embedded:
        await _create_database(url)
        connection = await asyncpg.connect(url)
    else:
        connection = await _connect_to_external(url)
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


async def _connect_to_external(url: str) -> Any:
    try:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_SECONDS)
    except asyncpg.InvalidPasswordError:
        what = "refuses the user or the password"
    except asyncpg.InvalidCatalogNameError as error:
        what = f"does not have that database: {error}"
    except asyncpg.PostgresError as error:
        what = f"does not let us in: {error}"
    except (asyncpg.InterfaceError, OSError) as error:
        what = why_unreachable(error) or f"cannot be used: {error}"
    raise unusable(VARIABLE, server_of(url, DEFAULT_PORT), what)


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

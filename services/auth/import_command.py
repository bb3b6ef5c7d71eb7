"""`python -m services.auth import-users FILE`: add accounts from another system."""

import asyncio
import sys
from pathlib import Path

from services.auth.settings import AuthSettings
from services.auth.user_import import BadLine, import_accounts, read_line
from shared.chassis.database import Database

_EXIT_FAILED = 1
_EXIT_USAGE = 2


async def import_users(settings: AuthSettings, arguments: list[str]) -> int:
    """Read a file of JSON lines, tell every bad one, and add the accounts if there is none.

    Returns the exit status: 0 when done, 1 for bad lines, of which nothing is imported, 2 for
    wrong arguments.
    """
    if len(arguments) != 1 or not await asyncio.to_thread(Path(arguments[0]).is_file):
        sys.stderr.write(
            "Give one file with a JSON object on each line: email, email_verified, and if they are "
            "known password_hash, name, created_at.\n"
        )
        return _EXIT_USAGE
    accounts = []
    bad = 0
    lines = await asyncio.to_thread(Path(arguments[0]).read_text, "utf-8")
    for number, text in enumerate(lines.splitlines(), 1):
        try:
            accounts.append(read_line(text))
        except BadLine as error:
            bad += 1
            sys.stderr.write(f"line {number}: {error}\n")
    if bad:
        sys.stderr.write(f"{bad} lines are wrong; nothing was imported. Mend or remove them.\n")
        return _EXIT_FAILED
    database = Database(settings, "auth")
    await database.start()
    try:
        added = await import_accounts(database, accounts)
    finally:
        await database.stop()
    sys.stdout.write(f"{added} accounts added, {len(accounts) - added} were there already\n")
    return 0

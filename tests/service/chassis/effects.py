"""What a handler leaves behind: rows in the table `effects`."""

from tests.service.chassis.conftest import Messaging

INSERT = "INSERT INTO effects (key) VALUES ($1)"


async def effects(messaging: Messaging) -> list[str]:
    rows = await messaging.database.fetch("SELECT key FROM effects ORDER BY position")
    return [row["key"] for row in rows]

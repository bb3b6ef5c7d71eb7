"""How many ended jobs a queue keeps."""

from uuid import uuid4

from shared.chassis.jobs.administration.queues import QueueAdministration
from shared.chassis.jobs.housekeeping import JobHousekeeping
from shared.schemas.api.jobs import QueueSettingsUpdate
from tests.service.chassis.conftest import Messaging

INSERT_ENDED = """
    INSERT INTO jobs (id, queue, kind, payload, state, max_attempts, run_at, finished_at)
    SELECT gen_random_uuid(), $1, 'any', jsonb_build_object('age', age), state, 3, now(),
           now() - age * interval '1 minute'
      FROM unnest(ARRAY['completed', 'failed', 'cancelled']) AS state,
           generate_series(1, $2) AS age
"""


async def kept(messaging: Messaging, queue: str = "tests") -> dict[str, tuple[int, int]]:
    """Return of each state how many there are and the age of the oldest."""
    rows = await messaging.database.fetch(
        "SELECT state, count(*) AS kept, max((payload ->> 'age')::int) AS oldest"
        "  FROM jobs WHERE queue = $1 GROUP BY state",
        queue,
    )
    return {row["state"]: (row["kept"], row["oldest"]) for row in rows}


async def test_the_newest_hundred_completed_and_fifty_failed_stay(messaging: Messaging) -> None:
    await messaging.database.execute(INSERT_ENDED, "tests", 130)
    await messaging.database.execute(INSERT_ENDED, "other", 130)
    await JobHousekeeping(messaging.database, messaging.lifecycle).prune("tests")
    assert await kept(messaging) == {
        "completed": (100, 100),
        "failed": (50, 50),
        "cancelled": (50, 50),
    }
    assert (await kept(messaging, "other"))["completed"] == (130, 130)


async def test_a_queue_may_keep_more_or_none(messaging: Messaging) -> None:
    queues = QueueAdministration(messaging.database)
    housekeeping = JobHousekeeping(messaging.database, messaging.lifecycle)
    await messaging.database.execute(INSERT_ENDED, "tests", 130)
    await queues.configure("tests", QueueSettingsUpdate(keep_completed=120))
    await housekeeping.prune("tests")
    assert (await kept(messaging))["completed"] == (120, 120)
    await queues.configure("tests", QueueSettingsUpdate(keep_completed=0, keep_failed=0))
    await housekeeping.prune("tests")
    assert await kept(messaging) == {}


async def test_more_than_a_batch_is_dropped(messaging: Messaging) -> None:
    await messaging.database.execute(INSERT_ENDED, "tests", 4000)
    await JobHousekeeping(messaging.database, messaging.lifecycle).prune("tests")
    assert sum(count for count, _ in (await kept(messaging)).values()) == 200


async def test_what_waits_runs_or_holds_its_key_stays(messaging: Messaging) -> None:
    queues = QueueAdministration(messaging.database)
    await queues.configure("tests", QueueSettingsUpdate(keep_completed=0, keep_failed=0))
    held = uuid4()
    await messaging.database.execute(
        "INSERT INTO jobs (id, queue, kind, payload, state, max_attempts, run_at, finished_at,"
        " unique_key, unique_until) VALUES"
        " ($1, 'tests', 'any', '{}', 'completed', 3, now(), now(), 'a', now() + interval '1 h'),"
        " (gen_random_uuid(), 'tests', 'any', '{}', 'failed', 3, now(), now(), 'b', now()),"
        " (gen_random_uuid(), 'tests', 'any', '{}', 'scheduled', 3, now(), NULL, NULL, NULL),"
        " (gen_random_uuid(), 'tests', 'any', '{}', 'queued', 3, now(), NULL, NULL, NULL)",
        held,
    )
    await JobHousekeeping(messaging.database, messaging.lifecycle).prune("tests")
    rows = await messaging.database.fetch("SELECT id, state FROM jobs ORDER BY state")
    assert [row["state"] for row in rows] == ["completed", "queued", "scheduled"]
    assert rows[0]["id"] == held

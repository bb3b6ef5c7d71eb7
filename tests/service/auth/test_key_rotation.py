"""The signing key changes and nobody notices."""

from datetime import timedelta
from typing import Any

import jwt

from services.auth.key_rotation import KeyRotation, RotateSigningKeys
from services.auth.master_key import MasterKey
from services.auth.signing_keys import KeyRing
from shared.chassis.database import Database
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.running import RunningJob
from tests.service.auth.auth_service import AuthService, bearer, running

LIFETIME = timedelta(days=90)
ENQUEUED = """UPDATE jobs SET state = 'running', worker = 'tests',
                              lease_until = now() + interval '1 minute'
               WHERE id = $1"""


async def rotate(auth: AuthService) -> None:
    """Run the job once, as the worker would."""
    async with auth.database.transaction() as transaction:
        queued = await JobQueue(None).enqueue(transaction, RotateSigningKeys())
        await transaction.execute(ENQUEUED, queued.job_id)
    ring = KeyRing(auth.database, MasterKey(auth.settings.master_key))
    job: RunningJob[Any] = RunningJob(
        auth.database, job_id=queued.job_id, command=RotateSigningKeys(), attempt=1, worker="tests"
    )
    await KeyRotation(ring, lifetime=LIFETIME).rotate(job)


async def age(database: Database, interval: str) -> None:
    await database.execute(
        "UPDATE signing_keys SET activates_at = activates_at - $1::text::interval,"
        " retires_at = retires_at - $1::text::interval",
        interval,
    )


async def published(auth: AuthService) -> list[str]:
    answer = await auth.client.get("/.well-known/jwks.json")
    return [key["kid"] for key in answer.json()["keys"] if key["alg"] == "ES256"]


def signed_by(session: dict[str, Any]) -> str:
    key_id: str = jwt.get_unverified_header(session["access_token"])["kid"]
    return key_id


async def test_a_young_key_is_left_alone(auth: AuthService) -> None:
    before = await published(auth)
    await rotate(auth)
    assert await published(auth) == before


async def test_a_new_key_is_published_before_it_signs_and_the_old_one_after(
    auth: AuthService,
) -> None:
    session = await auth.register("ada@example.com")
    [old] = await published(auth)
    await age(auth.database, "91 days")

    await rotate(auth)
    await rotate(auth)  # once is enough

    async with running(auth.database, auth.settings) as restarted:
        [new, still_old] = await published(restarted)
        assert still_old == old
        assert signed_by((await restarted.log_in("ada@example.com")).json()) == old

    await age(auth.database, "16 minutes")
    async with running(auth.database, auth.settings) as restarted:
        renewed = (await restarted.refresh(session["refresh_token"])).json()
        assert signed_by(renewed) == new
        for held in (session, renewed):
            answer = await restarted.client.get("/v1/auth/me", headers=bearer(held))
            assert answer.status_code == 200

    await age(auth.database, "8 days")
    await rotate(auth)
    async with running(auth.database, auth.settings) as restarted:
        assert await published(restarted) == [new]
    await auth.database.execute("TRUNCATE signing_keys")


async def test_a_process_that_has_not_read_the_new_key_looks_it_up(auth: AuthService) -> None:
    await auth.register("ada@example.com")
    await age(auth.database, "91 days")
    await rotate(auth)
    await age(auth.database, "16 minutes")
    async with running(auth.database, auth.settings) as newer:
        session = (await newer.log_in("ada@example.com")).json()

    answer = await auth.client.get("/v1/auth/me", headers=bearer(session))

    assert answer.status_code == 200
    await auth.database.execute("TRUNCATE signing_keys")

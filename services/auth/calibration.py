"""How hard hashing a password is on this machine: measured once, at the first start."""

import asyncio
import logging
import math
import time
from typing import Final

from services.auth import store
from services.auth.passwords import hash_password
from shared.chassis.database import Executor

logger = logging.getLogger(__name__)

TARGET_SECONDS: Final = 0.25
"""For one hash: what a person who logs in does not notice, and who guesses does."""
LOWEST: Final = 11
"""A slow machine makes hashes no cheaper than that to crack on a fast one."""
HIGHEST: Final = 14
_PROBE_COST: Final = 8
_PROBES: Final = 5


async def password_cost(executor: Executor, chosen: int | None) -> int:
    """Return the work factor: the operator's, or what was measured at the first start.

    Of several processes that start at once, all use what the first of them has written.
    """
    if chosen is not None:
        return chosen
    known = await store.find_password_cost(executor)
    if known is not None:
        return known
    seconds = await asyncio.to_thread(_probe)
    cost = await store.keep_password_cost(executor, cost_for(seconds))
    logger.info(
        "the work factor of password hashes was measured",
        extra={"action": "password_cost_measured", "cost": cost},
    )
    return cost


def cost_for(probe_seconds: float) -> int:
    """Return the work factor whose hash comes nearest to the target, by the time of a cheap one.

    >>> cost_for(0.015625)
    12
    """
    steps = round(math.log2(TARGET_SECONDS / probe_seconds))
    return min(max(_PROBE_COST + steps, LOWEST), HIGHEST)


def _probe() -> float:
    # The quickest of some: whatever else the machine does can only make one slower.
    return min(_time_of_one() for _ in range(_PROBES))


def _time_of_one() -> float:
    started = time.perf_counter()
    hash_password(b"a password", _PROBE_COST)
    return time.perf_counter() - started

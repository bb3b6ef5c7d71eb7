"""Waiting for what happens elsewhere, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

PATIENCE_SECONDS = 60.0
"""For what takes a moment. Nothing comes of waiting longer but a pass on a slow machine."""


async def eventually(
    condition: Callable[[], Awaitable[Any]], expected: Any, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until the condition gives what is expected."""
    value = None
    try:
        async with asyncio.timeout(seconds):
            while (value := await condition()) != expected:
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"expected {expected!r}, the last value was {value!r}")

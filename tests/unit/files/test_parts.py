"""Cutting a stream into parts."""

import hashlib
from collections.abc import AsyncIterator

import pytest

from services.files.parts import PART_BYTES, PartReader


async def stream(size: int, chunk: int) -> AsyncIterator[bytes]:
    while size:
        yield bytes(min(size, chunk))
        size -= min(size, chunk)


@pytest.mark.parametrize("chunk", [65_536, 3_000_001, 20 * 1024**2])
@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, [0]),
        (1, [1]),
        (PART_BYTES - 1, [PART_BYTES - 1]),
        (PART_BYTES, [PART_BYTES]),
        (PART_BYTES + 1, [PART_BYTES, 1]),
        (2 * PART_BYTES, [PART_BYTES, PART_BYTES]),
    ],
)
async def test_only_the_last_part_is_shorter(size: int, chunk: int, parts: list[int]) -> None:
    reader = PartReader(stream(size, chunk))
    head = await reader.head(10)
    read = [await reader.read()]
    while not read[-1].last:
        read.append(await reader.read())

    assert head == bytes(min(size, 10))
    assert [part.size for part in read] == parts
    assert [len(part.body.getvalue()) for part in read] == parts
    assert [part.sha256 for part in read] == [
        hashlib.sha256(bytes(each)).digest() for each in parts
    ]
    assert (reader.size, reader.sha256) == (size, hashlib.sha256(bytes(size)).digest())

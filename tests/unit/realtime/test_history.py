"""The ring: bounded by age, count and bytes, and never a part of what was asked for."""

import pytest

from services.realtime import history
from services.realtime.frames import ServerFrame
from services.realtime.history import ENTRY_OVERHEAD_BYTES, History, Position

PLENTY = 10**9


def frame(offset: int, size: int = 10) -> ServerFrame:
    return ServerFrame(str(offset), size)


def filled(ring: History, offsets: range, channel: str = "room:r", size: int = 10) -> History:
    ring.restart("e")
    for offset in offsets:
        ring.advance(offset)
        ring.add(offset, channel, frame(offset, size))
    return ring


def recovered(ring: History, offset: int, **more: object) -> list[str] | None:
    values = {"until": ring.tail, "limit_bytes": PLENTY, **more}
    found = ring.after(Position("e", offset), "room:r", **values)  # type: ignore[arg-type]
    return None if found is None else [frame.text for frame in found]


def ring(*, seconds: float = 60, messages: int = 1000, size: int = PLENTY) -> History:
    return History(seconds=seconds, messages=messages, size=size)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (8, None),  # 9 may have been a message
        (9, ["10", "11", "12"]),
        (10, ["11", "12"]),
        (12, []),
        (13, None),  # nobody has come so far
    ],
)
def test_what_is_complete(offset: int, expected: list[str] | None) -> None:
    assert recovered(filled(ring(), range(10, 13)), offset) == expected


def test_another_epoch_is_never_complete() -> None:
    full = filled(ring(), range(3))
    assert full.after(Position("f", 1), "room:r", until=2, limit_bytes=PLENTY) is None


def test_before_anything_was_read_nothing_is_complete() -> None:
    empty = ring()
    empty.restart("e")
    assert recovered(empty, 0) is None
    assert recovered(empty, -1) is None


def test_other_channels_and_empty_offsets_do_not_matter() -> None:
    full = filled(ring(), range(5))
    full.advance(5)
    full.advance(7)
    assert recovered(full, 4) == []
    assert full.after(Position("e", 0), "room:s", until=7, limit_bytes=PLENTY) == []


def test_only_up_to_where_it_came_live() -> None:
    assert recovered(filled(ring(), range(10)), 2, until=5) == ["3", "4", "5"]


def test_what_does_not_fit_is_not_begun() -> None:
    full = filled(ring(), range(10), size=100)
    assert recovered(full, 7, limit_bytes=200) == ["8", "9"]
    assert recovered(full, 6, limit_bytes=200) is None


def test_bounded_by_count() -> None:
    full = filled(ring(messages=3), range(10))
    assert recovered(full, 6) == ["7", "8", "9"]
    assert recovered(full, 5) is None


def test_bounded_by_bytes() -> None:
    full = filled(ring(size=3 * (100 + ENTRY_OVERHEAD_BYTES)), range(10), size=100)
    assert recovered(full, 6) == ["7", "8", "9"]
    assert recovered(full, 5) is None


def test_bounded_by_age(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(history.time, "monotonic", lambda: clock[0])
    full = filled(ring(seconds=60), range(3))
    clock[0] += 61
    full.advance(3)
    assert recovered(full, 2) == []
    assert recovered(full, 1) is None


def test_a_loss_forgets_all_before_it() -> None:
    full = filled(ring(), range(3))
    full.skip_to(100)
    full.advance(100)
    assert recovered(full, 2) is None
    assert recovered(full, 98) is None
    assert recovered(full, 99) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0123456789ab-5", Position("0123456789ab", 5)),
        ("a-b-5", Position("a-b", 5)),
        ("", None),
        ("5", None),
        ("e-", None),
        ("e-x", None),
        ("e-٣", None),
        ("e--1", Position("e-", 1)),
        ("e-" + "9" * 18, Position("e", 10**18 - 1)),
        ("e-" + "9" * 19, None),
    ],
)
def test_positions(text: str, expected: Position | None) -> None:
    assert Position.parse(text) == expected
    if expected is not None:
        assert str(expected) == text

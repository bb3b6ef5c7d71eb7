"""Names of channels and who may use them."""

from uuid import UUID

import pytest

from services.realtime.channels import Channel, is_event_name, require_channel
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity

ADA = UUID("01940000-0000-7000-8000-00000000000a")
IDENTITY = Identity(ADA, ADA, frozenset(), None, 0)


@pytest.mark.parametrize(
    "name",
    ["room:a", "room:A1_.:@/+-z", "room:" + "x" * 128, "user:01940000-0000-7000-8000-00000000000a"],
)
def test_names_of_channels(name: str) -> None:
    assert Channel.parse(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "", "room", "room:", "room: a", "room:.hidden", "room:ä", "room:a\n", "room:" + "x" * 129,
        "ROOM:a", "user:", "user:ada", "user:01940000-0000-7000-8000-00000000000A",
        "user:{01940000-0000-7000-8000-00000000000a}", "user:0194000000007000800000000000000a",
        "presence:a",
    ],
)  # fmt: skip
def test_what_is_no_channel(name: str) -> None:
    with pytest.raises(Problem, match="channel_invalid"):
        Channel.parse(name)


def test_a_user_uses_rooms_and_the_own_channel_only() -> None:
    assert require_channel(IDENTITY, "room:a").user_id is None
    assert require_channel(IDENTITY, f"user:{ADA}") == Channel.of_user(ADA)
    with pytest.raises(Problem, match="channel_forbidden"):
        require_channel(IDENTITY, "user:01940000-0000-7000-8000-00000000000b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("file.ready", True), ("Said", True), ("a/b:c-d_e", True), ("x" * 100, True), ("", False),
     ("x" * 101, False), ("a b", False), ("a\n", False), (".a", False), ("ä", False)],
)  # fmt: skip
def test_names_of_events(text: str, expected: bool) -> None:  # noqa: FBT001 - one column of a table
    assert is_event_name(text) is expected

"""Which scopes there are."""

import doctest

import pytest

from shared.schemas import scopes
from shared.schemas.scopes import require_known


def test_the_examples_are_true() -> None:
    assert doctest.testmod(scopes).failed == 0


@pytest.mark.parametrize(
    "scope",
    [
        *("files:read", "files:write", "realtime", "jobs", "events"),
        *("jobs:orders", "jobs:orders:enqueue", "jobs:orders:work", "events:order"),
        # A queue may have any name, also one that means something elsewhere.
        *("jobs:work", "jobs:work:work", f"jobs:{'q' * 63}:enqueue", f"events:{'n' * 63}"),
    ],
)
def test_what_a_key_can_be_made_for(scope: str) -> None:
    assert require_known(scope) == scope


@pytest.mark.parametrize(
    ("scope", "nearest"),
    [
        ("files:reed", "files:read"),
        ("files", "files:read"),
        ("realtime:publish", "realtime"),
        ("job:orders:work", "jobs:orders:work"),
        ("jobs:orders:works", "jobs:orders:work"),
        ("jobs:orders:*", "jobs:orders"),
        ("jobs:<queue>", None),
        ("jobs:mail.send", "jobs"),
        ("events:order.paid", "events"),
        (f"events:{'n' * 64}", None),
        ("admin", None),
        ("*", None),
    ],
)
def test_what_none_can_be_made_for(scope: str, nearest: str | None) -> None:
    with pytest.raises(ValueError, match=r"^there is no scope `") as caught:
        require_known(scope)
    message = str(caught.value)
    assert f"`{scope}`" in message
    if nearest is not None:
        assert f"`{nearest}`" in message

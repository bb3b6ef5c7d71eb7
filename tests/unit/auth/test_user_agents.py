"""What devices are called, and what of a header decides that it is the same program."""

import pytest

from services.auth.user_agents import device_name, family

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
_WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Firefox on Linux",
        ),
        (_WINDOWS, "Chrome on Windows"),
        (f"{_WINDOWS} Edg/142.0.0.0", "Edge on Windows"),
        (f"{_WINDOWS} OPR/126.0.0.0", "Opera on Windows"),
        (
            f"{_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            f"{_IPHONE} (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"{_IPHONE} (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 16; Pixel 9) {_WEBKIT} Chrome/142.0 Mobile Safari/537",
            "Chrome on Android",
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36",
            "Chrome on ChromeOS",
        ),
        ("curl/8.9.1", "curl"),
        ("python-httpx/0.28.1", "an unknown program"),
        ("win at https://casino.example now, on Linux", "an unknown program on Linux"),
        ("", "an unknown program"),
        (None, "an unknown program"),
    ],
)
def test_a_device_has_a_readable_name_of_our_own_words(user_agent: str | None, name: str) -> None:
    assert device_name(user_agent) == name


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (_WINDOWS, _WINDOWS.replace("142", "143"), True),
        (_WINDOWS, f"{_WINDOWS} Edg/142.0.0.0", False),
        (_WINDOWS, _WINDOWS.replace("Windows NT 10.0", "X11; Linux"), False),
        ("acme-sync/1.0", "acme-sync/2.1", True),
        ("acme-sync/1.0", "other-sync/1.0", False),
        ("", None, True),
        ("x" * 40 + "a", "x" * 40 + "b", True),
    ],
)
def test_an_update_does_not_make_another_program(
    one: str | None,
    other: str | None,
    same: bool,  # noqa: FBT001
) -> None:
    assert (family(one) == family(other)) is same

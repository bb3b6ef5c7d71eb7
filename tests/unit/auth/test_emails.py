"""One spelling for each address, and none that mail cannot reach."""

import pytest

from services.auth.emails import InvalidEmailError, normalise_email


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada.Lovelace+Tag@EXAMPLE.com ", "ada.lovelace+tag@example.com"),
        ("\uff41da@example.com", "ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("admin@localhost", "admin@localhost"),
    ],
)
def test_spellings_of_one_address_become_one(typed: str, stored: str) -> None:
    assert normalise_email(typed) == stored
    assert normalise_email(stored) == stored
    assert stored.isascii()


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.com",
        "ada@example",
        "ada@example..com",
        "ada@example.com.",
        "ada@-example.com",
        "ada lovelace@example.com",
        "ada..l@example.com",
        ".ada@example.com",
        "ada@eve@example.com",
        "ada@example.com\nbcc:eve@example.com",
        "ada\x00@example.com",
        "<ada@example.com>",
        "ada@[127.0.0.1]",
        "ädä@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + ".com",
    ],
)
def test_what_mail_cannot_reach_is_refused(typed: str) -> None:
    with pytest.raises(InvalidEmailError):
        normalise_email(typed)

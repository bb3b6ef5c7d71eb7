"""A password that is tried first is refused; one that only holds such words is not."""

import pytest

from services.auth.common_passwords import _WORDS, is_common

CONTEXT = ("ada.lovelace", "lovelace", "Ada", "freehold")


@pytest.mark.parametrize(
    "password",
    [
        *("password", "Password1", "P@ssw0rd!", "passwordpassword", "!!!dragon99", "iloveyou1"),
        *("12345678", "87654321", "11111111", "abcabcabc", "1q2w3e4r", "zaq12wsx", "qwertyuiop"),
        *("Summer2026!", "19900101", "31.12.1999", "lovelace1", "Freehold2026", "ada.lovelace!"),
        *("!!!!!!!!", "m1chael77"),
    ],
)
def test_what_is_tried_first_is_common(password: str) -> None:
    assert is_common(password, CONTEXT)


@pytest.mark.parametrize(
    "password",
    [
        *(
            "correct horse battery staple",
            "kx92-plm3-qq",
            "purple monkey dishwasher",
            "Tr0ub4dor&3",
        ),
        *("lovelace and the engine", "пароль из четырёх слов", "Å in one code point"),
    ],
)
def test_what_is_made_of_several_words_is_not(password: str) -> None:
    assert not is_common(password, CONTEXT)


def test_the_list_stands_for_far_more_than_the_three_thousand_that_asvs_asks_for() -> None:
    ends = [str(year) for year in range(1950, 2030)]
    assert all(is_common(f"{word}{end}") for word in sorted(_WORDS)[::50] for end in ends)
    assert len(_WORDS) * len(ends) > 3000 * 10

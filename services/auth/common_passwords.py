"""Which passwords an attacker tries first."""

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

_WORDS: Final = frozenset(
    word
    for line in Path(__file__).with_name("common_words.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for word in line.split()
)
_LOOK_ALIKES: Final = str.maketrans("013457@$!|8+", "oieastasilbt")
_WALKS: Final = (
    *("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm"),
    *("abcdefghijklmnopqrstuvwxyz", "01234567890", "1q2w3e4r5t6y7u8i9o0p"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "q1w2e3r4t5y6u7i8o9p0"),
    *("zaq12wsxcde34rfvbgt56yhn", "1234qwerasdfzxcv"),
)
_DATES: Final = ("%d%m%Y", "%m%d%Y", "%Y%m%d")
_SHORTEST_CONTEXT_WORD: Final = 4
_LONGEST_PATTERN: Final = 4


def is_common(password: str, context: Iterable[str] = ()) -> bool:
    """Tell whether a password is nothing but a common one, or one made of the context.

    Cases, digits and signs around it, look-alikes such as `0` for `o`, and repetition make no
    other password of it. Several words in a row do. `context` are words that belong to the account
    and the service, such as the user's name.
    """
    lowered = password.lower()
    compact = re.sub(r"[\W_]", "", lowered) or lowered
    if _is_pattern(compact) or _is_date(compact):
        return True
    words = _WORDS | {word.lower() for word in context if len(word) >= _SHORTEST_CONTEXT_WORD}
    bare = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", lowered)
    return any(
        _is_word(form, words)
        for form in (lowered, lowered.translate(_LOOK_ALIKES), bare.translate(_LOOK_ALIKES))
    )


def _is_word(text: str, words: frozenset[str]) -> bool:
    for core in (re.sub(r"[\W_]", "", text), re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)):
        if core in words:
            return True
        half, odd = divmod(len(core), 2)
        if not odd and core[:half] == core[half:] and core[:half] in words:
            return True
    return False


def _is_pattern(text: str) -> bool:
    """Tell repetition, and walks over the keyboard or the alphabet, there or back."""
    for size in range(1, _LONGEST_PATTERN + 1):
        pattern = text[:size]
        if text and (pattern * (len(text) // size + 1))[: len(text)] == text:
            return True
    return any(text and text in walk * 2 for line in _WALKS for walk in (line, line[::-1]))


def _is_date(text: str) -> bool:
    for form in _DATES:
        try:
            datetime.strptime(text, form)  # noqa: DTZ007 - a day of the calendar, not a moment
        except ValueError:
            continue
        return True
    return False

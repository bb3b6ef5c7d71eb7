"""What a person calls the program and the machine behind a `User-Agent` header."""

import re
from typing import Final

_UNKNOWN_PROGRAM: Final = "an unknown program"
_LONGEST_PRODUCT: Final = 40

# The order decides: nearly every browser also names those it wants to be taken for.
_PROGRAMS: Final = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera)/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Vivaldi", re.compile(r"\bVivaldi/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS|HeadlessChrome)/")),
    ("Chromium", re.compile(r"\bChromium/")),
    ("Safari", re.compile(r"\bVersion/[\d.]+ .*\bSafari/")),
    ("curl", re.compile(r"^curl/")),
)
_SYSTEMS: Final = (
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("macOS", re.compile(r"\b(?:Macintosh|Mac OS X)\b")),
    ("Linux", re.compile(r"\b(?:Linux|X11)\b")),
)
_PRODUCT: Final = re.compile(r"[A-Za-z0-9._-]+")


def device_name(user_agent: str | None) -> str:
    """Return a name such as "Firefox on Linux", made of our words alone.

    It goes into mails: nothing of what a stranger wrote into the header is in it.
    """
    program = _first(_PROGRAMS, user_agent) or _UNKNOWN_PROGRAM
    system = _first(_SYSTEMS, user_agent)
    return program if system is None else f"{program} on {system}"


def family(user_agent: str | None) -> str:
    """Return what stays the same when a program is updated: its kind, or how it calls itself."""
    program = _first(_PROGRAMS, user_agent)
    if program is None:
        product = _PRODUCT.match(user_agent or "")
        program = "" if product is None else product[0][:_LONGEST_PRODUCT]
    return f"{program} on {_first(_SYSTEMS, user_agent) or ''}"


def _first(table: tuple[tuple[str, re.Pattern[str]], ...], user_agent: str | None) -> str | None:
    return next((name for name, pattern in table if pattern.search(user_agent or "")), None)

"""Names of files as people gave them. They live in Postgres and headers, never in a path."""

import unicodedata

MAXIMUM_NAME_BYTES = 255
"""What the file systems that downloads end on allow."""

UNNAMED = "file"

# Characters that make a name read differently from what it is: `gnp.exe` shown as `exe.png`.
_DIRECTION_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def clean_name(raw: str) -> str:
    """Return the name to keep: the last component, without what could mislead or break.

    Folders, control characters, direction marks, lone surrogates and dots or spaces at the ends
    go; the rest is NFC and at most 255 bytes of UTF-8, its extension kept. Never empty.
    """
    last = raw.replace("\\", "/").rstrip("/").rpartition("/")[2]
    kept = "".join(character for character in last if not _is_dropped(character))
    name = unicodedata.normalize("NFC", kept).strip(" .") or UNNAMED
    return _shorten(name)


def extension(name: str) -> str:
    """Return the lower-case extension without its dot, or an empty string."""
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


def _is_dropped(character: str) -> bool:
    return character in _DIRECTION_MARKS or unicodedata.category(character) in {
        "Cc",
        "Cs",
        "Zl",
        "Zp",
    }


def _shorten(name: str) -> str:
    encoded = name.encode()
    if len(encoded) <= MAXIMUM_NAME_BYTES:
        return name
    suffix = f".{extension(name)}".encode() if extension(name) else b""
    if len(suffix) > 32:  # noqa: PLR2004 - a longer one is no extension but a part of the name
        suffix = b""
    stem = encoded[: MAXIMUM_NAME_BYTES - len(suffix)]
    return stem.decode(errors="ignore") + suffix.decode()

"""Names of files as people give them."""

import random

import pytest

from services.files.names import MAXIMUM_NAME_BYTES, clean_name, extension


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/absolute/path.txt", "path.txt"),
        ("C:\\Temp\\photo.jpg", "photo.jpg"),
        ("folder/", "folder"),
        ("a\r\nSet-Cookie: x=1.txt", "aSet-Cookie: x=1.txt"),
        ("nul\0byte.txt", "nulbyte.txt"),
        ("harmless\u202egnp.exe", "harmlessgnp.exe"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("  spaced .txt ", "spaced .txt"),
        (".htaccess", "htaccess"),
        ("", "file"),
        ("..", "file"),
        ("/", "file"),
        ("\u0001", "file"),
    ],
)
def test_names_are_cleaned(raw: str, kept: str) -> None:
    assert clean_name(raw) == kept


def test_a_long_name_keeps_its_extension() -> None:
    name = clean_name("ü" * 300 + ".jpeg")

    assert len(name.encode()) <= MAXIMUM_NAME_BYTES
    assert name.endswith("ü.jpeg")


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_sent_a_usable_name_comes_out(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    raw = "".join(
        chance.choice(["/", "\\", ".", " ", "\0", "\n", "\u202e", chr(chance.randrange(0x110000))])
        for _ in range(chance.randrange(400))
    )

    name = clean_name(raw)

    assert name
    assert len(name.encode()) <= MAXIMUM_NAME_BYTES
    assert not set(name) & set("/\\\0\r\n")
    assert name not in {".", ".."}
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.JPG", "jpg"), ("a.tar.gz", "gz"), ("a", ""), (".profile", ""), ("a.", "")],
)
def test_extensions(name: str, expected: str) -> None:
    assert extension(name) == expected

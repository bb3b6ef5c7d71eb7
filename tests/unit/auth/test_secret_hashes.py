"""A random secret is stored as its SHA-256, and found by it for as long as it is kept."""

import pytest

from services.auth.secret_hashes import hash_secret


@pytest.mark.parametrize(
    ("secret", "stored"),
    [
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("ü", "607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f"),
    ],
)
def test_what_is_stored_never_changes(secret: str | bytes, stored: str) -> None:
    assert hash_secret(secret).hex() == stored

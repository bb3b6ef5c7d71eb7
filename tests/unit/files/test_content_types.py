"""What a file is taken for, by what is said and by its first bytes."""

import pytest

from services.files.content_types import content_type, is_inline, sniff_image
from shared.chassis.errors import Problem

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 16
GIF = b"GIF89a" + b"\0" * 16
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
AVIF = b"\0\0\0\x1cftypavif\0\0\0\0mif1"
AVIF_BY_COMPATIBILITY = b"\0\0\0\x20ftypmif1\0\0\0\0mif1avif"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1"
TEXT = b"just text"
SVG = b'\xef\xbb\xbf <?xml version="1.0"?><svg/>'


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (WEBP, "image/webp"),
        (AVIF, "image/avif"),
        (AVIF_BY_COMPATIBILITY, "image/avif"),
        (HEIC, "image/heic"),
        (b"II*\0", "image/tiff"),
        (b"BM\x46\0\0\0\0\0\0\0", "image/bmp"),
        (b"BM is also how a text can begin", None),
        (b"\0\0\x01\0\x01\0", "image/x-icon"),
        (TEXT, None),
        (b"", None),
        (b" " + PNG, None),
    ],
)
def test_images_are_known_by_their_first_bytes(head: bytes, found: str | None) -> None:
    assert sniff_image(head) == found


@pytest.mark.parametrize(
    ("declared", "name", "head", "taken_for"),
    [
        ("text/plain", "a.txt", TEXT, "text/plain"),
        ("Text/HTML; charset=utf-8", "a.html", TEXT, "text/html"),
        ("image/jpg", "a.jpg", JPEG, "image/jpeg"),
        ("", "a.jpg", JPEG, "image/jpeg"),
        ("application/octet-stream", "a", PNG, "image/png"),
        ("", "a.pdf", b"%PDF", "application/pdf"),
        ("", "a.tar.gz", TEXT, "application/octet-stream"),
        ("", "a", TEXT, "application/octet-stream"),
        ("nonsense", "a", TEXT, "application/octet-stream"),
        ("text/plain\r\nX: y", "a", TEXT, "application/octet-stream"),
        ("image/svg+xml", "a.svg", SVG, "image/svg+xml"),
        ("image/x-unheard-of", "a.raw", TEXT, "image/x-unheard-of"),
        ("text/plain", "a.txt", PNG, "text/plain"),
    ],
)
def test_the_type_that_is_stored(declared: str, name: str, head: bytes, taken_for: str) -> None:
    assert content_type(declared=declared, name=name, head=head) == taken_for


@pytest.mark.parametrize(
    ("declared", "name", "head"),
    [
        ("text/plain", "a.jpg", TEXT),
        ("image/png", "a", TEXT),
        ("image/png", "a.png", JPEG),
        ("image/jpeg", "a.png", JPEG),
        ("image/jpg", "a", b"<svg/>"),
        ("image/svg+xml", "a", PNG),
        ("", "a.SVG", b"\0\0"),
    ],
)
def test_what_claims_to_be_an_image_must_be_that_image(
    declared: str, name: str, head: bytes
) -> None:
    with pytest.raises(Problem) as raised:
        content_type(declared=declared, name=name, head=head)

    assert raised.value.code == "content_type_mismatch"


@pytest.mark.parametrize(
    ("media_type", "inline"),
    [
        ("image/png", True),
        ("video/mp4", True),
        ("audio/ogg", True),
        ("application/pdf", True),
        ("image/svg+xml", False),
        ("text/html", False),
        ("text/plain", False),
        ("application/xhtml+xml", False),
        ("application/octet-stream", False),
    ],
)
def test_only_what_cannot_act_is_shown_in_place(media_type: str, inline: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_inline(media_type) is inline

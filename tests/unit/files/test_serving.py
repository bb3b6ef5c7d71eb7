"""The Content-Disposition of downloads."""

import re
from urllib.parse import unquote

import pytest

from services.files.serving import content_disposition


@pytest.mark.parametrize(
    ("name", "media_type", "header"),
    [
        ("a.png", "image/png", 'inline; filename="a.png"'),
        ("a b.txt", "text/plain", 'attachment; filename="a b.txt"'),
        (
            'say "hi".txt',
            "text/plain",
            "attachment; filename=\"say _hi_.txt\"; filename*=UTF-8''say%20%22hi%22.txt",
        ),
        (
            "100%.txt",
            "text/plain",
            "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt",
        ),
        (
            "żółw.pdf",
            "application/pdf",
            "inline; filename=\"___w.pdf\"; filename*=UTF-8''%C5%BC%C3%B3%C5%82w.pdf",
        ),
    ],
)
def test_dispositions(name: str, media_type: str, header: str) -> None:
    assert content_disposition(name, media_type) == header


@pytest.mark.parametrize(
    "name",
    ['a"; filename="b.exe', "a\\", "a;b=c", "a'b", "\xa0", "%0d%0a", "日本語.pdf", "a*b", "😀.png"],
)
def test_any_name_arrives_whole_and_none_breaks_out(name: str) -> None:
    header = content_disposition(name, "text/plain")

    assert header.isascii()
    assert header.isprintable()
    parts = re.fullmatch(
        r"""attachment; filename="([^"\\]+)"(?:; filename\*=UTF-8''([\w!#$&+.^`|~%-]+))?""", header
    )
    assert parts is not None
    assert (unquote(parts[2]) if parts[2] else parts[1]) == name

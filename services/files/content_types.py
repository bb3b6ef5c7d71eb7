"""What a file is: what was said about it, checked against its first bytes where it says image."""

import mimetypes
import re
from typing import Final

from services.files.names import extension
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

OCTET_STREAM: Final = "application/octet-stream"
HEAD_BYTES: Final = 512
"""How much of a file `content_type` wants to see."""

PROCESSED_TYPES: Final = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"}
)
"""Images that variants are made of."""

_INLINE_TYPES: Final = frozenset(
    {*PROCESSED_TYPES, "image/bmp", "image/tiff", "image/x-icon", "application/pdf"}
)

_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-ms-bmp": "image/bmp",
    "image/vnd.microsoft.icon": "image/x-icon",
    "image/heif": "image/heic",
}

_SIGNATURES: Final = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "image/avif": re.compile(rb".{4}ftyp(?:avif|avis|.{8,32}avif)", re.DOTALL),
    "image/heic": re.compile(rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL),
    "image/tiff": re.compile(rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+"),
    "image/bmp": re.compile(rb"BM.{4}\x00{4}", re.DOTALL),
    "image/x-icon": re.compile(rb"\x00\x00\x01\x00"),
}
# An SVG is text; only being no such text at all can be told by its head.
_SVG: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!DOCTYPE|svg)", re.IGNORECASE)

_EXTENSIONS: Final = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpe": "image/jpeg",
    "jfif": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "heic": "image/heic",
    "heif": "image/heic",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
    "ico": "image/x-icon",
    "svg": "image/svg+xml",
}

_MEDIA_TYPE: Final = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
)


def content_type(*, declared: str, name: str, head: bytes) -> str:
    """Return the media type to store, lower case and without parameters.

    The declared type counts; where it says nothing the bytes do, then the name. Raises Problem
    `content_type_mismatch` when the type or the name claims an image that the bytes are not.
    """
    claimed = _normalised(declared)
    actual = sniff_image(head)
    for claim in (claimed, _EXTENSIONS.get(extension(name), "")):
        if _is_known_image(claim) and not _is_image(claim, actual, head):
            raise Problem(
                ProblemCode.CONTENT_TYPE_MISMATCH,
                f"The file claims to be {claim}, but its bytes are {actual or 'not'}"
                f"{'' if actual else ' such an image'}; nothing was stored.",
            )
    if claimed != OCTET_STREAM:
        return claimed
    return actual or _by_name(name)


def sniff_image(head: bytes) -> str | None:
    """Return the type of the raster image that starts with these bytes, or None."""
    return next((name for name, start in _SIGNATURES.items() if start.match(head)), None)


def is_inline(media_type: str) -> bool:
    """Whether a browser may show it in place: nothing that could carry a script or a form."""
    return media_type in _INLINE_TYPES or media_type.startswith(("audio/", "video/"))


def _normalised(declared: str) -> str:
    media_type = declared.partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(media_type):
        return OCTET_STREAM
    return _ALIASES.get(media_type, media_type)


def _is_known_image(claim: str) -> bool:
    return claim in _SIGNATURES or claim == "image/svg+xml"


def _is_image(claim: str, actual: str | None, head: bytes) -> bool:
    if claim == "image/svg+xml":
        return actual is None and _SVG.match(head) is not None
    return claim == actual


def _by_name(name: str) -> str:
    # The machine's own tables would make the answer depend on the host.
    guess, encoding = mimetypes.MimeTypes(filenames=()).guess_type(f"x.{extension(name)}")
    return OCTET_STREAM if guess is None or encoding else guess

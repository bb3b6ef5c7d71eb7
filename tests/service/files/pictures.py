"""Pictures, made here so that no binary file lies in the tree."""

import struct
import zlib

import pyvips


def jpeg(width: int = 1200, height: int = 800, *, orientation: int = 1) -> bytes:
    """A gradient with EXIF, a comment in it, and possibly turned."""
    ramp = pyvips.Image.xyz(width, height)
    picture = (ramp[0] * 255 / width).bandjoin([ramp[1] * 255 / height, 128]).cast("uchar")
    picture = picture.copy(interpretation="srgb")
    tagged = picture.copy()
    tagged.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    tagged.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Somebody (Somebody, ASCII)")
    data: bytes = tagged.jpegsave_buffer(Q=85)
    return data


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it has 3,600 megapixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"\0" * 180_001))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

"""Decodes images in a process of its own, because decoders of strangers' bytes may crash or hang.

Started by `image_pool.py` as a script. It reads requests from its standard input and answers on
its standard output, each a line of JSON followed by as many bytes as the line says, until the
input ends. It can open nothing it was not given the bytes of.
"""

import json
import resource
import signal
import sys
from typing import Any, BinaryIO

import pyvips

MAXIMUM_PIXELS = 50_000_000
MAXIMUM_ADDRESS_SPACE_BYTES = 1024**3
LOADERS = ("Jpeg", "Png", "Webp", "Nsgif", "Heif")


class Unusable(Exception):  # noqa: N818 - says what the image is, not that we failed
    """No variant can be made of this; the message is for the file's owner."""


def confine() -> None:
    """Limit what this process can do, before it sees the first byte of anybody's."""
    resource.setrlimit(resource.RLIMIT_AS, (MAXIMUM_ADDRESS_SPACE_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The end of the input ends this process; a stop signal to the whole group must not cut off
    # an image that the worker still waits for.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    pyvips.block_untrusted_set(True)  # noqa: FBT003 - pyvips knows no keywords here
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 - the same
    for loader in LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{loader}", False)  # noqa: FBT003 - the same
    pyvips.cache_set_max(0)


def make_variant(data: bytes, *, edge: int) -> tuple[bytes, int, int]:
    """Return a WebP of the first frame, upright, no side longer than `edge` pixels, and its size.

    Colours are converted to sRGB and all metadata is dropped. Raises Unusable.
    """
    try:
        header = pyvips.Image.new_from_buffer(data, "")
        if header.width * header.height > MAXIMUM_PIXELS:
            raise Unusable(
                f"The image has {header.width} x {header.height} pixels; "
                f"{MAXIMUM_PIXELS // 1_000_000} megapixels are the most."
            )
        image = pyvips.Image.thumbnail_buffer(
            data,
            edge,
            height=edge,
            size="down",
            export_profile="srgb",
            # As an argument of its own libvips 8.18 does not pass it on to the loader.
            option_string="[fail_on=error]",
        )
        return image.webpsave_buffer(Q=80, keep="none"), image.width, image.height
    except pyvips.Error as error:
        raise Unusable("The image is damaged or of a kind that cannot be read.") from error


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        request: dict[str, Any] = json.loads(line)
        data = requests.read(request["size"])
        if len(data) < request["size"]:
            return
        body = b""
        try:
            body, width, height = make_variant(data, edge=request["edge"])
            answer: dict[str, object] = {"size": len(body), "width": width, "height": height}
        except Unusable as error:
            answer = {"size": 0, "unusable": str(error)}
        del data
        answers.write(json.dumps(answer).encode() + b"\n" + body)
        answers.flush()


if __name__ == "__main__":
    confine()
    serve(sys.stdin.buffer, sys.stdout.buffer)

"""One stack for all journeys, and one image to upload."""

from collections.abc import Iterator

import pytest
import pyvips

from tests.journey.stack import RunningStack

CLIENT_ORIGIN = "https://app.example.com"


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    stack = RunningStack(
        {
            "FREEHOLD_LIMITS": "off",
            "FREEHOLD_CLIENT_ORIGINS": CLIENT_ORIGIN,
            # A slow machine may need longer than clients are given.
            "FREEHOLD_REALTIME_AUTH_SECONDS": "60",
            "FREEHOLD_REALTIME_HISTORY_SECONDS": "3600",
        }
    )
    try:
        stack.up()
        stack.run("scale", "realtime=2")
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A real JPEG of two megapixels with EXIF data."""
    noise = pyvips.Image.gaussnoise(1600, 1200, mean=128, sigma=40).cast("uchar")
    image = noise.bandjoin([noise.rot180(), noise.fliphor()]).copy(interpretation="srgb")
    return bytes(image.write_to_buffer(".jpg", Q=85))

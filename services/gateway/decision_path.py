"""The one address by which nginx asks; apart, so that its configuration needs no web server."""

from typing import Final

DECISION_PATH: Final = "/_decide"

"""The cookie in which browsers keep their refresh token."""

from services.auth.cookies import HostCookie


class RefreshCookie(HostCookie):
    """Holds the refresh token of the browser's session."""

    def __init__(self, public_url: str) -> None:
        super().__init__("freehold_refresh", public_url)

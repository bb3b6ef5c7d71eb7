"""Errors in the shape that OAuth 2.0 gives them, where its clients expect it."""


class OAuthError(Exception):
    """A request that a client must mend; RFC 6749 names the codes."""

    def __init__(self, code: str, description: str, *, status: int = 400) -> None:
        self.code = code
        self.description = description
        self.status = status
        super().__init__(f"{code}: {description}")

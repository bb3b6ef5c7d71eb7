"""Errors in the shape that OAuth 2.0 gives them, where its clients expect it."""


class OAuthError(Exception):
    """A request that a client must mend; RFC 6749 names the codes."""

    def __init__(self, code: str, description: str, *, status: int = 400) -> None:
        self.code = code
        self.description = description
        self.status = status
        super().__init__(f"{code}: {description}")


class MissingTokenError(OAuthError):
    """A request without any token, whose challenge names no error (RFC 6750, section 3.1)."""

    def __init__(self) -> None:
        super().__init__("invalid_token", "Send an access token as bearer token.", status=401)

"""The cookie in which browsers keep their refresh token, out of reach of scripts."""

from starlette.requests import Request
from starlette.responses import Response


class RefreshCookie:
    """Reads and writes the cookie; over https it is bound to this host (`__Host-`)."""

    def __init__(self, public_url: str) -> None:
        self._secure = public_url.startswith("https://")
        self.name = "__Host-freehold_refresh" if self._secure else "freehold_refresh"

    def read(self, request: Request) -> str | None:
        """Return the token a browser sent, if it sent one."""
        return request.cookies.get(self.name)

    def write(self, response: Response, token: str, *, max_age: int) -> None:
        """Have the browser keep a token for `max_age` seconds."""
        response.set_cookie(
            self.name,
            token,
            max_age=max_age,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def clear_header(self) -> str:
        """Return the `Set-Cookie` value that makes the browser forget the token."""
        response = Response()
        self.write(response, "", max_age=0)
        return response.headers["set-cookie"]

"""How browsers keep something for us: out of reach of scripts, and bound to this host."""

from starlette.requests import Request
from starlette.responses import Response


class HostCookie:
    """Reads and writes one cookie; over https nobody but this host can set it (`__Host-`).

    A `cross_site` cookie comes along with what other sites post (SameSite=None). Browsers take
    such a one over https only, so over http it is like the others.
    """

    def __init__(self, name: str, public_url: str, *, cross_site: bool = False) -> None:
        is_secure = public_url.startswith("https://")
        same_site = "None" if cross_site and is_secure else "Lax"
        self._name = f"__Host-{name}" if is_secure else name
        self._attributes = f"Path=/; SameSite={same_site}" + ("; Secure" if is_secure else "")

    def read(self, request: Request) -> str | None:
        """Return the value that a browser sent, if it sent one."""
        return request.cookies.get(self._name)

    def write(self, response: Response, value: str, *, max_age: int) -> None:
        """Have the browser keep a value of letters, digits, `-` and `_` for `max_age` seconds."""
        response.headers.append("Set-Cookie", self._header(value, max_age))

    def clear_header(self) -> str:
        """Return the `Set-Cookie` value that makes the browser forget the cookie."""
        return self._header("", 0)

    def clear(self, response: Response) -> None:
        """Have the browser forget the cookie."""
        response.headers.append("Set-Cookie", self.clear_header())

    def _header(self, value: str, max_age: int) -> str:
        # Starlette would write SameSite in its own spelling.
        return f"{self._name}={value}; HttpOnly; Max-Age={max_age}; {self._attributes}"

"""What a log-in carries to its provider and back."""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.auth.cookies import HostCookie
from services.auth.master_key import MasterKey

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
_SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """The secrets of one log-in. Only a hash of the state is stored, and nothing of the others."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """What proves later that whoever redeems the code began the log-in (PKCE, S256)."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


class AttemptSecrets:
    """Makes nonce and verifier from the state by a MAC, so that they need not be stored."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("federated-attempt")

    def new(self) -> Attempt:
        """Return the secrets of a new log-in."""
        return self.of(secrets.token_urlsafe(_SECRET_BYTES))

    def of(self, state: str) -> Attempt:
        """Return the secrets that belong to a state."""
        return Attempt(state, self._derive("nonce", state), self._derive("verifier", state))

    def _derive(self, purpose: str, state: str) -> str:
        message = f"{purpose}\0{state}".encode()
        return _base64url(hmac.digest(self._key, message, "sha256"))


class AttemptCookie:
    """Binds log-ins to the browser that began them.

    A provider that answers by a form posts it from its own site, and no Lax cookie comes along.
    Those log-ins have a cookie of their own, SameSite=None: what keeps others from using it is
    that the state they would need is in nobody's reach but the provider's. Log-ins in several tabs
    share the value, which is why none of them takes the cookie away.
    """

    def __init__(self, public_url: str) -> None:
        self._cookie = HostCookie("freehold_sign_in", public_url)
        self._posted = HostCookie("freehold_sign_in_posted", public_url, cross_site=True)

    def read(self, request: Request, *, posted: bool) -> str | None:
        """Return the value that a browser sent, if it is one of ours by its form."""
        value = self._of(posted=posted).read(request) or ""
        return value if _SECRET.fullmatch(value) else None

    def read_or_make(self, request: Request) -> str:
        """Return the value of a browser, whichever cookie has it, or one for a new browser."""
        known = self.read(request, posted=False) or self.read(request, posted=True)
        return known or secrets.token_urlsafe(_SECRET_BYTES)

    def write(self, response: Response, value: str, *, posted: bool) -> None:
        """Have the browser keep a value for as long as the log-in may take."""
        lifetime = int(ATTEMPT_LIFETIME.total_seconds())
        self._of(posted=posted).write(response, value, max_age=lifetime)

    def _of(self, *, posted: bool) -> HostCookie:
        return self._posted if posted else self._cookie


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""Since when a browser's requests wait for the log-in that their applications ask for.

A request with `prompt=login` or a `max_age` comes back from the sign-in page word for word. What
fulfils it is a session that was opened after it came, so a cookie remembers when that was.
"""

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.auth.cookies import HostCookie
from services.auth.master_key import MasterKey
from services.auth.provider.authorization import FINGERPRINT_BYTES, AuthorizationRequest

LIFETIME: Final = timedelta(hours=1)
"""For how long somebody may take to log in; whoever takes longer is asked once more."""
MOST: Final = 8
"""Requests of one browser that wait, as many tabs do; beyond them the oldest is asked anew."""
_TIME_BYTES: Final = 8
_ENTRY_BYTES: Final = FINGERPRINT_BYTES + _TIME_BYTES
_MAC_BYTES: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Reauthentication:
    """Keeps the cookie: requests by their fingerprints, each with its moment, under a MAC.

    Requests wait each for itself, so that one tab neither answers for another nor takes its turn.
    Two that arrive in the same instant may overwrite each other's: one is asked once more then.
    """

    def __init__(self, master_key: MasterKey, *, public_url: str) -> None:
        self._key = master_key.derive("oauth-reauthentication")
        self._cookie = HostCookie("freehold_reauthentication", public_url)

    def waiting_since(self, request: Request, asked: AuthorizationRequest) -> datetime | None:
        """Return since when a request waits for a log-in; None if it does not, or for too long."""
        return self._read(request).get(asked.fingerprint)

    def wait(
        self, request: Request, response: Response, asked: AuthorizationRequest, since: datetime
    ) -> None:
        """Have a request wait for a log-in from now on, which is `since` by the database's clock.

        Each time anew: no log-in before has fulfilled it, and if the clock was set back meanwhile,
        the next one does.
        """
        waiting = self._read(request)
        waiting.pop(asked.fingerprint, None)
        waiting[asked.fingerprint] = since
        self._write(response, dict(list(waiting.items())[-MOST:]))

    def finish(self, request: Request, response: Response, asked: AuthorizationRequest) -> None:
        """Forget a request that was answered: the same again asks for another log-in."""
        waiting = self._read(request)
        if waiting.pop(asked.fingerprint, None) is not None:
            self._write(response, waiting)

    def _read(self, request: Request) -> dict[bytes, datetime]:
        token = self._cookie.read(request) or ""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return {}
        body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            return {}
        entries = [
            body[start : start + _ENTRY_BYTES] for start in range(0, len(body), _ENTRY_BYTES)
        ]
        oldest = datetime.now(UTC) - LIFETIME
        waiting = {entry[:FINGERPRINT_BYTES]: _moment(entry) for entry in entries}
        return {fingerprint: at for fingerprint, at in waiting.items() if at > oldest}

    def _write(self, response: Response, waiting: dict[bytes, datetime]) -> None:
        if not waiting:
            self._cookie.clear(response)
            return
        body = b"".join(
            fingerprint + ((at - _EPOCH) // _MICROSECOND).to_bytes(_TIME_BYTES, "big")
            for fingerprint, at in waiting.items()
        )
        token = base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()
        self._cookie.write(response, token, max_age=int(LIFETIME.total_seconds()))

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")


def _moment(entry: bytes) -> datetime:
    return _EPOCH + int.from_bytes(entry[FINGERPRINT_BYTES:], "big") * _MICROSECOND

"""An authenticator app, as its owner has it in hand."""

import base64
import time
from dataclasses import dataclass
from typing import Any

import httpx2
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.service.auth.auth_service import PASSWORD, AuthService, bearer

STEP_SECONDS = 30


@dataclass
class Authenticator:
    """Shows codes, and knows the recovery codes that came with it."""

    secret: str
    recovery_codes: list[str]

    def code(self, *, steps: int = 0) -> str:
        """Return the code of now, or of some steps away."""
        generator = TOTP(base64.b32decode(self.secret), 6, SHA1(), STEP_SECONDS)  # noqa: S303 - RFC 6238
        return generator.generate(int(time.time()) + steps * STEP_SECONDS).decode()

    def wrong_code(self) -> str:
        """Return a code that is none of those accepted now."""
        accepted = {self.code(steps=steps) for steps in range(-2, 3)}
        return next(
            code for code in ("000000", *map(str, range(100_000, 100_006))) if code not in accepted
        )


async def enrol(auth: AuthService, session: dict[str, Any]) -> Authenticator:
    """Give an account an authenticator app, none of whose codes has been used."""
    started = await auth.post("/v1/auth/mfa/totp", {}, **bearer(session))
    assert started.status_code == 201, started.text
    app = Authenticator(started.json()["secret"], [])
    confirmed = await auth.post(
        "/v1/auth/mfa/totp/confirm", {"code": app.code()}, **bearer(session)
    )
    assert confirmed.status_code == 200, confirmed.text
    app.recovery_codes = confirmed.json()["recovery_codes"]
    await forget_used_codes(auth)
    await auth.forget_events()
    return app


async def forget_used_codes(auth: AuthService) -> None:
    """Let the code of now be used again, as if time had gone by."""
    await auth.database.execute("UPDATE totp_factors SET last_used_step = 0")


async def mfa_token(auth: AuthService, email: str, password: str = PASSWORD) -> str:
    """Take the first step of a log-in and return what stands for it."""
    body = (await auth.log_in(email, password)).json()
    assert body["mfa_required"] is True
    token: str = body["mfa_token"]
    return token


async def second_step(
    auth: AuthService, token: str, code: str, *, kind: str = "totp", address: str = "203.0.113.7"
) -> httpx2.Response:
    """Take the second step of a log-in."""
    return await auth.post(
        f"/v1/auth/mfa/{kind}/verify", {"mfa_token": token, "code": code}, x_real_ip=address
    )

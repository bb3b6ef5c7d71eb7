"""Asking a CAPTCHA's provider whether whoever sends a form has proved to be a person."""

import json
import logging
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from pydantic import SecretStr

from services.auth.metrics import CAPTCHAS
from services.auth.records import Device
from shared.chassis.errors import RETRY_AFTER_SECONDS, Problem
from shared.chassis.outgoing.requests import OutgoingRequests, Unreachable
from shared.schemas.problems import ProblemCode

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 5.0
LARGEST_ANSWER: Final = 64 * 1024
_SUCCESS: Final = 200
_HEADERS: Final = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "User-Agent": "Freehold",
}
_UNAVAILABLE = (
    "Nobody can sign up just now, because the service that tells people from programs does not "
    "answer; try again after the time in Retry-After."
)


class Verdict(StrEnum):
    """What is known of whoever sends a form."""

    PERSON = "person"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class Captcha:
    """Asks by the `siteverify` protocol, which Turnstile, hCaptcha and reCAPTCHA share.

    Off unless an address and a secret are set: then everybody passes.
    """

    def __init__(
        self, url: str | None, secret: SecretStr | None, requests: OutgoingRequests
    ) -> None:
        self._url = url
        self._secret = "" if secret is None else secret.get_secret_value()
        self._requests = requests

    @property
    def is_on(self) -> bool:
        """Whether the operator has set it up."""
        return self._url is not None

    async def require(self, token: str | None, device: Device, *, opens_without: bool) -> None:
        """Raise a 403 problem `captcha_required` unless a person sent this, while it is on.

        If the provider cannot be asked, a form that `opens_without` it is taken all the same, any
        other answered 503: nobody new gets in by a provider's outage, and nobody is locked out.
        """
        if self._url is None:
            return
        verdict = await self.verdict(token, device)
        if verdict is Verdict.REFUSED:
            raise Problem(ProblemCode.CAPTCHA_REQUIRED)
        if verdict is Verdict.UNAVAILABLE and not opens_without:
            raise Problem(
                ProblemCode.DEPENDENCY_UNAVAILABLE,
                _UNAVAILABLE,
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )

    async def verdict(self, token: str | None, device: Device) -> Verdict:
        """Return within five seconds what the provider says of a token, which it takes once."""
        if self._url is None or not token:
            return Verdict.REFUSED
        form = {"secret": self._secret, "response": token}
        if device.address is not None:
            form["remoteip"] = str(device.address)
        try:
            is_person = await self._ask(self._url, urlencode(form).encode())
        except (Unreachable, ValueError, RecursionError) as error:
            logger.warning(
                "the CAPTCHA's provider cannot be asked",
                extra={"action": "captcha_unavailable", "reason": str(error)},
            )
            verdict = Verdict.UNAVAILABLE
        else:
            verdict = Verdict.PERSON if is_person else Verdict.REFUSED
        CAPTCHAS.labels(verdict).inc()
        return verdict

    async def _ask(self, url: str, form: bytes) -> bool:
        answer = await self._requests.fetch(
            "POST", url, _HEADERS, form, seconds=ANSWER_SECONDS, most_bytes=LARGEST_ANSWER
        )
        if answer.status != _SUCCESS:
            raise ValueError(f"it answers with status {answer.status}")
        told = json.loads(answer.body)
        success = told.get("success") if isinstance(told, dict) else None
        if success is True:
            return True
        if success is not False:
            raise ValueError("its answer says neither yes nor no")
        if "secret" in json.dumps(told.get("error-codes")):
            # Nobody could pass, and nobody but the operator can change that.
            raise ValueError("it does not know FREEHOLD_CAPTCHA_SECRET")
        return False

"""Asking a list of stolen passwords whether a new one is on it, without telling it which."""

import hashlib
import logging
from typing import Final

from services.auth.metrics import BREACHED_PASSWORD_CHECKS, BreachOutcome
from shared.chassis.outgoing.requests import OutgoingRequests, Unreachable

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 2.0
LARGEST_ANSWER: Final = 1024 * 1024
_PREFIX: Final = 5
_SUCCESS: Final = 200
# The answer's length would tell what was asked for, even though it is encrypted.
_HEADERS: Final = {"Add-Padding": "true", "User-Agent": "Freehold", "Accept": "text/plain"}


class BreachedPasswords:
    """Asks by the range protocol of Have I Been Pwned, which any mirror speaks.

    The list learns the first 20 bits of a SHA-1 sum, which hundreds of its passwords share. What
    cannot be asked is taken for good: the list that is shipped has been asked before.
    """

    def __init__(self, url: str | None, requests: OutgoingRequests) -> None:
        self._url = None if url is None else url.rstrip("/")
        self._requests = requests

    async def contain(self, password: bytes) -> bool:
        """Tell within two seconds whether a normalised password was stolen somewhere."""
        if self._url is None:
            return False
        # The protocol's own hash; nothing is protected by it.
        digest = hashlib.sha1(password, usedforsecurity=False).hexdigest().upper()
        try:
            is_listed = await self._ask(f"{self._url}/{digest[:_PREFIX]}", digest[_PREFIX:])
        except (Unreachable, ValueError) as error:
            logger.warning(
                "the list of stolen passwords cannot be asked",
                extra={"action": "breached_passwords_unavailable", "reason": str(error)},
            )
            BREACHED_PASSWORD_CHECKS.labels(BreachOutcome.UNAVAILABLE).inc()
            return False
        outcome = BreachOutcome.BREACHED if is_listed else BreachOutcome.CLEAN
        BREACHED_PASSWORD_CHECKS.labels(outcome).inc()
        return is_listed

    async def _ask(self, url: str, suffix: str) -> bool:
        answer = await self._requests.fetch(
            "GET", url, _HEADERS, seconds=ANSWER_SECONDS, most_bytes=LARGEST_ANSWER
        )
        if answer.status != _SUCCESS:
            raise ValueError(f"it answers with status {answer.status}")
        return _is_listed(suffix, answer.body)


def _is_listed(suffix: str, body: bytes) -> bool:
    """Read lines of a suffix and how often it was stolen; padding says zero times.

    Raises ValueError for an answer that is something else.
    """
    is_listed = False
    for line in body.decode("ascii").split():
        name, separator, count = line.partition(":")
        if not separator or len(name) != len(suffix) or not count.isdigit():
            raise ValueError("its answer is no list of hashes")
        is_listed = is_listed or (name.upper() == suffix and count.strip("0") != "")
    return is_listed

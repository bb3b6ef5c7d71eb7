"""Which passwords people may choose."""

from services.auth.passwords import require_new_password
from services.auth.protections.breached_passwords import BreachedPasswords
from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

_STOLEN = (
    "This password was stolen somewhere else and is tried by those who collect such. Choose "
    "another, such as four words that have nothing to do with each other."
)


class NewPasswords:
    """Checks passwords that people choose, by the rules here and by a list of stolen ones."""

    def __init__(self, breached: BreachedPasswords, *, min_length: int) -> None:
        self._breached = breached
        self._min_length = min_length

    async def require(self, password: str, *, email: str, name: str | None = None) -> bytes:
        """Return the bytes of a password that may be chosen.

        Does the same whoever has the address. Raises a 422 problem for one that is too short or
        long, that an attacker tries first, or that was stolen elsewhere.
        """
        encoded = require_new_password(
            password, min_length=self._min_length, email=email, name=name
        )
        if await self._breached.contain(encoded):
            raise Problem(
                ProblemCode.VALIDATION_FAILED,
                errors=[FieldError(field="password", message=_STOLEN)],
            )
        return encoded

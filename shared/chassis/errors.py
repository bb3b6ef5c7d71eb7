"""How a handler says what went wrong. The cause stays in the log, the code reaches the client."""

from collections.abc import Mapping, Sequence

from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import FieldError, ProblemCode, ProblemDetails, problem_type

RETRY_AFTER_SECONDS = 5


class Problem(Exception):  # noqa: N818 - the standard's own word for an error answer
    """An answer that is an error, with a stable code (see `shared/schemas/problems.py`)."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.kind = PROBLEMS[code]
        self.detail = detail or self.kind.detail
        self.errors = list(errors) if errors else None
        self.headers = dict(headers or {})
        super().__init__(f"{code.value}: {self.detail}")

    def details(self, request_id: str) -> ProblemDetails:
        """Return the body of the answer."""
        return ProblemDetails(
            type=problem_type(self.code),
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            code=self.code,
            request_id=request_id,
            errors=self.errors,
        )


class Unavailable(Problem):
    """A part the call needs is not reachable; nothing was changed, trying again is right."""

    def __init__(self, dependency: str) -> None:
        self.dependency = dependency
        super().__init__(
            ProblemCode.DEPENDENCY_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )

    def __str__(self) -> str:
        """Name the part for the log; the client is not told how the house is built."""
        return f"{self.dependency} is not reachable"


class PermanentFailure(Exception):  # noqa: N818 - says what it is, not that it is a bug
    """Trying this event or job again is pointless; the message says why, for an operator."""

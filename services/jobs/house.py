"""The other services, asked together for what administrators see as one list."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.identity.service_calls import ServiceCallError, ServiceClient
from shared.schemas.problems import ProblemCode, ProblemDetails

logger = logging.getLogger(__name__)

HOUSE_SERVICES: Final = ("auth", "files", "mail", "realtime")
"""Services with queues and dead letters of their own, besides this one."""

Call = Callable[[ServiceClient], Awaitable[Any]]
"""What one service is asked, by its client."""


class Parts(NamedTuple):
    """A list as far as its parts could be had."""

    given: dict[str, Any]
    """What each service answered, by its name."""
    unreachable: list[str]
    """Services whose part is missing, by name."""


class House:
    """Asks the other services, in parallel, each for at most five seconds."""

    def __init__(self, clients: Mapping[str, ServiceClient]) -> None:
        self._clients = clients

    @property
    def services(self) -> tuple[str, ...]:
        """The services that can be asked."""
        return tuple(self._clients)

    async def ask(self, service: str, call: Call) -> Any:
        """Ask one service. Raises Unavailable, or the Problem that it answered."""
        try:
            return await call(self._clients[service])
        except ServiceCallError as error:
            raise _as_problem(error) from error

    async def ask_for_parts(self, calls: Mapping[str, Call]) -> Parts:
        """Ask services for their parts of a list; one that is down keeps none of the others."""
        outcomes = await self._ask_together(calls)
        given = {
            service: outcome
            for service, outcome in outcomes.items()
            if not isinstance(outcome, Problem)
        }
        unreachable = sorted(set(outcomes) - set(given))
        for service in unreachable:
            logger.warning(
                "a service did not give its part of a list",
                exc_info=outcomes[service],
                extra={"action": "part_missing", "service": service},
            )
        return Parts(given, unreachable)

    async def ask_owner(self, call: Call) -> Any:
        """Ask every service for a thing that one of them has. Raises Problem.

        It is not found only if all said so: else its owner may be the one that is away.
        """
        outcomes = (await self._ask_together(dict.fromkeys(self._clients, call))).values()
        problems = []
        for outcome in outcomes:
            if not isinstance(outcome, Problem):
                return outcome
            problems.append(outcome)
        raise max(problems, key=_weight)

    async def _ask_together(self, calls: Mapping[str, Call]) -> dict[str, Any]:
        outcomes = await asyncio.gather(
            *(self.ask(service, call) for service, call in calls.items()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Problem):
                raise outcome
        return dict(zip(calls, outcomes, strict=True))


def _weight(problem: Problem) -> int:
    """Return how much a problem says: a refusal more than silence, and that more than not found."""
    if isinstance(problem, Unavailable):
        return 1
    return 0 if problem.kind.status is HTTPStatus.NOT_FOUND else 2


def _as_problem(error: ServiceCallError) -> Problem:
    try:
        details = ProblemDetails.model_validate_json(error.text)
    except ValidationError:
        return Problem(ProblemCode.INTERNAL_ERROR)
    return Problem(details.code, details.detail, errors=details.errors)

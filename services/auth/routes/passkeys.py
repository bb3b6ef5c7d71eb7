"""Passkeys: `/v1/auth/passkeys`, and where one lets somebody in."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_session
from services.auth.devices import device_of
from services.auth.origins import OriginPolicy
from services.auth.passkeys import store
from services.auth.passkeys.enrolment import PasskeyEnrolment
from services.auth.passkeys.log_ins import PasskeyLogIns, PasskeySecondSteps, PasskeyStepUps
from services.auth.passkeys.records import ShownPasskey
from services.auth.routes.answers import NO_STORE, SessionAnswers
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.pages import Page
from shared.schemas.api.passkeys import (
    CreatedPasskey,
    Passkey,
    PasskeyCreate,
    PasskeyLogIn,
    PasskeyLogInStart,
    PasskeyOptions,
    PasskeyRegistrationRequest,
    PasskeySecondStep,
    PasskeySecondStepStart,
    PasskeyStepUp,
    PasskeyStepUpStart,
    PasskeyUpdate,
)
from shared.schemas.problems import ProblemCode


class PasskeyLogInRoutes:
    """A passkey as the only proof, as the second one, and in an open session."""

    def __init__(
        self,
        log_ins: PasskeyLogIns,
        second_steps: PasskeySecondSteps,
        step_ups: PasskeyStepUps,
        *,
        origins: OriginPolicy,
        answers: SessionAnswers,
        authenticator: Authenticator,
    ) -> None:
        self._log_ins = log_ins
        self._second_steps = second_steps
        self._step_ups = step_ups
        self._origins = origins
        self._answers = answers
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/passkeys/options", self.start_log_in, methods=["POST"]),
            Route("/v1/auth/passkeys/session", self.log_in, methods=["POST"]),
            Route("/v1/auth/mfa/passkey/options", self.start_second_step, methods=["POST"]),
            Route("/v1/auth/mfa/passkey/verify", self.take_second_step, methods=["POST"]),
            Route("/v1/auth/step-up/passkey/options", self.start_step_up, methods=["POST"]),
            Route("/v1/auth/step-up/passkey", self.step_up, methods=["POST"]),
        ]

    async def start_log_in(self, request: Request) -> Response:
        """Answer everybody alike with what a browser needs."""
        self._origins.require_allowed(request)
        await read_json(request, PasskeyLogInStart)
        return _options(PasskeyOptions(publicKey=await self._log_ins.start()))

    async def log_in(self, request: Request) -> Response:
        """Open a session with a passkey alone."""
        self._origins.require_allowed(request)
        body = await read_json(request, PasskeyLogIn)
        return self._answers.answer(
            await self._log_ins.finish(body, self._answers.device_of(request))
        )

    async def start_second_step(self, request: Request) -> Response:
        """Answer who took the first step with what a browser needs for the second."""
        self._origins.require_allowed(request)
        body = await read_json(request, PasskeySecondStepStart)
        return _options(PasskeyOptions(publicKey=await self._second_steps.start(body.mfa_token)))

    async def take_second_step(self, request: Request) -> Response:
        """Finish a log-in with a passkey."""
        self._origins.require_allowed(request)
        body = await read_json(request, PasskeySecondStep)
        return self._answers.answer(
            await self._second_steps.finish(
                body.mfa_token, body.credential, self._answers.device_of(request)
            )
        )

    async def start_step_up(self, request: Request) -> Response:
        """Answer with what a browser needs to prove again who its user is."""
        self._origins.require_allowed(request)
        identity = await self._authenticator.identify(request)
        await read_json(request, PasskeyStepUpStart)
        return _options(PasskeyOptions(publicKey=await self._step_ups.start(identity)))

    async def step_up(self, request: Request) -> Response:
        """Replace the caller's session by one that has just proved more."""
        self._origins.require_allowed(request)
        identity = await self._authenticator.identify(request)
        body = await read_json(request, PasskeyStepUp)
        return self._answers.answer(
            await self._step_ups.finish(identity, body.credential, self._answers.device_of(request))
        )


class PasskeyRoutes:
    """The caller's own passkeys."""

    def __init__(
        self, database: Database, enrolment: PasskeyEnrolment, authenticator: Authenticator
    ) -> None:
        self._database = database
        self._enrolment = enrolment
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/passkeys/registration", self.start, methods=["POST"]),
            Route("/v1/auth/passkeys", self.create, methods=["POST"]),
            Route("/v1/auth/passkeys", self.list, methods=["GET"]),
            Route("/v1/auth/passkeys/{passkey_id}", self.rename, methods=["PATCH"]),
            Route("/v1/auth/passkeys/{passkey_id}", self.remove, methods=["DELETE"]),
        ]

    async def start(self, request: Request) -> Response:
        """Answer with what a browser needs to make a passkey."""
        identity = await self._authenticator.identify(request)
        await read_json(request, PasskeyRegistrationRequest)
        return _options(PasskeyOptions(publicKey=await self._enrolment.start(identity)))

    async def create(self, request: Request) -> Response:
        """Add what the browser has made; recovery codes, if there are any, are shown once."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, PasskeyCreate)
        passkey, codes = await self._enrolment.finish(identity, body, device_of(request))
        created = CreatedPasskey(**shown(passkey).model_dump(), recovery_codes=codes)
        return json_response(created, 201, headers=NO_STORE)

    async def list(self, request: Request) -> Response:
        """List the passkeys, newest first."""
        user_id = require_session(await self._authenticator.identify(request))
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_passkeys(
                self._database, user_id, before=query.before, limit=query.rows_to_read
            )
        )
        items = [shown(row) for row in rows]
        return json_response(Page[Passkey](items=items, next=cursor), headers=NO_STORE)

    async def rename(self, request: Request) -> Response:
        """Give a passkey another name."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, PasskeyUpdate)
        renamed = await self._enrolment.rename(
            identity, _passkey_id(request), body.name, device_of(request)
        )
        return json_response(shown(renamed), headers=NO_STORE)

    async def remove(self, request: Request) -> Response:
        """Remove a passkey."""
        identity = await self._authenticator.identify(request)
        await self._enrolment.remove(identity, _passkey_id(request), device_of(request))
        return Response(status_code=204)


def _options(options: PasskeyOptions) -> Response:
    return json_response(options, headers=NO_STORE)


def _passkey_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["passkey_id"])
    except ValueError as error:
        raise Problem(ProblemCode.PASSKEY_NOT_FOUND) from error


def shown(row: ShownPasskey) -> Passkey:
    """Return what the API shows of a passkey."""
    return Passkey(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        synced=row.is_backed_up,
    )

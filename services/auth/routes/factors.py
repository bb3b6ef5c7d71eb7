"""Second factors: `/v1/auth/mfa`, and the second step of a log-in."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_session
from services.auth.devices import device_of
from services.auth.factors import store
from services.auth.factors.challenges import Challenges
from services.auth.factors.enrolment import Enrolment
from services.auth.factors.second_steps import SecondSteps
from services.auth.factors.step_up import StepUps
from services.auth.origins import OriginPolicy
from services.auth.records import Method
from services.auth.routes.answers import NO_STORE, SessionAnswers
from shared.chassis.database import Database, Executor
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.factors import (
    Factors,
    NewTotp,
    RecoveryCodes,
    RecoveryCodesRequest,
    RecoveryVerifyRequest,
    StepUpRequest,
    Totp,
    TotpConfirmRequest,
    TotpRemoveRequest,
    TotpStartRequest,
    TotpVerifyRequest,
)


class SecondStepRoutes:
    """What follows a first proof, at log-in and in an open session."""

    def __init__(
        self,
        second_steps: SecondSteps,
        step_ups: StepUps,
        origins: OriginPolicy,
        answers: SessionAnswers,
        authenticator: Authenticator,
    ) -> None:
        self._second_steps = second_steps
        self._step_ups = step_ups
        self._origins = origins
        self._answers = answers
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/mfa/totp/verify", self.verify_totp, methods=["POST"]),
            Route("/v1/auth/mfa/recovery/verify", self.verify_recovery_code, methods=["POST"]),
            Route("/v1/auth/step-up", self.step_up, methods=["POST"]),
        ]

    async def verify_totp(self, request: Request) -> Response:
        """Finish a log-in with the code of an authenticator app."""
        self._origins.require_allowed(request)
        body = await read_json(request, TotpVerifyRequest)
        return self._answers.answer(
            await self._second_steps.with_totp(
                body.mfa_token, body.code, self._answers.device_of(request)
            )
        )

    async def verify_recovery_code(self, request: Request) -> Response:
        """Finish a log-in with a recovery code."""
        self._origins.require_allowed(request)
        body = await read_json(request, RecoveryVerifyRequest)
        return self._answers.answer(
            await self._second_steps.with_recovery_code(
                body.mfa_token, body.code, self._answers.device_of(request)
            )
        )

    async def step_up(self, request: Request) -> Response:
        """Replace the caller's session by one that has just proved more."""
        self._origins.require_allowed(request)
        identity = await self._authenticator.identify(request)
        body = await read_json(request, StepUpRequest)
        return self._answers.answer(
            await self._step_ups.step_up(identity, body, self._answers.device_of(request))
        )


async def shown_totp(executor: Executor, user_id: UUID) -> Totp | None:
    """Return what the API shows of an account's authenticator app."""
    apps = await store.list_totp(executor, user_id)
    return Totp.model_validate(apps[0], from_attributes=True) if apps else None


class FactorRoutes:
    """The caller's own second factors."""

    def __init__(
        self,
        database: Database,
        enrolment: Enrolment,
        challenges: Challenges,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._enrolment = enrolment
        self._challenges = challenges
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/mfa", self.read, methods=["GET"]),
            Route("/v1/auth/mfa/totp", self.start, methods=["POST"]),
            Route("/v1/auth/mfa/totp", self.remove, methods=["DELETE"]),
            Route("/v1/auth/mfa/totp/confirm", self.confirm, methods=["POST"]),
            Route("/v1/auth/mfa/recovery-codes", self.renew_recovery_codes, methods=["POST"]),
        ]

    async def read(self, request: Request) -> Response:
        """Show what can follow a first proof."""
        identity = await self._authenticator.identify(request)
        user_id = require_session(identity)
        factors = Factors(
            methods=list(await self._challenges.methods(self._database, user_id)),
            totp=await shown_totp(self._database, user_id),
            recovery_codes_left=await store.count_recovery_codes(self._database, user_id),
        )
        return json_response(factors, headers=NO_STORE)

    async def start(self, request: Request) -> Response:
        """Make the secret of an authenticator app."""
        identity = await self._authenticator.identify(request)
        await read_json(request, TotpStartRequest)
        app = await self._enrolment.start(identity)
        return json_response(NewTotp(secret=app.secret, uri=app.uri), 201, headers=NO_STORE)

    async def confirm(self, request: Request) -> Response:
        """Make the app count, and show the recovery codes once."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, TotpConfirmRequest)
        codes = await self._enrolment.confirm(
            identity, body.code, device_of(request), end_others=body.end_other_sessions
        )
        return json_response(RecoveryCodes(recovery_codes=codes), headers=NO_STORE)

    async def remove(self, request: Request) -> Response:
        """Remove the app."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, TotpRemoveRequest)
        method = Method.RECOVERY_CODE if body.code is None else Method.ONE_TIME_CODE
        await self._enrolment.remove(
            identity,
            method,
            body.code or body.recovery_code or "",
            device_of(request),
            end_others=body.end_other_sessions,
        )
        return Response(status_code=204)

    async def renew_recovery_codes(self, request: Request) -> Response:
        """Replace the recovery codes, and show the new ones once."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, RecoveryCodesRequest)
        codes = await self._enrolment.renew_recovery_codes(
            identity, device_of(request), end_others=body.end_other_sessions
        )
        return json_response(RecoveryCodes(recovery_codes=codes), headers=NO_STORE)

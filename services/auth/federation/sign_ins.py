"""The way to a provider and back."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from services.auth.entrance import FactorRequired
from services.auth.federation import store
from services.auth.federation.attempts import ATTEMPT_LIFETIME, Attempt, AttemptSecrets
from services.auth.federation.errors import ProviderUnavailable, UntrustedAnswer
from services.auth.federation.exchange import CodeExchange
from services.auth.federation.identities import Identities
from services.auth.federation.presets import PRESETS, Preset
from services.auth.federation.providers import Metadata, Providers
from services.auth.federation.records import Connection, Profile
from services.auth.records import Device
from services.auth.secret_hashes import hash_secret
from services.auth.sessions import Grant
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.sealing import Unsealable
from shared.schemas.problems import ProblemCode

logger = logging.getLogger(__name__)

_LONGEST_CODE: Final = 4096


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent to log in."""

    location: str
    posted: bool
    """Whether it comes back by a form."""


@dataclass(frozen=True, slots=True)
class Return:
    """What became of a log-in, and where its browser goes now."""

    return_to: str
    outcome: Grant | FactorRequired | Problem | None
    """None where an identity was linked."""


class SignIns:
    """Sends browsers to providers, and checks what they bring back."""

    def __init__(
        self,
        database: Database,
        *,
        secrets: AttemptSecrets,
        providers: Providers,
        exchange: CodeExchange,
        identities: Identities,
        public_url: str,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._providers = providers
        self._exchange = exchange
        self._identities = identities
        self._public_url = public_url

    async def begin(
        self, connection_id: str, *, browser: str, return_to: str, session_id: UUID | None = None
    ) -> Departure:
        """Remember a log-in, or the linking by a session, and return where the browser goes.

        Raises a 404 problem for a connection that is not there or disabled, and 503 if its
        provider does not answer.
        """
        connection = await self._enabled(connection_id)
        preset = PRESETS[connection.kind]
        try:
            metadata = await self._providers.metadata(connection)
        except ProviderUnavailable as error:
            raise _unavailable(connection, error) from error
        attempt = self._secrets.new()
        await store.insert_attempt(
            self._database,
            state_hash=hash_secret(attempt.state),
            browser_hash=hash_secret(browser),
            connection_id=connection.id,
            session_id=session_id,
            return_to=return_to,
            lifetime=ATTEMPT_LIFETIME,
        )
        parameters = self._parameters(connection, preset, attempt)
        endpoint = metadata.authorization_endpoint
        joint = "&" if "?" in endpoint else "?"
        return Departure(f"{endpoint}{joint}{urlencode(parameters)}", preset.answers_by_form)

    async def finish(
        self,
        connection_id: str,
        parameters: Mapping[str, str],
        *,
        browser: str | None,
        device: Device,
    ) -> Return:
        """Take what a browser brought back; its state is spent by that, whatever comes of it.

        Of several that bring the same at once one succeeds. Raises a 400 problem for a state that
        is spent, expired, or of another browser.
        """
        state = parameters.get("state", "")
        attempt = None
        if browser is not None and state:
            attempt = await store.take_attempt(
                self._database,
                state_hash=hash_secret(state),
                browser_hash=hash_secret(browser),
                connection_id=connection_id,
            )
        if attempt is None:
            raise Problem(ProblemCode.SIGN_IN_EXPIRED)
        try:
            connection = await self._enabled(connection_id)
            profile = await self._profile(connection, parameters, self._secrets.of(state))
            if attempt.session_id is not None:
                await self._identities.link(connection, profile, attempt.session_id, device)
                return Return(attempt.return_to, None)
            entered = await self._identities.enter(connection, profile, device)
        except Problem as problem:
            return Return(attempt.return_to, problem)
        return Return(attempt.return_to, entered)

    async def _enabled(self, connection_id: str) -> Connection:
        connection = await store.find_connection(self._database, connection_id)
        if connection is None or not connection.is_enabled:
            raise Problem(ProblemCode.CONNECTION_NOT_FOUND)
        return connection

    async def _profile(
        self, connection: Connection, parameters: Mapping[str, str], attempt: Attempt
    ) -> Profile:
        try:
            metadata = await self._providers.metadata(connection)
            # Before anything else is believed, errors included: it may be another provider's.
            _require_issuer(metadata, parameters.get("iss"))
            return await self._exchange.profile(
                connection,
                metadata,
                code=_code(parameters),
                verifier=attempt.verifier,
                nonce=attempt.nonce,
                redirect_uri=self.callback_url(connection.id),
                posted_user=parameters.get("user")
                if PRESETS[connection.kind].answers_by_form
                else None,
            )
        except UntrustedAnswer as error:
            logger.warning(
                "a provider's answer was refused",
                extra={
                    "action": "federated_answer_refused",
                    "connection": connection.id,
                    "reason": str(error),
                },
            )
            raise Problem(ProblemCode.SIGN_IN_INVALID) from error
        except (ProviderUnavailable, Unsealable) as error:
            raise _unavailable(connection, error) from error

    def callback_url(self, connection_id: str) -> str:
        """Return where the provider of a connection sends browsers back to."""
        return f"{self._public_url}/v1/auth/oidc/{connection_id}/callback"

    def _parameters(
        self, connection: Connection, preset: Preset, attempt: Attempt
    ) -> dict[str, str]:
        parameters = {
            "response_type": "code",
            "client_id": connection.client_id,
            "redirect_uri": self.callback_url(connection.id),
            "scope": " ".join(connection.scopes),
            "state": attempt.state,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        if preset.has_id_tokens:
            parameters["nonce"] = attempt.nonce
        if preset.answers_by_form:
            parameters["response_mode"] = "form_post"
        return parameters


def _require_issuer(metadata: Metadata, issuer: str | None) -> None:
    if issuer is None:
        if metadata.names_itself:
            raise UntrustedAnswer("the answer does not name its issuer")
    elif not metadata.is_issuer(issuer):
        raise UntrustedAnswer("the answer is another provider's")


def _code(parameters: Mapping[str, str]) -> str:
    if "error" in parameters:
        raise Problem(ProblemCode.SIGN_IN_REFUSED)
    code = parameters.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise UntrustedAnswer("the answer has no code")
    return code


def _unavailable(connection: Connection, error: Exception) -> Problem:
    logger.warning(
        "a provider cannot be used",
        extra={
            "action": "provider_unavailable",
            "connection": connection.id,
            "reason": str(error),
        },
    )
    return Problem(ProblemCode.PROVIDER_UNAVAILABLE)

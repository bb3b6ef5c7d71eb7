"""Whether a request may go on to its service: the rule of the door."""

from dataclasses import dataclass
from typing import Final

from services.gateway.api_keys import KEY_PREFIX, ApiKeyExchange
from services.gateway.route import Access, Route
from services.gateway.routing import Refusal, Router
from shared.chassis.errors import Unavailable
from shared.chassis.identity.revocations import RevocationList
from shared.chassis.identity.tokens import Identity, InvalidToken, TokenVerifier
from shared.schemas.problems import ProblemCode


@dataclass(frozen=True, slots=True)
class Admission:
    """The request may go on; `token` speaks for the API key it came with, if any."""

    token: str | None = None


ADMITTED: Final = Admission()
_UNAVAILABLE: Final = Refusal(ProblemCode.DEPENDENCY_UNAVAILABLE)


class Door:
    """Judges requests by the route table, the token and the live revocations."""

    def __init__(
        self,
        router: Router,
        verifier: TokenVerifier,
        revocations: RevocationList,
        api_keys: ApiKeyExchange,
    ) -> None:
        self._router = router
        self._verifier = verifier
        self._revocations = revocations
        self._api_keys = api_keys

    async def judge(
        self, method: str, target: str, authorization: str, api_key: str, *, address: str = ""
    ) -> Admission | Refusal:
        """Return the decision about one request; empty strings stand for absent headers.

        `address` is the client's, for the record of an API key's use.

        Never raises for anything a client can send. Cancelling is safe.
        """
        route = self._router.find(method, target)
        if isinstance(route, Refusal):
            return route
        is_public = route.access is Access.PUBLIC
        credential = api_key or _bearer(authorization)
        if is_public and not (route.takes_tokens and credential):
            return ADMITTED
        try:
            if api_key or credential.startswith(KEY_PREFIX):
                return await self._judge_key(route, credential, address)
            return await self._judge_token(route, credential)
        except InvalidToken as error:
            # One that has run out says no more than none: the service looks for another proof.
            is_none = is_public and error.code is ProblemCode.TOKEN_EXPIRED
            return ADMITTED if is_none else Refusal(error.code)
        except Unavailable:
            return _UNAVAILABLE

    async def _judge_token(self, route: Route, token: str) -> Admission | Refusal:
        if not token:
            raise InvalidToken(ProblemCode.AUTHENTICATION_REQUIRED)
        identity = await self._verifier.verify(token)
        if self._is_revoked(identity):
            raise InvalidToken(ProblemCode.TOKEN_REVOKED)
        return _judge_rights(route, identity) or ADMITTED

    async def _judge_key(self, route: Route, key: str, address: str) -> Admission | Refusal:
        token = await self._api_keys.token(key, address)
        identity = await self._verifier.verify(token)
        if self._is_revoked(identity):
            self._api_keys.drop(key)
            raise InvalidToken(ProblemCode.API_KEY_INVALID)
        return _judge_rights(route, identity) or Admission(token)

    def _is_revoked(self, identity: Identity) -> bool:
        # What cannot be known to be live is not let in, and not called revoked either.
        if self._revocations.stale:
            raise Unavailable("auth")
        return self._revocations.is_revoked(identity)


def _bearer(authorization: str) -> str:
    scheme, _, credential = authorization.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _judge_rights(route: Route, identity: Identity) -> Refusal | None:
    if route.access is Access.ADMINISTRATOR and not identity.is_administrator:
        return Refusal(ProblemCode.ADMINISTRATOR_REQUIRED)
    # A session may do all that its user may; a key what it was made for.
    scopes = identity.scopes
    if scopes is not None and route.scope is not None and route.scope not in scopes:
        return Refusal(ProblemCode.SCOPE_MISSING, scope=route.scope)
    return None

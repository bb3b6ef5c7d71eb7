"""From an application's request, by way of its user, to a code."""

import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from uuid_utils.compat import uuid7

from services.auth.audit.log import Action, record
from services.auth.provider import clients, store
from services.auth.provider.errors import OAuthError
from services.auth.provider.forms import can_be_kept
from services.auth.provider.store import BrowserSession, Client, NewGrant, UsedCode
from services.auth.records import Device
from services.auth.refresh_tokens import RefreshTokens
from services.auth.secret_hashes import hash_secret
from services.auth.sessions import REUSE_GRACE
from services.auth.store import hold_user
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.schemas.api.provider import SCOPES
from shared.schemas.problems import ProblemCode

CODE_LIFETIME: Final = timedelta(seconds=60)
GRANT_LIFETIME: Final = timedelta(days=30)
"""For how long an application is signed in at most, however often it refreshes."""
_CODE_BYTES: Final = 32
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_NEW_LOG_IN: Final = frozenset({"login", "select_account"})
"""Prompts that a log-in fulfils: a browser has one account at a time, so another one logs in."""
FINGERPRINT_BYTES: Final = 16
_LONGEST_STATE: Final = 2048
_LONGEST_NONCE: Final = 512


class UnsafeRequestError(Exception):
    """A request that no redirect may answer; the text is for the person who sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request that was found to be in order."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    code_challenge: str | None
    """None where a client need not send one and did not."""
    prompts: frozenset[str]
    max_age: int | None
    """Seconds since the user last proved who they are."""
    subject: str | None = None
    """Who it has to be, by the ID token that the application sent along as a hint."""
    fingerprint: bytes
    """The same for the same parameters, whatever their order."""

    @property
    def asks_for_log_in(self) -> bool:
        """Whether it may not be enough that somebody is signed in."""
        return bool(self.prompts & _NEW_LOG_IN) or self.max_age is not None


class RedirectError(Exception):
    """An error that the application is told by a redirect."""

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__(location)


class Authorization:
    """Reads requests, knows who sits at the browser, and gives out codes."""

    def __init__(self, database: Database, tokens: RefreshTokens, *, issuer: str) -> None:
        self._database = database
        self._tokens = tokens
        self._issuer = issuer

    async def read(self, parameters: Mapping[str, str]) -> AuthorizationRequest:
        """Return a request that is in order.

        Raises UnsafeRequestError while client and address are not known to belong together, and
        RedirectError for everything else.
        """
        # Without a value it counts as left out (RFC 6749).
        parameters = {name: text for name, text in parameters.items() if text}
        if not can_be_kept(parameters):
            raise UnsafeRequestError("The application sent a request that cannot be read.")
        client = await store.find_client(self._database, parameters.get("client_id", ""))
        if client is None:
            raise UnsafeRequestError("The application that sent you here is not registered.")
        redirect_uri = parameters.get("redirect_uri", "")
        if not clients.may_redirect(client, redirect_uri):
            raise UnsafeRequestError(
                f"{client.name} asked to send you to an address that it has not registered."
            )
        try:
            return self._checked(client, redirect_uri, parameters)
        except OAuthError as error:
            raise RedirectError(
                self.location(
                    redirect_uri,
                    parameters.get("state"),
                    error=error.code,
                    error_description=error.description,
                )
            ) from error

    async def session(self, refresh_token: str | None) -> BrowserSession | None:
        """Return who sits at a browser by its refresh cookie, which is read and not rotated.

        One that was just replaced counts for as long as a refresh takes it.
        """
        claim = None if refresh_token is None else self._tokens.read(refresh_token)
        if claim is None:
            return None
        return await store.find_browser_session(
            self._database, claim.session_id, claim.counter, grace=REUSE_GRACE
        )

    async def now(self) -> datetime:
        """Return the time by the clock that sessions are opened by."""
        return await store.now(self._database)

    async def needs(
        self,
        request: AuthorizationRequest,
        session: BrowserSession | None,
        *,
        waiting_since: datetime | None,
    ) -> str:
        """Return what has to happen before a code: `login`, `consent`, or an empty text.

        `waiting_since` is when the same request was found to need a log-in, if it was: a session
        that was opened since then is that log-in.
        """
        if session is None or request.subject not in {None, str(session.user_id)}:
            return "login"
        is_new = waiting_since is not None and session.authenticated_at > waiting_since
        if not is_new and _is_too_old(request, session):
            return "login"
        if request.client.is_trusted and "consent" not in request.prompts:
            return ""
        allowed = await store.find_consent(self._database, session.user_id, request.client.id)
        was_asked = allowed >= set(request.scopes) and "consent" not in request.prompts
        return "" if was_asked else "consent"

    async def grant(
        self, request: AuthorizationRequest, session: BrowserSession, device: Device
    ) -> str:
        """Return where to send the browser with a code for the application.

        Raises a 401 problem if the session ended this moment. The account is held first, so whoever
        ends its access comes before, and is heeded, or after, and ends this sign-in as well.
        """
        code = secrets.token_urlsafe(_CODE_BYTES)
        stays = "offline_access" in request.scopes
        grant = NewGrant(
            id=uuid7(),
            client_id=request.client.id,
            user_id=session.user_id,
            session_id=None if stays else session.id,
            sid=session.id,
            scopes=request.scopes,
            nonce=request.nonce,
            methods=session.methods,
            authenticated_at=session.authenticated_at,
        )
        async with self._database.transaction() as transaction:
            await hold_user(transaction, session.user_id)
            if not await store.insert_participant(transaction, session.id, request.client.id):
                raise Problem(ProblemCode.AUTHENTICATION_REQUIRED)
            await store.insert_grant(transaction, grant, lifetime=GRANT_LIFETIME)
            await store.insert_code(
                transaction,
                hash_secret(code),
                UsedCode(grant.id, request.redirect_uri, request.code_challenge),
                lifetime=CODE_LIFETIME,
            )
            await store.put_consent(transaction, session.user_id, request.client.id, request.scopes)
            await record(
                transaction,
                Action.APPLICATION_SIGNED_IN,
                user_id=session.user_id,
                session_id=session.id,
                device=device,
                client_id=request.client.id,
            )
        return self.location(request.redirect_uri, request.state, code=code)

    def refuse(self, request: AuthorizationRequest, code: str, description: str) -> str:
        """Return where to send the browser with an error for the application."""
        return self.location(
            request.redirect_uri, request.state, error=code, error_description=description
        )

    def location(self, redirect_uri: str, state: str | None, **parameters: str) -> str:
        """Return an application's address with an answer that names us as its issuer (RFC 9207)."""
        if state is not None:
            parameters["state"] = state[:_LONGEST_STATE]
        parts = urlsplit(redirect_uri)
        query = "&".join(
            text for text in (parts.query, urlencode(parameters | {"iss": self._issuer})) if text
        )
        return urlunsplit(parts._replace(query=query))

    @staticmethod
    def _checked(
        client: Client, redirect_uri: str, parameters: Mapping[str, str]
    ) -> AuthorizationRequest:
        _require_supported(parameters)
        _require_challenge(client, parameters)
        wanted = parameters.get("scope", "").split()
        if "openid" not in wanted:
            raise OAuthError("invalid_scope", "Ask for the scope openid.")
        unknown = [scope for scope in wanted if scope in SCOPES and scope not in client.scopes]
        if unknown:
            raise OAuthError("invalid_scope", f"The client may not ask for {unknown[0]}.")
        prompts = frozenset(parameters.get("prompt", "").split())
        if "none" in prompts and len(prompts) > 1:
            raise OAuthError("invalid_request", "prompt=none stands alone.")
        max_age = parameters.get("max_age")
        if max_age is not None and not re.fullmatch(r"[0-9]{1,9}", max_age):
            raise OAuthError("invalid_request", "max_age is a number of seconds.")
        return AuthorizationRequest(
            client=client,
            redirect_uri=redirect_uri,
            scopes=tuple(scope for scope in SCOPES if scope in wanted),
            state=parameters.get("state"),
            nonce=parameters.get("nonce"),
            code_challenge=parameters.get("code_challenge"),
            prompts=prompts,
            max_age=None if max_age is None else int(max_age),
            fingerprint=_fingerprint(parameters),
        )


def _fingerprint(parameters: Mapping[str, str]) -> bytes:
    text = urlencode(sorted(parameters.items()))
    return hashlib.sha256(text.encode()).digest()[:FINGERPRINT_BYTES]


def _is_too_old(request: AuthorizationRequest, session: BrowserSession) -> bool:
    if request.prompts & _NEW_LOG_IN:
        return True
    age = time.time() - session.authenticated_at.timestamp()
    return request.max_age is not None and age > request.max_age


def _require_supported(parameters: Mapping[str, str]) -> None:
    if "request" in parameters:
        raise OAuthError("request_not_supported", "Send the parameters themselves.")
    if "request_uri" in parameters:
        raise OAuthError("request_uri_not_supported", "Send the parameters themselves.")
    if not parameters.get("response_type"):
        raise OAuthError("invalid_request", "Send response_type=code.")
    if parameters["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code is supported.")
    if parameters.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "Only response_mode=query is supported.")
    if len(parameters.get("nonce", "")) > _LONGEST_NONCE:
        raise OAuthError("invalid_request", f"nonce has at most {_LONGEST_NONCE} characters.")
    if len(parameters.get("state", "")) > _LONGEST_STATE:
        raise OAuthError("invalid_request", f"state has at most {_LONGEST_STATE} characters.")


def _require_challenge(client: Client, parameters: Mapping[str, str]) -> None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None and method is None and not client.require_pkce:
        return
    # Without a method RFC 7636 means `plain`, which protects from nobody who reads the request.
    if method != "S256" or challenge is None or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "Send PKCE with code_challenge_method=S256.")

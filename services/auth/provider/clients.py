"""Applications that may sign users in."""

import base64
import binascii
import hmac
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from services.auth.provider import store
from services.auth.provider.errors import OAuthError
from services.auth.provider.store import Client
from services.auth.secret_hashes import hash_secret
from services.auth.signing_keys import Algorithm
from shared.chassis.database import Executor
from shared.chassis.errors import Problem
from shared.schemas.api.provider import SCOPES, OAuthClientCreate, OAuthClientUpdate
from shared.schemas.problems import FieldError, ProblemCode

_LOOPBACK: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 12


def new_client(request: OAuthClientCreate) -> tuple[Client, str | None]:
    """Return a client with an id of our choice and its secret, which is stored only as a hash.

    Raises a 422 problem for addresses that nobody may be sent to, and for a public client without
    PKCE.
    """
    secret = None if request.is_public else secrets.token_urlsafe(_SECRET_BYTES)
    client = Client(
        id=f"client-{secrets.token_hex(_ID_BYTES)}",
        name=request.name,
        secret_hash=None if secret is None else hash_secret(secret),
        redirect_uris=tuple(request.redirect_uris),
        post_logout_redirect_uris=tuple(request.post_logout_redirect_uris),
        scopes=tuple(scope for scope in SCOPES if scope in request.scopes),
        is_trusted=request.is_trusted,
        backchannel_logout_uri=request.backchannel_logout_uri,
        id_token_algorithm=Algorithm(request.id_token_signed_response_alg),
        backchannel_logout_session_required=request.backchannel_logout_session_required,
        require_pkce=request.require_pkce,
        created_at=datetime.now(UTC),
    )
    _require_sound(client)
    return client, secret


def changed_client(client: Client, request: OAuthClientUpdate) -> Client:
    """Return a client with what a request names changed. Raises as `new_client` does."""
    redirects, logout_redirects = request.redirect_uris, request.post_logout_redirect_uris
    is_trusted, scopes = request.is_trusted, request.scopes
    algorithm = request.id_token_signed_response_alg
    is_required, require_pkce = request.backchannel_logout_session_required, request.require_pkce
    changed = replace(
        client,
        name=request.name or client.name,
        redirect_uris=client.redirect_uris if redirects is None else tuple(redirects),
        post_logout_redirect_uris=client.post_logout_redirect_uris
        if logout_redirects is None
        else tuple(logout_redirects),
        # The one that can be taken away.
        backchannel_logout_uri=request.backchannel_logout_uri
        if "backchannel_logout_uri" in request.model_fields_set
        else client.backchannel_logout_uri,
        id_token_algorithm=client.id_token_algorithm if algorithm is None else Algorithm(algorithm),
        backchannel_logout_session_required=client.backchannel_logout_session_required
        if is_required is None
        else is_required,
        require_pkce=client.require_pkce if require_pkce is None else require_pkce,
        scopes=client.scopes
        if scopes is None
        else tuple(scope for scope in SCOPES if scope in scopes),
        is_trusted=client.is_trusted if is_trusted is None else is_trusted,
    )
    _require_sound(changed)
    return changed


def with_new_secret(client: Client) -> tuple[Client, str]:
    """Return a client with another secret, and that. Raises a 422 problem for a public client."""
    if client.secret_hash is None:
        message = "A public client keeps no secret."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="client_id", message=message)]
        )
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return replace(client, secret_hash=hash_secret(secret)), secret


def may_redirect(client: Client, uri: str) -> bool:
    """Tell whether a client registered exactly this address; on loopback the port is free."""
    return uri in client.redirect_uris or any(
        _same_but_port(uri, registered) for registered in client.redirect_uris
    )


async def authenticate(
    executor: Executor, authorization: str | None, form: dict[str, str]
) -> Client:
    """Return the client that sends a request, by its secret if it has one.

    Raises OAuthError `invalid_client`.
    """
    client_id, secret = _credentials(authorization, form)
    if not client_id:
        raise OAuthError(
            "invalid_client",
            "The application did not say who it is: send client_id, or authenticate by HTTP Basic.",
            status=401,
        )
    client = await store.find_client(executor, client_id)
    if client is None:
        raise OAuthError("invalid_client", "There is no such client.", status=401)
    if client.secret_hash is None:
        if secret is not None:
            raise OAuthError("invalid_client", "A public client has no secret.", status=401)
        return client
    if secret is None or not hmac.compare_digest(hash_secret(secret), client.secret_hash):
        raise OAuthError("invalid_client", "The client's secret is wrong.", status=401)
    return client


def _require_sound(client: Client) -> None:
    is_public = client.secret_hash is None
    addresses = [("redirect_uris", uri, is_public) for uri in client.redirect_uris]
    addresses += [
        ("post_logout_redirect_uris", uri, is_public) for uri in client.post_logout_redirect_uris
    ]
    if client.backchannel_logout_uri is not None:
        addresses.append(("backchannel_logout_uri", client.backchannel_logout_uri, False))
    errors = [
        FieldError(field=field, message=f"{uri}: {fault}")
        for field, uri, public in addresses
        if (fault := _fault(uri, public=public)) is not None
    ]
    if is_public and not client.require_pkce:
        message = "A public client has nothing but PKCE to show that a code is its own."
        errors.append(FieldError(field="require_pkce", message=message))
    if errors:
        raise Problem(ProblemCode.VALIDATION_FAILED, errors=errors)


def _credentials(authorization: str | None, form: dict[str, str]) -> tuple[str, str | None]:
    if authorization is None:
        return form.get("client_id", ""), form.get("client_secret")
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or "client_secret" in form:
        raise OAuthError("invalid_client", "Authenticate in one way only.", status=401)
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise OAuthError("invalid_client", "The header cannot be read.", status=401) from error
    client_id, secret = map(unquote_plus, text.partition(":")[::2])
    if "\0" in client_id + secret:
        raise OAuthError("invalid_client", "The header cannot be read.", status=401)
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_client", "Two different clients are named.", status=401)
    return client_id, secret


def _fault(uri: str, *, public: bool) -> str | None:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "This is no address."
    if "#" in uri or "*" in uri or "@" in parts.netloc or any(map(str.isspace, uri)):
        return "An address has no fragment, no wildcard, no spaces, no user and no password."
    is_secure = parts.scheme == "https" and bool(host)
    is_local = parts.scheme == "http" and _host(parts.netloc) in _LOOPBACK
    # An app's own scheme is named after a domain: com.example.app:/callback
    is_app = public and "." in parts.scheme and not parts.netloc
    return None if is_secure or is_local or is_app else "Use https, or http on loopback."


def _same_but_port(uri: str, registered: str) -> bool:
    try:
        asked, known = urlsplit(uri), urlsplit(registered)
        # Reading it raises ValueError for a port that is no number.
        _ = asked.port
    except ValueError:
        return False
    if known.scheme != "http" or _host(known.netloc) not in _LOOPBACK - {"localhost"}:
        return False
    return (asked.scheme, _host(asked.netloc), asked.path, asked.query, asked.fragment) == (
        *(known.scheme, _host(known.netloc), known.path),
        *(known.query, known.fragment),
    ) and "@" not in asked.netloc


def _host(netloc: str) -> str:
    host, bracket, _ = netloc.partition("]")
    return host + bracket if bracket else netloc.partition(":")[0]

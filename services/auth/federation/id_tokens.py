"""Checking ID tokens."""

import hmac
import time
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from services.auth.federation.errors import UntrustedAnswer
from services.auth.federation.providers import TENANT, Metadata, Providers
from services.auth.federation.records import Connection
from services.auth.token_headers import unverified_header

LEEWAY_SECONDS: Final = 60
LONGEST_SUBJECT: Final = 255
SHORTEST_RSA_KEY: Final = 2048
"""Bits."""
_ALGORITHMS: Final[dict[str, type[RSAKey | ECKey | OKPKey]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAKey),
    **dict.fromkeys(("ES256", "ES384", "ES512"), ECKey),
    **dict.fromkeys(("EdDSA", "Ed25519"), OKPKey),
}
"""Signatures by key pairs only: whoever knows a public key must not be able to sign."""


async def checked_claims(
    token: str, connection: Connection, metadata: Metadata, providers: Providers, *, nonce: str
) -> dict[str, Any]:
    """Return the claims of an ID token that answers this very request.

    Raises UntrustedAnswer for one that does not, and ProviderUnavailable if the keys cannot be
    read.
    """
    algorithm, key_id = _header(token)
    candidates = [
        key for key in await providers.keys(metadata, key_id) if _fits(key, algorithm, key_id)
    ]
    if len(candidates) != 1:
        raise UntrustedAnswer("the ID token names no key of the provider")
    claims = _verified(token, algorithm, candidates[0])
    _require_issuer(claims, metadata, candidates[0])
    _require_audience(claims, connection.client_id)
    _require_time(claims)
    answered = claims.get("nonce")
    if not isinstance(answered, str) or not answered.isascii():
        raise UntrustedAnswer("the ID token has no nonce of ours")
    if not hmac.compare_digest(answered, nonce):
        raise UntrustedAnswer("the ID token has not the nonce of this log-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise UntrustedAnswer("the ID token names nobody")
    if not subject.isprintable():
        raise UntrustedAnswer("the ID token names somebody whom no text of ours can hold")
    return claims


def _header(token: str) -> tuple[str, str | None]:
    try:
        header = unverified_header(token)
    except ValueError as error:
        raise UntrustedAnswer("the ID token cannot be read") from error
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise UntrustedAnswer("the ID token is not signed by a key pair")
    if str(kind).upper() != "JWT":
        raise UntrustedAnswer("this is another kind of token")
    return algorithm, None if key_id is None else str(key_id)


def _fits(key: dict[str, Any], algorithm: str, key_id: str | None) -> bool:
    return (
        key.get("kty") == _ALGORITHMS[algorithm].key_type
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and key_id in (None, key.get("kid"))
    )


def _verified(token: str, algorithm: str, jwk: dict[str, Any]) -> dict[str, Any]:
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    try:
        key = _ALGORITHMS[algorithm].import_key(jwk)
        if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA_KEY:
            raise UntrustedAnswer("the provider's key is too short")
        return dict(jwt.decode(token, key, registry=registry).claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise UntrustedAnswer("the ID token's signature is wrong") from error


def _require_issuer(claims: dict[str, Any], metadata: Metadata, key: dict[str, Any]) -> None:
    issuer = claims.get("iss")
    expected = {metadata.issuer.replace(TENANT, str(claims.get("tid")))}
    # Microsoft says of a key which tenants it signs for.
    expected &= {str(key.get("issuer", issuer)).replace(TENANT, str(claims.get("tid")))}
    if not metadata.is_issuer(issuer) or issuer not in expected:
        raise UntrustedAnswer("the ID token is of another issuer")


def _require_audience(claims: dict[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise UntrustedAnswer("the ID token is for another client")
    if claims.get("azp", None if len(audiences) > 1 else client_id) != client_id:
        raise UntrustedAnswer("the ID token was given to another client")


def _require_time(claims: dict[str, Any]) -> None:
    now = time.time()
    for name in ("exp", "iat"):
        value = claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UntrustedAnswer(f"the ID token has no {name}")
    if claims["exp"] <= now - LEEWAY_SECONDS:
        raise UntrustedAnswer("the ID token has expired")
    before = claims.get("nbf", claims["iat"])
    if not isinstance(before, int | float) or max(before, claims["iat"]) > now + LEEWAY_SECONDS:
        raise UntrustedAnswer("the ID token is from the future")

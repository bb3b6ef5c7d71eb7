"""What providers publish of themselves: where they are, and the keys that sign their tokens."""

import json
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from services.auth.federation.errors import ProviderUnavailable
from services.auth.federation.presets import PRESETS
from services.auth.federation.records import Connection
from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.requests import OutgoingRequests, Unreachable
from shared.chassis.outgoing.urls import check_url
from shared.schemas.api.connections import ConnectionKind

ANSWER_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 256 * 1024
"""Bytes; the largest key sets with certificates have about thirty thousand."""
FRESH_SECONDS: Final = 3600.0
"""For how long a discovery document and keys are taken as they were."""
REFETCH_SECONDS: Final = 60.0
"""How long keys are left alone although a token names one that is not among them."""
CACHED: Final = 64
TENANT: Final = "{tenantid}"
_TENANT_ID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SUCCESS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Where a provider is. `issuer` may be a template over tenants, as Microsoft's is."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str | None
    userinfo_endpoint: str | None
    token_auth_methods: tuple[str, ...]
    names_itself: bool
    """Whether every authorization response carries `iss` (RFC 9207)."""

    def is_issuer(self, issuer: object) -> bool:
        """Tell whether this is the provider's name, or a tenant's of a provider that has many."""
        if TENANT not in self.issuer or not isinstance(issuer, str):
            return issuer == self.issuer
        before, after = map(re.escape, self.issuer.split(TENANT))
        return re.fullmatch(before + _TENANT_ID + after, issuer) is not None


@dataclass(slots=True)
class _Cached:
    value: dict[str, Any]
    fetched_at: float


class Providers:
    """Reads discovery documents and key sets, and keeps a bounded number for an hour.

    Every request goes through the guard against the own network, follows no redirect, and is
    bounded in time and size. Safe to use from many tasks; of several that ask at once each may
    fetch.
    """

    def __init__(self, requests: OutgoingRequests, guard: AddressGuard) -> None:
        self._requests = requests
        self._guard = guard
        self._documents: OrderedDict[str, _Cached] = OrderedDict()

    async def metadata(self, connection: Connection) -> Metadata:
        """Return where a connection's provider is. Raises ProviderUnavailable."""
        if not PRESETS[connection.kind].has_id_tokens:
            return self._checked(_github(connection.issuer))
        issuer = connection.issuer
        self._check("issuer", issuer)
        document = await self._document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        expected = {issuer}
        if connection.kind is ConnectionKind.MICROSOFT:
            expected.add(_tenant_template(issuer))
        if document.get("issuer") not in expected:
            raise ProviderUnavailable("its discovery document names another issuer")
        return self._checked(
            Metadata(
                issuer=document["issuer"],
                authorization_endpoint=_text(document, "authorization_endpoint"),
                token_endpoint=_text(document, "token_endpoint"),
                jwks_uri=_text(document, "jwks_uri"),
                userinfo_endpoint=_text(document, "userinfo_endpoint")
                if "userinfo_endpoint" in document
                else None,
                token_auth_methods=_texts(
                    document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
                ),
                names_itself=document.get("authorization_response_iss_parameter_supported") is True,
            )
        )

    async def keys(self, metadata: Metadata, key_id: str | None) -> list[dict[str, Any]]:
        """Return a provider's keys, fetched again if none has this id. Raises ProviderUnavailable.

        They are fetched once a minute at most, however many tokens name keys that are not there.
        """
        if metadata.jwks_uri is None:
            raise ProviderUnavailable("it publishes no keys")
        keys = _keys(await self._document(metadata.jwks_uri))
        if key_id is not None and all(key.get("kid") != key_id for key in keys):
            keys = _keys(await self._document(metadata.jwks_uri, fresh_for=REFETCH_SECONDS))
        return keys

    async def call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer. Raises ProviderUnavailable."""
        sent = {"Accept": "application/json", "User-Agent": "Freehold", **headers}
        try:
            answer = await self._requests.fetch(
                method, url, sent, body, seconds=ANSWER_SECONDS, most_bytes=LARGEST_ANSWER
            )
            return answer.status, json.loads(answer.body)
        except Unreachable as error:
            raise ProviderUnavailable(str(error)) from error
        except (ValueError, RecursionError) as error:
            raise ProviderUnavailable(f"what {url} answers is not JSON") from error

    async def _document(self, url: str, *, fresh_for: float | None = None) -> dict[str, Any]:
        cached = self._documents.get(url)
        most = FRESH_SECONDS if fresh_for is None else fresh_for
        if cached is not None and time.monotonic() - cached.fetched_at < most:
            self._documents.move_to_end(url)
            return cached.value
        status, value = await self.call("GET", url, {})
        if status != _SUCCESS or not isinstance(value, dict):
            raise ProviderUnavailable(f"{url} answers with status {status} and no document")
        self._documents[url] = _Cached(value, time.monotonic())
        self._documents.move_to_end(url)
        while len(self._documents) > CACHED:
            self._documents.popitem(last=False)
        return value

    def _checked(self, metadata: Metadata) -> Metadata:
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            url = getattr(metadata, name)
            if url is not None:
                self._check(name, url)
        return metadata

    def _check(self, name: str, url: str) -> None:
        try:
            check_url(url, self._guard)
        except ValueError as error:
            raise ProviderUnavailable(f"its {name} is refused: {error}") from error


def _github(issuer: str) -> Metadata:
    """Return what GitHub publishes nowhere; one's own GitHub has its API below `/api/v3`."""
    host = urlsplit(issuer).netloc
    api = "https://api.github.com"
    if host != "github.com":
        api = f"{urlsplit(issuer).scheme}://{host}/api/v3"
    return Metadata(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/access_token",
        jwks_uri=None,
        userinfo_endpoint=f"{api}/user",
        token_auth_methods=("client_secret_post",),
        names_itself=False,
    )


def _tenant_template(issuer: str) -> str:
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/{TENANT}/v2.0"


def _keys(document: dict[str, Any]) -> list[dict[str, Any]]:
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise ProviderUnavailable("its key set has no keys")
    return [key for key in keys if isinstance(key, dict)]


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ProviderUnavailable(f"its discovery document has no {name}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()

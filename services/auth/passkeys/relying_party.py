"""What passkeys are made for and checked against; only this module knows the WebAuthn library."""

import ipaddress
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_client_data_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.auth.passkeys.records import Credential, NewPasskey
from services.auth.records import Account
from shared.chassis.errors import Problem
from shared.schemas.api.passkeys import NewPasskeyCredential, PasskeyCredential
from shared.schemas.problems import ProblemCode

logger = logging.getLogger(__name__)

CHALLENGE_SECONDS: Final = 300
_LARGEST_CREDENTIAL_ID: Final = 1023
_LARGEST_PUBLIC_KEY: Final = 4096
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TRANSPORTS: Final = frozenset(transport.value for transport in AuthenticatorTransport)
_MILLISECONDS: Final = 1000
_LOCALHOST: Final = "localhost"

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Asserted:
    """What an authenticator said with a good signature."""

    sign_count: int
    is_backed_up: bool


class RelyingParty:
    """This installation, as authenticators know it: by the host of its public address.

    Pages of that origin may use its passkeys, and those of the allowed origins whose host is the
    same or lies below it; browsers let no others. A machine that is reached by 127.0.0.1 and as
    localhost is known by the latter, because browsers keep no passkeys for addresses.

    The user has to be verified, by finger, face or PIN, every time: a passkey alone is then two
    factors.
    """

    def __init__(self, public_url: str, client_origins: Collection[str]) -> None:
        hosts = {
            origin: urlsplit(origin).hostname or "" for origin in (public_url, *client_origins)
        }
        self._id = hosts[public_url]
        if _is_loopback(self._id) and _LOCALHOST in hosts.values():
            self._id = _LOCALHOST
        self._is_available = bool(self._id) and not _is_address(self._id)
        self._origins = [
            normal_origin(origin) for origin, host in hosts.items() if _is_within(host, self._id)
        ]

    def require_available(self) -> None:
        """Raise a 409 problem if the public address has no host name, only an IP address."""
        if not self._is_available:
            raise Problem(ProblemCode.PASSKEYS_UNAVAILABLE)

    def creation_options(
        self, account: Account, challenge: bytes, existing: Sequence[Credential]
    ) -> dict[str, Any]:
        """Return what a browser needs to make a passkey that can be found without a name."""
        options = generate_registration_options(
            rp_id=self._id,
            rp_name=self._id,
            user_id=account.id.bytes,
            user_name=account.email,
            user_display_name=account.name or account.email,
            challenge=challenge,
            timeout=CHALLENGE_SECONDS * _MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_descriptor(credential) for credential in existing],
        )
        return options_to_json_dict(options)

    def request_options(self, challenge: bytes, allowed: Sequence[Credential]) -> dict[str, Any]:
        """Return what a browser needs to sign with one of the passkeys, or with any it finds."""
        options = generate_authentication_options(
            rp_id=self._id,
            challenge=challenge,
            timeout=CHALLENGE_SECONDS * _MILLISECONDS,
            allow_credentials=[_descriptor(credential) for credential in allowed],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def new_passkey(self, credential: NewPasskeyCredential, challenge: bytes) -> NewPasskey | None:
        """Return the passkey that was made for a challenge; None if anything is not in order."""

        def check() -> NewPasskey | None:
            verified = verify_registration_response(
                credential=credential.model_dump(by_alias=True),
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
            key = verified.credential_public_key
            decoded_public_key_to_cryptography(decode_credential_public_key(key))
            if (
                verified.credential_id != base64url_to_bytes(credential.raw_id)
                or len(verified.credential_id) > _LARGEST_CREDENTIAL_ID
                or len(key) > _LARGEST_PUBLIC_KEY
            ):
                return None
            return NewPasskey(
                credential_id=verified.credential_id,
                public_key=key,
                sign_count=verified.sign_count,
                transports=tuple(sorted(_TRANSPORTS.intersection(credential.response.transports))),
                is_backed_up=verified.credential_backed_up,
            )

        return _unless_malformed(check)

    def asserted(
        self, credential: PasskeyCredential, challenge: bytes, public_key: bytes
    ) -> Asserted | None:
        """Return what was signed for a challenge; None if anything but the counter is wrong.

        The counter is left to the caller: the library would look at it before the signature, and
        only what is signed says something about copies.
        """

        def check() -> Asserted:
            verified = verify_authentication_response(
                credential=credential.model_dump(by_alias=True),
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origins,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
            return Asserted(verified.new_sign_count, verified.credential_backed_up)

        return _unless_malformed(check)


def challenge_of(client_data: str) -> bytes | None:
    """Return the challenge that a browser says was signed; None if it cannot be read.

    None too for a page inside one of another origin, whose user sees that one's address.
    """

    def read() -> bytes | None:
        said = parse_client_data_json(base64url_to_bytes(client_data))
        return None if said.cross_origin else said.challenge

    return _unless_malformed(read)


def bytes_of(text: str) -> bytes | None:
    """Return what base64url stands for; None if it is none."""
    return _unless_malformed(lambda: base64url_to_bytes(text))


def normal_origin(address: str) -> str:
    """Return an origin as browsers write it: in small letters, without the usual port.

    >>> normal_origin("HTTPS://Example.com:443")
    'https://example.com'
    """
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{parts.port}"


def _unless_malformed(parse: Callable[[], ResultT]) -> ResultT | None:
    try:
        return parse()
    except Exception as error:  # noqa: BLE001 - the parsers of the library raise whatever they do
        # The text of the error holds what a stranger sent; its kind says enough.
        logger.info(
            "a passkey was refused",
            extra={"action": "passkey_refused", "reason": type(error).__name__},
        )
        return None


def _descriptor(credential: Credential) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        id=credential.credential_id,
        transports=[AuthenticatorTransport(name) for name in credential.transports],
    )


def _is_within(host: str, parent: str) -> bool:
    return host == parent or host.endswith(f".{parent}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_loopback

"""What is known of well-known providers before anybody sets them up."""

from dataclasses import dataclass
from typing import Final

from shared.schemas.api.connections import ConnectionKind

OPENID_SCOPES: Final = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a kind of connection needs."""

    issuer: str | None
    """None where whoever sets it up has to say it."""
    scopes: tuple[str, ...] = OPENID_SCOPES
    has_id_tokens: bool = True
    answers_by_form: bool = False
    """Whether the browser comes back by a POST from the provider's site, without a Lax cookie."""
    verified_claim: str = "email_verified"
    """What says that the provider vouches for the address."""


PRESETS: Final = {
    ConnectionKind.OIDC: Preset(issuer=None),
    ConnectionKind.GOOGLE: Preset(issuer="https://accounts.google.com"),
    ConnectionKind.GITHUB: Preset(
        issuer="https://github.com/login/oauth",
        scopes=("read:user", "user:email"),
        has_id_tokens=False,
    ),
    # Any administrator of any tenant can write any address into `email`. Only this claim, which
    # has to be switched on for the application there, says that the tenant owns its domain.
    ConnectionKind.MICROSOFT: Preset(
        issuer="https://login.microsoftonline.com/common/v2.0", verified_claim="xms_edov"
    ),
    ConnectionKind.APPLE: Preset(
        issuer="https://appleid.apple.com",
        scopes=("openid", "email", "name"),
        answers_by_form=True,
    ),
}

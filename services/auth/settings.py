"""Settings of the auth service."""

import os
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.chassis.settings import BusSettings, DatabaseSettings, Networks, Settings


class AuthSettings(Settings, DatabaseSettings, BusSettings):
    """What an operator can set; every name is `FREEHOLD_` and the field in capitals."""

    master_key: SecretStr = Field(
        min_length=32,
        description="Secret that signing keys are encrypted with and that links, refresh tokens "
        "and log-in counters are derived from. Losing it ends every session and pending link and "
        "makes the signing keys unreadable; accounts and passwords survive.",
    )
    bcrypt_cost: int | None = Field(
        default=None,
        ge=4,
        le=16,
        description="Work factor of password hashes; each step doubles the time of a log-in. "
        "Without it, it is measured once, at the first start, for a quarter of a second (11 to "
        "14). Too low and stolen hashes are cracked sooner; too high and few log-ins fit into a "
        "second. Below 10 is for tests only.",
    )
    bcrypt_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=64,
        description="Passwords hashed at the same time by one process; more than the machine's "
        "cores only makes each of them slower.",
    )
    bcrypt_queue: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Requests that may wait for a hashing thread; further ones are answered 503 "
        "at once. Too high and people wait longer than their patience; too low and a short burst "
        "of log-ins is refused.",
    )
    password_min_length: int = Field(
        default=8,
        ge=8,
        le=64,
        description="Least number of characters of a new password.",
    )
    session_lifetime_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="Days after which a session ends, however much it is used.",
    )
    session_idle_days: int = Field(
        default=14,
        ge=1,
        le=365,
        description="Days without a refresh after which a session ends; longer than "
        "session_lifetime_days has no effect.",
    )
    signing_key_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="Days for which one key signs access tokens before the next takes over; "
        "nobody is logged out by it. Too low and caches of the key set are renewed for nothing; "
        "too high and a stolen key is of use for longer.",
    )
    signup_lifetime_hours: int = Field(
        default=24,
        ge=1,
        le=168,
        description="Hours for which the link of a verification mail is good.",
    )
    breached_passwords_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        examples=["https://service.example.com/path"],
        description="Address of a list of stolen passwords that speaks the range protocol of Have "
        "I Been Pwned, without the prefix at its end, such as "
        "https://api.pwnedpasswords.com/range. It learns five characters of a hash of each "
        "password that somebody chooses. If it cannot be asked within two seconds, the password "
        "is accepted and auth_breached_password_checks_total counts it.",
    )
    captcha_verify_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        examples=["https://service.example.com/path"],
        description="Address that a CAPTCHA's tokens are verified at (`siteverify`), such as "
        "https://challenges.cloudflare.com/turnstile/v0/siteverify. With it, sign-up, forgotten "
        "passwords and magic links take a `captcha_token`, and log-ins too from devices that an "
        "account does not know, after many wrong passwords. Needs captcha_secret.",
    )
    captcha_secret: SecretStr | None = Field(
        default=None, description="Secret that the CAPTCHA's provider knows this installation by."
    )
    audit_days: int = Field(
        default=400,
        ge=30,
        le=36_500,
        description="Days for which the log of what was done to accounts is kept. Too low and "
        "what a thief did is forgotten before anybody looks; too high and the log of a busy "
        "site, failed log-ins included, fills the disk.",
    )
    federation_allowed_networks: Networks = Field(
        default=(),
        description="Networks besides the internet in which providers that people log in with, "
        "and applications that are told of logouts, may be, comma separated, such as 10.1.0.0/16; "
        "http is allowed there too. Whoever administers this installation can then make it send "
        "requests to every server in them.",
    )

    @model_validator(mode="after")
    def _captcha_is_whole(self) -> Self:
        if (self.captcha_verify_url is None) != (self.captcha_secret is None):
            raise ValueError("captcha_verify_url and captcha_secret are set together or not at all")
        return self

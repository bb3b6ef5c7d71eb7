"""What the auth service measures besides the chassis' metrics."""

from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram


class LoginOutcome(StrEnum):
    """How an attempt to log in with a password ended."""

    SUCCESS = "success"
    WRONG = "wrong"
    THROTTLED = "throttled"
    CAPTCHA_REQUIRED = "captcha_required"
    OVERLOADED = "overloaded"


class PasskeyOutcome(StrEnum):
    """What came of something that a passkey was said to have signed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    COPIED = "copied"


class BreachOutcome(StrEnum):
    """What a list of stolen passwords said of one that somebody chose."""

    CLEAN = "clean"
    BREACHED = "breached"
    UNAVAILABLE = "unavailable"


LOGINS = Counter("auth_logins_total", "Attempts to log in with a password", ["outcome"])
REFRESHES = Counter("auth_refreshes_total", "Attempts to refresh a session", ["outcome"])
SECOND_PROOFS = Counter(
    "auth_second_proofs_total", "Codes given as a second proof, at log-in and later", ["outcome"]
)
PASSKEYS = Counter("auth_passkeys_total", "Proofs by passkey, at log-in and later", ["outcome"])
FEDERATED_LOG_INS = Counter(
    "auth_federated_log_ins_total", "Browsers that came back from another provider", ["outcome"]
)
CAPTCHAS = Counter("auth_captchas_total", "Questions to the CAPTCHA's provider", ["verdict"])
BREACHED_PASSWORD_CHECKS = Counter(
    "auth_breached_password_checks_total",
    "Questions to the list of stolen passwords",
    ["outcome"],
)
PASSWORD_QUEUE = Gauge(
    "auth_password_queue", "Requests that hash a password or wait for a thread to do so"
)
PASSWORD_HASH_DURATION = Histogram(
    "auth_password_hash_duration_seconds",
    "Time of one bcrypt hash, waiting excluded",
    buckets=(0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5),
)

"""The one error shape of the API (RFC 9457) and every code it can carry.

A code is a promise to client developers: it is never renamed, and a new one is added here first,
because nginx's error bodies, the services' answers and the OpenAPI document are all made from
it and from the table of kinds (`problem_kinds.py`).
"""

from enum import StrEnum

from pydantic import BaseModel, Field

PROBLEM_CONTENT_TYPE = "application/problem+json"


class ProblemCode(StrEnum):
    """A stable, enumerated reason; `/docs` says what each means and what to do."""

    # The request itself
    BAD_REQUEST = "bad_request"
    INVALID_JSON = "invalid_json"
    INVALID_MULTIPART = "invalid_multipart"
    INVALID_CURSOR = "invalid_cursor"
    VALIDATION_FAILED = "validation_failed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    URI_TOO_LONG = "uri_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    HTTP_VERSION_NOT_SUPPORTED = "http_version_not_supported"
    REQUEST_TIMEOUT = "request_timeout"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    UPGRADE_REQUIRED = "upgrade_required"
    RATE_LIMITED = "rate_limited"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    # Who asks
    AUTHENTICATION_REQUIRED = "authentication_required"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - the name of a problem, not a secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the same
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the same
    API_KEY_INVALID = "api_key_invalid"
    FORBIDDEN = "forbidden"
    ADMINISTRATOR_REQUIRED = "administrator_required"
    SCOPE_MISSING = "scope_missing"
    # Auth
    INVALID_CREDENTIALS = "invalid_credentials"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    CAPTCHA_REQUIRED = "captcha_required"
    ACCOUNT_DISABLED = "account_disabled"
    USER_NOT_FOUND = "user_not_found"
    LAST_ADMINISTRATOR = "last_administrator"
    REAUTHENTICATION_REQUIRED = "reauthentication_required"
    LINK_INVALID = "link_invalid"
    EMAIL_TAKEN = "email_taken"
    MFA_TOKEN_INVALID = "mfa_token_invalid"  # noqa: S105 - the name of a problem
    CODE_INVALID = "code_invalid"
    FACTOR_MISSING = "factor_missing"
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    PASSKEY_INVALID = "passkey_invalid"
    PASSKEY_NOT_ADDED = "passkey_not_added"
    PASSKEY_NOT_FOUND = "passkey_not_found"
    PASSKEYS_FULL = "passkeys_full"
    PASSKEYS_UNAVAILABLE = "passkeys_unavailable"
    REFRESH_TOKEN_INVALID = "refresh_token_invalid"  # noqa: S105 - the name of a problem
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - the name of a problem
    SESSION_NOT_FOUND = "session_not_found"
    API_KEY_NOT_FOUND = "api_key_not_found"
    API_KEYS_FULL = "api_keys_full"
    CONNECTION_NOT_FOUND = "connection_not_found"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    SIGN_IN_EXPIRED = "sign_in_expired"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_IN_INVALID = "sign_in_invalid"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    IDENTITY_NOT_FOUND = "identity_not_found"
    IDENTITY_TAKEN = "identity_taken"
    LAST_WAY_IN = "last_way_in"
    ORGANISATION_NOT_FOUND = "organisation_not_found"
    ORGANISATION_ROLE_REQUIRED = "organisation_role_required"
    ORGANISATIONS_FULL = "organisations_full"
    SLUG_TAKEN = "slug_taken"
    MEMBER_NOT_FOUND = "member_not_found"
    MEMBERS_FULL = "members_full"
    ALREADY_MEMBER = "already_member"
    LAST_OWNER = "last_owner"
    SOLE_OWNER = "sole_owner"
    INVITATION_NOT_FOUND = "invitation_not_found"
    INVITATION_FOR_ANOTHER = "invitation_for_another"
    INVITATIONS_FULL = "invitations_full"
    ROLE_NOT_FOUND = "role_not_found"
    ROLE_BUILT_IN = "role_built_in"
    ROLE_IN_USE = "role_in_use"
    ROLES_FULL = "roles_full"
    PERMISSIONS_FULL = "permissions_full"
    SERVICE_ACCOUNT_NOT_FOUND = "service_account_not_found"
    SERVICE_ACCOUNTS_FULL = "service_accounts_full"
    # Files
    FILE_NOT_FOUND = "file_not_found"
    VARIANT_NOT_FOUND = "variant_not_found"
    EMPTY_FILE = "empty_file"
    CONTENT_TYPE_MISMATCH = "content_type_mismatch"
    FILE_NOT_READY = "file_not_ready"
    # Mail
    MESSAGE_NOT_FOUND = "message_not_found"
    # Realtime
    CHANNEL_FORBIDDEN = "channel_forbidden"
    CHANNEL_INVALID = "channel_invalid"
    # Jobs
    JOB_NOT_FOUND = "job_not_found"
    JOB_STATE_CONFLICT = "job_state_conflict"
    UNIQUE_KEY_TAKEN = "unique_key_taken"
    DEAD_LETTER_NOT_FOUND = "dead_letter_not_found"
    DEAD_LETTER_UNREADABLE = "dead_letter_unreadable"
    LEASE_LOST = "lease_lost"
    QUEUE_INVALID = "queue_invalid"
    SCHEDULE_NOT_FOUND = "schedule_not_found"
    SCHEDULE_DECLARED = "schedule_declared"
    EVENT_TYPE_UNKNOWN = "event_type_unknown"
    EVENT_TYPE_NOT_FOUND = "event_type_not_found"
    EVENT_TYPE_RESERVED = "event_type_reserved"
    # Webhooks
    WEBHOOK_NOT_FOUND = "webhook_not_found"
    WEBHOOK_DELIVERY_NOT_FOUND = "webhook_delivery_not_found"
    WEBHOOK_DISABLED = "webhook_disabled"
    # Ours
    INTERNAL_ERROR = "internal_error"
    OVERLOADED = "overloaded"
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(description="Path of the field, dots between levels; empty for the body")
    message: str = Field(description="What is wrong and what is expected")


class ProblemDetails(BaseModel):
    """The body of every error answer, with content type `application/problem+json`."""

    type: str = Field(description="Address of the code's description")
    title: str = Field(description="What kind of problem, the same for every use of the code")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What happened here and what to do")
    code: ProblemCode = Field(description="Stable reason for programs")
    request_id: str = Field(description="Names this request in the logs")
    errors: list[FieldError] | None = Field(default=None, description="Wrong fields, if any")


def problem_type(code: ProblemCode) -> str:
    """Return the `type` member of a code: an address relative to the public one."""
    return f"/docs#problem-{code.value}"

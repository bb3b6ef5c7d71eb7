"""What is the same for every problem of one code: its status, its title, and what to do."""

from http import HTTPStatus
from typing import NamedTuple

from shared.schemas.problems import ProblemCode


class ProblemKind(NamedTuple):
    """What is the same for every problem of one code."""

    status: HTTPStatus
    title: str
    detail: str
    """What is said when the place that raises it has nothing more exact to say."""


def _kind(status: int, title: str, detail: str) -> ProblemKind:
    return ProblemKind(HTTPStatus(status), title, detail)


PROBLEMS: dict[ProblemCode, ProblemKind] = {
    ProblemCode.BAD_REQUEST: _kind(
        400, "Bad request", "The request could not be understood; check its line and headers."
    ),
    ProblemCode.INVALID_JSON: _kind(
        400, "Invalid JSON", "The body is not valid JSON; send one JSON object in UTF-8."
    ),
    ProblemCode.INVALID_MULTIPART: _kind(
        400,
        "Invalid multipart body",
        "The form could not be read; send multipart/form-data with its boundary.",
    ),
    ProblemCode.INVALID_CURSOR: _kind(
        400, "Invalid cursor", "Use the `next` of the previous page unchanged, or leave it out."
    ),
    ProblemCode.VALIDATION_FAILED: _kind(
        422, "Validation failed", "Some fields are missing or wrong; `errors` names each."
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: _kind(
        415, "Unsupported media type", "Send the Content-Type that this call documents."
    ),
    ProblemCode.RANGE_NOT_SATISFIABLE: _kind(
        416, "Range not satisfiable", "The file has fewer bytes; Content-Range says how many."
    ),
    ProblemCode.PAYLOAD_TOO_LARGE: _kind(
        413, "Payload too large", "The body is larger than this call accepts."
    ),
    ProblemCode.URI_TOO_LONG: _kind(414, "URI too long", "Shorten the path or the query."),
    ProblemCode.HEADERS_TOO_LARGE: _kind(
        431, "Headers too large", "Send fewer or shorter headers or cookies."
    ),
    ProblemCode.HTTP_VERSION_NOT_SUPPORTED: _kind(
        505, "HTTP version not supported", "Send the request as HTTP/1.1."
    ),
    ProblemCode.REQUEST_TIMEOUT: _kind(
        408, "Request timeout", "The request did not arrive in time; send it again."
    ),
    ProblemCode.NOT_FOUND: _kind(
        404, "Not found", "There is nothing at this address; see /docs for the calls there are."
    ),
    ProblemCode.METHOD_NOT_ALLOWED: _kind(
        405, "Method not allowed", "This address knows other methods; see the Allow header."
    ),
    ProblemCode.IDEMPOTENCY_KEY_REUSED: _kind(
        422,
        "Idempotency key reused",
        "Another request was sent under this Idempotency-Key; choose a new one for each request.",
    ),
    ProblemCode.UPGRADE_REQUIRED: _kind(
        426, "Upgrade required", "This address speaks WebSocket; connect with an Upgrade request."
    ),
    ProblemCode.RATE_LIMITED: _kind(
        429, "Too many requests", "Slow down and try again after the time in Retry-After."
    ),
    ProblemCode.ORIGIN_NOT_ALLOWED: _kind(
        403,
        "Origin not allowed",
        "This web page's origin is not among the client origins the operator allows.",
    ),
    ProblemCode.AUTHENTICATION_REQUIRED: _kind(
        401, "Authentication required", "Send an access token: `Authorization: Bearer …`."
    ),
    ProblemCode.TOKEN_INVALID: _kind(
        401, "Token invalid", "The access token is not one of ours; log in again."
    ),
    ProblemCode.TOKEN_EXPIRED: _kind(
        401, "Token expired", "The access token has expired; refresh the session."
    ),
    ProblemCode.TOKEN_REVOKED: _kind(
        401, "Token revoked", "The session of this token has ended; log in again."
    ),
    ProblemCode.API_KEY_INVALID: _kind(
        401, "API key invalid", "The API key is unknown, expired or deleted."
    ),
    ProblemCode.FORBIDDEN: _kind(403, "Forbidden", "You may not do this."),
    ProblemCode.ADMINISTRATOR_REQUIRED: _kind(
        403, "Administrator required", "Only an administrator may do this."
    ),
    ProblemCode.SCOPE_MISSING: _kind(
        403, "Scope missing", "The API key lacks the scope that this call needs."
    ),
    ProblemCode.INVALID_CREDENTIALS: _kind(
        401, "Invalid credentials", "The e-mail address or the password is wrong."
    ),
    ProblemCode.TOO_MANY_ATTEMPTS: _kind(
        429, "Too many attempts", "Wait for the time in Retry-After before the next attempt."
    ),
    ProblemCode.CAPTCHA_REQUIRED: _kind(
        403,
        "CAPTCHA required",
        "Have the person solve the CAPTCHA and send this again with its token as `captcha_token`; "
        "each token is good once.",
    ),
    ProblemCode.ACCOUNT_DISABLED: _kind(
        403, "Account disabled", "An administrator has disabled this account; ask one about it."
    ),
    ProblemCode.USER_NOT_FOUND: _kind(404, "User not found", "There is no account with this id."),
    ProblemCode.LAST_ADMINISTRATOR: _kind(
        409,
        "Last administrator",
        "Nobody else administers this installation; make another administrator first.",
    ),
    ProblemCode.REAUTHENTICATION_REQUIRED: _kind(
        403,
        "Reauthentication required",
        "Prove who you are again with POST /v1/auth/step-up, then repeat this with its token.",
    ),
    ProblemCode.LINK_INVALID: _kind(
        400,
        "Link invalid",
        "The link has expired, was used already or is incomplete; ask for a new one.",
    ),
    ProblemCode.EMAIL_TAKEN: _kind(
        409,
        "Address taken",
        "This address has got an account of its own meanwhile; nothing was changed.",
    ),
    ProblemCode.MFA_TOKEN_INVALID: _kind(
        401,
        "Log-in timed out",
        "The second step of this log-in took too long or had too many wrong codes; log in again.",
    ),
    ProblemCode.CODE_INVALID: _kind(
        400, "Code invalid", "The code is wrong, was used already or is too old; try the next one."
    ),
    ProblemCode.SECOND_FACTOR_REQUIRED: _kind(
        403,
        "Second factor required",
        "This account has a second factor; send its `code`, or a `recovery_code`, or use "
        "POST /v1/auth/step-up/passkey.",
    ),
    ProblemCode.PASSKEY_INVALID: _kind(
        401,
        "Passkey not accepted",
        "The passkey was not accepted, or it took longer than five minutes; try again, or log in "
        "another way.",
    ),
    ProblemCode.PASSKEY_NOT_ADDED: _kind(
        400,
        "Passkey not added",
        "The passkey could not be checked, is registered already, or took longer than five "
        "minutes; start anew.",
    ),
    ProblemCode.PASSKEY_NOT_FOUND: _kind(404, "Passkey not found", "You have no such passkey."),
    ProblemCode.PASSKEYS_FULL: _kind(
        409, "Too many passkeys", "An account has 20 passkeys at most; remove one first."
    ),
    ProblemCode.PASSKEYS_UNAVAILABLE: _kind(
        409,
        "Passkeys unavailable",
        "Browsers keep passkeys for named sites only, and this one has a bare IP address. Log in "
        "another way; the operator can give FREEHOLD_PUBLIC_URL a host name.",
    ),
    ProblemCode.FACTOR_MISSING: _kind(
        409, "No second factor", "This account has no such second factor; set one up first."
    ),
    ProblemCode.REFRESH_TOKEN_INVALID: _kind(
        401, "Refresh token invalid", "The session has ended or is unknown; log in again."
    ),
    ProblemCode.REFRESH_TOKEN_REUSED: _kind(
        401,
        "Refresh token reused",
        "An old refresh token was used, so the session was ended for safety; log in again.",
    ),
    ProblemCode.SESSION_NOT_FOUND: _kind(
        404, "Session not found", "You have no such session; it may have ended."
    ),
    ProblemCode.API_KEY_NOT_FOUND: _kind(404, "API key not found", "You have no such API key."),
    ProblemCode.API_KEYS_FULL: _kind(
        409,
        "Too many API keys",
        "An account has 100 live keys at most; delete one that is not used.",
    ),
    ProblemCode.CONNECTION_NOT_FOUND: _kind(
        404, "Connection not found", "Nobody can log in here by that provider; choose another way."
    ),
    ProblemCode.PROVIDER_UNAVAILABLE: _kind(
        503,
        "Provider unavailable",
        "The provider does not answer as it should. Try again later or log in in another way.",
    ),
    ProblemCode.SIGN_IN_EXPIRED: _kind(
        400,
        "Sign-in expired",
        "This sign-in took too long, was finished already or began in another browser; begin anew.",
    ),
    ProblemCode.SIGN_IN_REFUSED: _kind(
        400,
        "Sign-in refused",
        "You or the provider ended the sign-in there. Begin anew or log in in another way.",
    ),
    ProblemCode.SIGN_IN_INVALID: _kind(
        400,
        "Sign-in invalid",
        "What the provider answered does not prove who you are. Begin anew; if it happens again, "
        "tell whoever runs this site.",
    ),
    ProblemCode.EMAIL_NOT_VERIFIED: _kind(
        403,
        "E-mail address not verified",
        "The provider does not confirm that your e-mail address is yours; verify it there first.",
    ),
    ProblemCode.IDENTITY_NOT_FOUND: _kind(
        404, "Identity not found", "No such identity is linked with your account."
    ),
    ProblemCode.IDENTITY_TAKEN: _kind(
        409,
        "Identity taken",
        "This identity belongs to another account; log in with it and unlink it there first.",
    ),
    ProblemCode.LAST_WAY_IN: _kind(
        409,
        "Last way in",
        "Nothing else logs in to your account; set a password, add a passkey or link another "
        "identity first.",
    ),
    ProblemCode.ORGANISATION_NOT_FOUND: _kind(
        404, "Organisation not found", "You belong to no such organisation."
    ),
    ProblemCode.ORGANISATION_ROLE_REQUIRED: _kind(
        403, "Role in the organisation required", "Your role in the organisation is not enough."
    ),
    ProblemCode.ORGANISATIONS_FULL: _kind(
        409,
        "Too many organisations",
        "You may own 20 organisations and belong to 100; delete or leave one first.",
    ),
    ProblemCode.SLUG_TAKEN: _kind(
        409, "Slug taken", "Another organisation has this slug; choose another one."
    ),
    ProblemCode.MEMBER_NOT_FOUND: _kind(
        404, "Member not found", "The organisation has no such member."
    ),
    ProblemCode.MEMBERS_FULL: _kind(
        409, "Too many members", "An organisation has 10,000 members at most."
    ),
    ProblemCode.ALREADY_MEMBER: _kind(
        409, "Already a member", "Whoever has this address belongs to the organisation already."
    ),
    ProblemCode.LAST_OWNER: _kind(
        409,
        "Last owner",
        "An organisation keeps an owner: make somebody else one first, or delete it.",
    ),
    ProblemCode.SOLE_OWNER: _kind(
        409,
        "Only owner of an organisation",
        "The account is the only owner of an organisation with other members: make somebody else "
        "an owner of it, or delete it first.",
    ),
    ProblemCode.INVITATION_NOT_FOUND: _kind(
        404, "Invitation not found", "There is no such invitation; it was accepted or is over."
    ),
    ProblemCode.INVITATION_FOR_ANOTHER: _kind(
        403,
        "Invitation for another address",
        "The invitation was sent to another address; log in with the account of that address.",
    ),
    ProblemCode.INVITATIONS_FULL: _kind(
        409,
        "Too many invitations",
        "An organisation has 100 open invitations and sends 200 a day at most; withdraw one or "
        "wait until tomorrow.",
    ),
    ProblemCode.ROLE_NOT_FOUND: _kind(404, "Role not found", "There is no such role."),
    ProblemCode.ROLE_BUILT_IN: _kind(
        409, "Built-in role", "This role is built in: it is neither changed nor deleted."
    ),
    ProblemCode.ROLE_IN_USE: _kind(
        409, "Role in use", "Some accounts have this role; take it from them first."
    ),
    ProblemCode.ROLES_FULL: _kind(409, "Too many roles", "There are 200 roles at most."),
    ProblemCode.PERMISSIONS_FULL: _kind(
        409,
        "Too many roles and permissions",
        "The names of an account's roles and permissions would not fit into its access token; "
        "give it fewer, or shorten the names.",
    ),
    ProblemCode.SERVICE_ACCOUNT_NOT_FOUND: _kind(
        404, "Service account not found", "There is no such service account."
    ),
    ProblemCode.SERVICE_ACCOUNTS_FULL: _kind(
        409, "Too many service accounts", "There are 1,000 service accounts at most."
    ),
    ProblemCode.FILE_NOT_FOUND: _kind(404, "File not found", "You have no such file."),
    ProblemCode.VARIANT_NOT_FOUND: _kind(
        404, "Variant not found", "This file has no such variant; `variants` lists what it has."
    ),
    ProblemCode.EMPTY_FILE: _kind(422, "Empty file", "The file has no bytes; nothing was stored."),
    ProblemCode.CONTENT_TYPE_MISMATCH: _kind(
        422,
        "Content does not match its type",
        "The bytes are not what the name or the declared type says; nothing was stored.",
    ),
    ProblemCode.FILE_NOT_READY: _kind(
        409, "File not ready", "The file is still being processed; wait for `file.ready`."
    ),
    ProblemCode.MESSAGE_NOT_FOUND: _kind(404, "Message not found", "There is no such message."),
    ProblemCode.CHANNEL_FORBIDDEN: _kind(403, "Channel forbidden", "You may not use this channel."),
    ProblemCode.CHANNEL_INVALID: _kind(
        422, "Channel invalid", "A channel is `room:<name>` or your own `user:<id>`."
    ),
    ProblemCode.JOB_NOT_FOUND: _kind(
        404,
        "Job not found",
        "There is no such job; a queue keeps only the newest of those that have ended.",
    ),
    ProblemCode.JOB_STATE_CONFLICT: _kind(
        409, "Job is in another state", "The job's state does not allow this; read it again."
    ),
    ProblemCode.UNIQUE_KEY_TAKEN: _kind(
        409,
        "Unique key taken",
        "Another job of the queue with the same unique key waits or runs; wait until it has ended "
        "or cancel it.",
    ),
    ProblemCode.DEAD_LETTER_NOT_FOUND: _kind(
        404, "Dead letter not found", "There is no such dead letter; it was retried or discarded."
    ),
    ProblemCode.DEAD_LETTER_UNREADABLE: _kind(
        409,
        "Dead letter unreadable",
        "It is no event, so no consumer can take it; read it, find its sender, and discard it.",
    ),
    ProblemCode.LEASE_LOST: _kind(
        409,
        "Lease lost",
        "The job is not yours: it has ended, or was cancelled, deleted or given to another "
        "worker. Stop working on it.",
    ),
    ProblemCode.QUEUE_INVALID: _kind(
        422,
        "Queue invalid",
        "A queue is named by 1 to 63 of a-z, 0-9, `_` and `-`; one inside a service is "
        "`<service>.<queue>`.",
    ),
    ProblemCode.SCHEDULE_NOT_FOUND: _kind(
        404, "Schedule not found", "There is no schedule of that name."
    ),
    ProblemCode.SCHEDULE_DECLARED: _kind(
        409,
        "Schedule declared in code",
        "This schedule stands in a service's code and changes only with it.",
    ),
    ProblemCode.EVENT_TYPE_UNKNOWN: _kind(
        422,
        "Event type unknown",
        "Nobody has registered this event type; an administrator does so with "
        "`PUT /v1/events/types/{type}` and a JSON Schema.",
    ),
    ProblemCode.EVENT_TYPE_NOT_FOUND: _kind(
        404, "Event type not found", "No event type of that name is registered."
    ),
    ProblemCode.EVENT_TYPE_RESERVED: _kind(
        422,
        "Event type reserved",
        "Events of this noun are emitted by Freehold alone; choose another noun.",
    ),
    ProblemCode.WEBHOOK_NOT_FOUND: _kind(404, "Webhook not found", "There is no such webhook."),
    ProblemCode.WEBHOOK_DELIVERY_NOT_FOUND: _kind(
        404,
        "Delivery not found",
        "This webhook has no such delivery; old ones are removed from the log.",
    ),
    ProblemCode.WEBHOOK_DISABLED: _kind(
        409,
        "Webhook disabled",
        "Nothing is sent while it is disabled; PATCH it with `enabled: true` first.",
    ),
    ProblemCode.INTERNAL_ERROR: _kind(
        500,
        "Internal error",
        "Something went wrong on our side; give the operator the request_id.",
    ),
    ProblemCode.OVERLOADED: _kind(
        503, "Overloaded", "The server is busy; try again after the time in Retry-After."
    ),
    ProblemCode.DEPENDENCY_UNAVAILABLE: _kind(
        503,
        "Temporarily unavailable",
        "A part this call needs is not reachable; try again after the time in Retry-After.",
    ),
}

"""Answers that several resources give."""

from dataclasses import replace
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.auth.administration.store import AuditRow
from services.auth.device_cookie import DeviceCookie
from services.auth.entrance import FactorRequired
from services.auth.records import Account, Device, SessionRow
from services.auth.refresh_cookie import RefreshCookie
from services.auth.sessions import Grant, seconds_until
from services.auth.user_agents import device_name
from shared.chassis.http import json_response
from shared.schemas.api.auth import Activity, MfaRequired, Session, SessionInfo, TokenDelivery, User

NO_STORE = {"Cache-Control": "no-store"}


def user(account: Account) -> User:
    """Return what the API shows of an account."""
    return User(
        id=account.id,
        email=account.email,
        name=account.name,
        roles=list(account.roles),
        created_at=account.created_at,
    )


def session_info(row: SessionRow, *, current: bool) -> SessionInfo:
    """Return what the API shows of a session."""
    return SessionInfo(
        id=row.id,
        created_at=row.created_at,
        last_used_at=row.refreshed_at,
        device=device_name(row.user_agent),
        user_agent=row.user_agent,
        address=row.address,
        last_used_address=row.last_used_address or row.address,
        methods=list(row.methods),
        impersonated=row.impersonator_id is not None,
        organisation_id=row.organisation_id,
        current=current,
    )


def activity(row: AuditRow, user_id: UUID) -> Activity:
    """Return what a user is told of an act on their account.

    Others' whereabouts are theirs, except those of somebody who is not known: a failed log-in.
    """
    is_own = row.actor_id == user_id
    is_shown = is_own or row.actor_id is None
    return Activity(
        at=row.at,
        action=row.action,
        by_yourself=is_own,
        address=row.address if is_shown else None,
        user_agent=row.user_agent if is_shown else None,
    )


class SessionAnswers:
    """Answers with a session; its refresh token goes where the session was opened to put it.

    A browser gets a cookie besides by which it is known the next time.
    """

    def __init__(self, cookie: RefreshCookie, device_cookie: DeviceCookie) -> None:
        self._cookie = cookie
        self._device_cookie = device_cookie

    def device_of(self, request: Request) -> Device:
        """Return the device of a request that may open a session, and which one it has.

        Browsers name the origin of all that they post. Who does not is a program whose library
        keeps cookies, perhaps of several people, and has none of them in mind.
        """
        device = self._device_cookie.device_of(request)
        is_program = request.method == "POST" and "origin" not in request.headers
        return replace(device, refresh_token=None if is_program else self._cookie.read(request))

    def answer(self, entered: Grant | FactorRequired) -> Response:
        """Return a 200 answer that no cache may keep: a session, or what has to follow."""
        if isinstance(entered, FactorRequired):
            return json_response(
                MfaRequired(mfa_token=entered.mfa_token, methods=list(entered.methods)),
                headers=NO_STORE,
            )
        return self._grant(entered)

    def _grant(self, grant: Grant) -> Response:
        in_body = grant.token_delivery is TokenDelivery.BODY
        session = Session(
            access_token=grant.access_token,
            expires_in=grant.expires_in,
            user=user(grant.account),
            refresh_token=grant.refresh_token if in_body else None,
        )
        response = json_response(session, headers=NO_STORE)
        if not in_body:
            self.write_cookies(response, grant)
        return response

    def write_cookies(self, response: Response, grant: Grant) -> None:
        """Have the browser keep a session that was opened for its cookie."""
        self._cookie.write(
            response, grant.refresh_token, max_age=seconds_until(grant.refresh_expires_at)
        )
        if grant.device_token is not None:
            self._device_cookie.write(response, grant.device_token)

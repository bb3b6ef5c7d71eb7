"""What becomes of the session in which an application asks for a new log-in.

The log-in opens another one, and its refresh cookie takes the first one's place: without further
ado the first would live on where nobody can end it, and the applications that it signed into would
not hear of the log-out.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.auth import store as accounts
from services.auth.audit.log import Action, record
from services.auth.devices import device_of
from services.auth.provider.store import BrowserSession, move_sign_ins
from services.auth.refresh_tokens import RefreshClaim, RefreshTokens
from services.auth.sessions import Sessions
from shared.chassis.database import Database

_SECONDS: Final = 3600


class Reauthentication:
    """Remembers a browser's session during a new log-in, and ends it afterwards.

    The cookie says which session it was, by a MAC of its own purpose: it refreshes nothing.
    """

    def __init__(
        self, database: Database, sessions: Sessions, tokens: RefreshTokens, *, public_url: str
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._tokens = tokens
        self._secure = public_url.startswith("https://")
        name = "freehold_reauthentication"
        self._name = f"__Host-{name}" if self._secure else name

    def begin(self, response: Response, session: BrowserSession) -> None:
        """Have the browser remember its session while somebody logs in again."""
        self._write(response, self._tokens.write(RefreshClaim(session.id, 0)), seconds=_SECONDS)

    async def finish(self, request: Request, response: Response, session: BrowserSession) -> None:
        """Give the sign-ins of the remembered session to the one that took its place, and end it.

        One of another account is left alone, and so is one that has ended meanwhile.
        """
        token = request.cookies.get(self._name)
        if token is None:
            return
        self._write(response, "", seconds=0)
        claim = self._tokens.read(token)
        if claim is None or claim.session_id == session.id:
            return
        async with self._database.transaction() as transaction:
            # The account first, as everywhere; then both sessions, so that neither ends meanwhile.
            await accounts.hold_user(transaction, session.user_id)
            present = await accounts.lock_session(transaction, session.id)
            before = await accounts.lock_session(transaction, claim.session_id)
            if present is None or before is None or before[0].user_id != session.user_id:
                return
            await move_sign_ins(transaction, claim.session_id, session.id)
            await self._sessions.end(transaction, claim.session_id, user_id=session.user_id)
            await record(
                transaction,
                Action.SESSION_ENDED,
                user_id=session.user_id,
                session_id=claim.session_id,
                device=device_of(request),
                replaced_by=str(session.id),
            )

    def _write(self, response: Response, token: str, *, seconds: int) -> None:
        response.set_cookie(
            self._name,
            token,
            max_age=seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

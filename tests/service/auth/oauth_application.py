"""An application that signs its users in with Freehold, and a browser of one of them."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from tests.service.auth.auth_service import PASSWORD, AuthService, bearer

EMAIL = "ada@example.com"
CALLBACK = "https://app.example.org/callback"
AFTER = "https://app.example.org/bye"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


class Application:
    """A registered application and a browser whose user is logged in."""

    def __init__(self, auth: AuthService, admin: dict[str, Any]) -> None:
        self.auth = auth
        self.admin = admin
        self.client: dict[str, Any] = {}
        self.cookie = ""
        self.pkce = True

    async def register(self, **changes: Any) -> "Application":
        body = {
            "name": "Reports",
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [AFTER],
            "scopes": ["openid", "profile", "email", "roles", "offline_access"],
            "is_trusted": True,
            **changes,
        }
        answer = await self.auth.client.post(
            "/v1/auth/oauth-clients", json=body, headers=bearer(self.admin)
        )
        assert answer.status_code == 201, answer.text
        self.client = answer.json()
        return self

    async def log_in(self) -> None:
        answer = await self.auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.session = answer.json()
        self.auth.client.cookies.clear()

    def keep(self, answer: httpx2.Response) -> None:
        """Have the browser keep the cookies of an answer, and forget those that it ends."""
        cookies = dict(pair.split("=", 1) for pair in self.cookie.split("; ") if pair)
        for line in answer.headers.get_list("set-cookie"):
            name, _, text = line.partition(";")[0].partition("=")
            cookies[name] = text.strip('"')
        self.cookie = "; ".join(f"{name}={text}" for name, text in cookies.items() if text)
        self.auth.client.cookies.clear()

    def request(self, **changes: str | None) -> dict[str, str]:
        """Return the parameters of a request that is in order, but for the changes."""
        good: dict[str, str | None] = {
            "client_id": self.client["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email",
            "state": "a state",
            "nonce": "a nonce",
        }
        if self.pkce:
            good |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        return {name: value for name, value in (good | changes).items() if value is not None}

    async def authorize(self, **changes: str | None) -> httpx2.Response:
        headers = {"Cookie": self.cookie} if self.cookie else {}
        return await self.auth.client.get(
            "/oauth2/authorize", params=self.request(**changes), headers=headers
        )

    async def code(self, **changes: str | None) -> str:
        answer = await self.authorize(**changes)
        assert answer.status_code == 303, answer.text
        return answered(answer)["code"]

    async def token(self, *, basic: bool = True, **form: str) -> httpx2.Response:
        given = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, **form}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:
            pair = f"{self.client['client_id']}:{self.client['client_secret']}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return await self.auth.client.post(
            "/oauth2/token", content=urlencode(given), headers=headers
        )

    async def redeem(self, code: str, **form: str) -> httpx2.Response:
        proof = {"code_verifier": VERIFIER} if self.pkce else {}
        return await self.token(code=code, **(proof | form))

    async def sign_in(self, **changes: str | None) -> dict[str, Any]:
        answer = await self.redeem(await self.code(**changes))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def userinfo(self, token: str) -> httpx2.Response:
        return await self.auth.client.get(
            "/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"}
        )

    async def post_form(self, path: str, **form: str) -> httpx2.Response:
        pair = f"{self.client['client_id']}:{self.client['client_secret']}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        }
        return await self.auth.client.post(path, content=urlencode(form), headers=headers)


def answered(answer: httpx2.Response) -> dict[str, str]:
    """Return the parameters of a redirect to the application."""
    location = answer.headers["location"]
    assert location.startswith(CALLBACK), location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

"""What the other services ask, and who of them may."""

from uuid import uuid4

import jwt
import pytest

from services.auth.revocations import RevocationFeed
from shared.chassis.database import Database
from tests.parts.ids import UNKNOWN_ID
from tests.service.auth.auth_service import AuthService, assert_problem, bearer, claims

EMAIL = "ada@example.com"
INTERNAL = [
    ("GET", "/internal/jwks", {"gateway", "realtime", "files", "mail", "jobs"}),
    ("GET", "/internal/revocations", {"gateway", "realtime"}),
    ("POST", "/internal/api-keys/exchange", {"gateway"}),
    ("GET", f"/internal/links/{UNKNOWN_ID}", {"mail"}),
    ("GET", f"/internal/deletions/{UNKNOWN_ID}", {"mail"}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), INTERNAL)
async def test_each_service_reaches_only_what_it_needs(
    auth: AuthService, method: str, path: str, allowed: set[str]
) -> None:
    session = await auth.register(EMAIL)
    assert_problem(await auth.client.request(method, path), 401, "token_invalid")
    by_user = await auth.client.request(method, path, headers=bearer(session))
    assert_problem(by_user, 401, "token_invalid")
    for source in ("gateway", "realtime", "files", "mail", "jobs", "auth", "nobody"):
        answer = await auth.internal(method, path, source=source, body={"key": "fh_x"})
        assert (answer.status_code == 403) is (source not in allowed), source


async def test_the_published_keys_verify_tokens_and_hold_no_secret(auth: AuthService) -> None:
    session = await auth.register(EMAIL)

    published = (await auth.client.get("/.well-known/jwks.json")).json()

    keys = {key["alg"]: key for key in published["keys"]}
    assert len(published["keys"]) == 2
    key = keys["ES256"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert keys["RS256"].keys() == {"kty", "n", "e", "kid", "use", "alg"}
    header = jwt.get_unverified_header(session["access_token"])
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": key["kid"]}
    verified = jwt.decode(
        session["access_token"], jwt.PyJWK(key), algorithms=["ES256"], audience="freehold"
    )
    assert verified["sub"] == session["user"]["id"]
    internal = await auth.internal("GET", "/internal/jwks", source="files")
    # Services take access tokens only, and those are of one algorithm.
    assert internal.json() == {"keys": [key]}


async def test_revocations_come_once_each_and_only_while_they_matter(auth: AuthService) -> None:
    async def ask(cursor: str) -> tuple[set[str], str]:
        answer = await auth.internal(
            "GET", f"/internal/revocations?since={cursor}", source="realtime"
        )
        page = answer.json()
        return {item["session_id"] for item in page["items"]}, page["cursor"]

    first, second = await auth.register(EMAIL), (await auth.log_in(EMAIL)).json()
    await auth.post("/v1/auth/logout", {}, **bearer(first))

    everything, cursor = await ask("")
    assert everything == {claims(first)["sid"]}
    nothing, cursor = await ask(cursor)
    assert nothing == set()

    await auth.post("/v1/auth/logout", {}, **bearer(second))
    new, _ = await ask(cursor)
    assert new == {claims(second)["sid"]}

    for strange in ("nonsense", "other-history.99999", cursor.partition(".")[0] + ".x"):
        assert (await ask(strange))[0] == everything | new

    await auth.database.execute(
        "UPDATE revocations SET revoked_at = now() - interval '1 hour', expires_at = now()"
    )
    assert (await ask(""))[0] == set()


async def test_a_revocation_that_commits_late_is_not_lost(database: Database) -> None:
    feed = RevocationFeed(database)
    late, early = uuid4(), uuid4()
    insert = (
        "INSERT INTO revocations (session_id, user_id, expires_at)"
        " VALUES ($1, $1, now() + interval '1 hour')"
    )
    async with database.transaction() as slow:
        await slow.execute(insert, late)
        await database.execute(insert, early)
        seen, cursor = await feed.since("")
        assert {item.session_id for item in seen} == {early}

    found, _ = await feed.since(cursor)

    assert late in {item.session_id for item in found}

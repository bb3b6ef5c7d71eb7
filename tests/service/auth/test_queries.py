"""Lists take the parameters that the API's description names, and no others."""

from typing import Any

import pytest

from services.gateway.route_table import ROUTES
from tests.service.auth.auth_service import (
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)

LISTS = {
    route.path: sorted(given["name"] for given in route.parameters)
    for route in ROUTES
    if route.service == "auth"
    and route.method == "GET"
    and any(given["name"] == "cursor" for given in route.parameters)
}


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth)


async def _path(auth: AuthService, admin: dict[str, Any], path: str) -> str:
    organisation = program = ""
    if "{organisation_id}" in path:
        made = await auth.post("/v1/auth/organisations", {"name": "Acme"}, **bearer(admin))
        organisation = made.json()["id"]
    if "{account_id}" in path:
        made = await auth.post("/v1/auth/service-accounts", {"name": "deploy"}, **bearer(admin))
        program = made.json()["id"]
    user = admin["user"]["id"]
    return path.format(organisation_id=organisation, account_id=program, user_id=user)


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_names_the_parameters_there_are(
    auth: AuthService, admin: dict[str, Any], path: str
) -> None:
    address = await _path(auth, admin, path)
    assert (await auth.client.get(address, headers=bearer(admin))).status_code == 200

    answer = await auth.client.get(f"{address}?q=ada", headers=bearer(admin))

    assert_problem(answer, 422, "validation_failed")
    known = ", ".join(f"`{name}`" for name in LISTS[path])
    message = f"There is no such parameter; there are {known}."
    assert answer.json()["errors"] == [{"field": "q", "message": message}]
    given = "&".join(f"{name}=" for name in LISTS[path] if name != "limit")
    assert (await auth.client.get(f"{address}?{given}", headers=bearer(admin))).status_code == 200


async def test_consents_take_none(auth: AuthService, admin: dict[str, Any]) -> None:
    answer = await auth.client.get("/v1/auth/consents?client=x", headers=bearer(admin))
    assert_problem(answer, 422, "validation_failed")


async def test_ending_many_sessions_takes_no_condition_that_nobody_reads(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    other = (await auth.log_in("admin@example.com")).json()
    for address in ("/v1/auth/sessions", f"/v1/auth/users/{admin['user']['id']}/sessions"):
        answer = await auth.client.delete(
            f"{address}?except={claims(other)['sid']}", headers=bearer(admin)
        )
        assert_problem(answer, 422, "validation_failed")
    assert await auth.revoked() == set()


@pytest.mark.parametrize("given", ["yes", "1", "TRUE"])
async def test_a_switch_is_true_or_false(
    auth: AuthService, admin: dict[str, Any], given: str
) -> None:
    answer = await auth.client.get(f"/v1/auth/organisations?all={given}", headers=bearer(admin))
    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == ["all"]


async def test_strangers_are_told_nothing_of_the_parameters(auth: AuthService) -> None:
    ada = await auth.register("ada@example.com")
    answer = await auth.client.get("/v1/auth/users?q=x", headers=bearer(ada))
    assert_problem(answer, 403, "administrator_required")

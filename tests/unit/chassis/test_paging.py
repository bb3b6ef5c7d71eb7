"""Queries of lists: what there is not is not passed over."""

import pytest
from starlette.requests import Request

from shared.chassis.errors import Problem
from shared.chassis.paging import named_page_query, page_query, require_known_query
from shared.schemas.problems import ProblemCode


def _request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def _refused(query: str, *known: str) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        page_query(_request(query), *known)
    assert caught.value.code is ProblemCode.VALIDATION_FAILED
    return [(error.field, error.message) for error in caught.value.errors or ()]


@pytest.mark.parametrize("query", ["", "limit=7", "limit=7&state=", "state=x&limit=7&state=y"])
def test_known_parameters_pass(query: str) -> None:
    assert page_query(_request(query), "state").limit == (7 if "limit" in query else 50)
    assert named_page_query(_request(query), "state").after == ""


def test_an_unknown_parameter_is_named_with_those_there_are() -> None:
    message = "There is no such parameter; there are `cursor`, `limit`, `state`."
    assert _refused("q=ada&limit=1", "state") == [("q", message)]
    assert _refused("q=ada&q=bob&states=x", "state") == [("q", message), ("states", message)]
    assert [field for field, _ in _refused("Limit=1&=")] == ["Limit", ""]
    assert "state" not in _refused("state=failed")[0][1]


def test_a_query_without_end_gets_a_bounded_answer() -> None:
    faults = _refused("&".join(f"{'x' * 1000}{n}=1" for n in range(1000)))
    assert [field for field, _ in faults] == ["x" * 100] * 20


def test_a_call_without_parameters_says_so() -> None:
    require_known_query(_request(""))
    with pytest.raises(Problem) as caught:
        require_known_query(_request("keep=1"))
    [error] = caught.value.errors or ()
    assert (error.field, error.message) == ("keep", "This call takes no parameters in its address.")

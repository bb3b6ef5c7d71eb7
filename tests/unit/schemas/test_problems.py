"""The table of problems is complete and says what to do."""

import pytest

from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import ProblemCode, ProblemDetails, problem_type


def test_every_code_has_its_kind_and_there_is_none_without_a_code() -> None:
    assert set(PROBLEMS) == set(ProblemCode)


def test_no_code_is_given_twice() -> None:
    assert len(ProblemCode.__members__) == len(list(ProblemCode))


@pytest.mark.parametrize("code", ProblemCode)
def test_a_kind_is_an_error_with_a_title_and_a_sentence(code: ProblemCode) -> None:
    kind = PROBLEMS[code]
    assert code.value == code.name.lower()
    assert 400 <= kind.status <= 599
    assert kind.title[0].isupper()
    assert not kind.title.endswith(".")
    assert kind.detail[0].isupper()
    assert kind.detail.endswith(".")


def test_kinds_can_be_told_apart() -> None:
    titles = [kind.title for kind in PROBLEMS.values()]
    details = [kind.detail for kind in PROBLEMS.values()]
    assert sorted(set(titles)) == sorted(titles)
    assert sorted(set(details)) == sorted(details)


def test_types_are_addresses_that_differ() -> None:
    assert len({problem_type(code) for code in ProblemCode}) == len(ProblemCode)
    assert problem_type(ProblemCode.NOT_FOUND) == "/docs#problem-not_found"


def test_the_body_has_the_members_of_the_standard_and_ours() -> None:
    assert set(ProblemDetails.model_fields) == {
        *("type", "title", "status", "detail"),
        *("code", "request_id", "errors"),
    }

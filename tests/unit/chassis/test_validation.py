"""What is told of a wrong field is our own words, and says what to send."""

import importlib
import pkgutil
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, field_validator

import shared.schemas.api
from shared.chassis.errors import Problem
from shared.chassis.http import validated
from shared.chassis.validation import WORDS
from shared.schemas.api.inputs import PRINTABLE, Input, Instant


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Input):
    name: str


class Form(Input):
    text: str = Field(default="ab", min_length=2, max_length=3)
    filled: str = Field(default="a", min_length=1)
    number: int = Field(default=1, ge=1, le=9)
    share: float = Field(default=0.5, ge=0, lt=2)
    truth: bool = False
    several: list[str] = Field(default=["a"], min_length=1, max_length=2)
    pairs: dict[str, Any] = Field(default={})
    inner: Inner = Inner(name="ada")
    kind: Literal["one", "two"] = "one"
    colour: Colour = Colour.RED
    id: UUID = UUID(int=0)
    at: Instant | None = None
    spelled: str = "a"
    strange: int = Field(default=2, multiple_of=2)

    @field_validator("spelled")
    @classmethod
    def _is_kind(cls, text: str) -> str:
        if text == "b":
            raise ValueError("Send another letter.")
        return text


INSTANT = "Send an instant with its offset from UTC, such as 2030-01-31T12:00:00Z."
UUID_TEXT = "Send a UUID: 32 hexadecimal digits, with hyphens after 8, 12, 16 and 20."


def told(model: type[BaseModel], value: object) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        validated(model, value)
    return [(error.field, error.message) for error in caught.value.errors or ()]


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ([], "", "Send a JSON object."),
        ({"inner": []}, "inner", "Send a JSON object."),
        ({"inner": {}}, "inner.name", "This field is required."),
        ({"other": 1}, "other", "There is no such field."),
        ({"pairs": []}, "pairs", "Send a JSON object."),
        ({"several": {}}, "several", "Send a JSON list."),
        ({"several": []}, "several", "Send a list that is not empty."),
        ({"several": ["a"] * 3}, "several", "Send 2 items or fewer."),
        ({"several": ["a", 1]}, "several.1", "Send a text."),
        ({"text": None}, "text", "Send a text."),
        ({"text": "a"}, "text", "Send 2 characters or more."),
        ({"text": "abcd"}, "text", "Send 3 characters or fewer."),
        ({"text": "\ud800a"}, "text", "Send whole characters; half of a surrogate pair is none."),
        ({"filled": ""}, "filled", "Send a text that is not empty."),
        ({"number": "one"}, "number", "Send a whole number."),
        ({"number": 1.5}, "number", "Send a whole number."),
        ({"number": 0}, "number", "Send 1 or more."),
        ({"number": 10}, "number", "Send 9 or less."),
        ({"share": "much"}, "share", "Send a number."),
        ({"share": -1}, "share", "Send 0 or more."),
        ({"share": 2}, "share", "Send less than 2."),
        ({"truth": "perhaps"}, "truth", "Send true or false."),
        ({"kind": "three"}, "kind", "Send 'one' or 'two'."),
        ({"colour": "green"}, "colour", "Send 'red' or 'blue'."),
        ({"id": "7"}, "id", UUID_TEXT),
        ({"at": "yesterday"}, "at", INSTANT),
        ({"at": "2030-01-31T12:00:00"}, "at", INSTANT),
        (
            {"at": "1970-01-31T12:00:00Z"},
            "at",
            "Send an instant between the years 2000 and 2199.",
        ),
        ({"spelled": "b"}, "spelled", "Send another letter."),
        ({"strange": 3}, "strange", "Input should be a multiple of 2"),
    ],
)
def test_a_fault_says_what_to_send(value: object, field: str, message: str) -> None:
    assert told(Form, value) == [(field, message)]


def test_a_spelling_says_what_it_wants_once_the_length_is_right() -> None:
    class Printable(Input):
        name: Annotated[str, Field(max_length=5), PRINTABLE]

    assert told(Printable, {"name": "a b"}) == [("name", PRINTABLE.sentence)]
    assert told(Printable, {"name": "ab\n"}) == [("name", PRINTABLE.sentence)]
    assert told(Printable, {"name": "abcde "}) == [("name", "Send 5 characters or fewer.")]
    assert Printable.model_json_schema()["properties"]["name"]["pattern"] == PRINTABLE.pattern


def test_every_sentence_ends_as_one_does() -> None:
    assert [text for text in WORDS.values() if not text.endswith(".")] == []


def test_no_field_leaves_it_to_the_library_to_explain_its_pattern() -> None:
    found = []
    for module in pkgutil.iter_modules(shared.schemas.api.__path__, "shared.schemas.api."):
        for model in vars(importlib.import_module(module.name)).values():
            if isinstance(model, type) and issubclass(model, Input):
                found += list(patterns(model.__pydantic_core_schema__, model.__name__))
    assert found == []


def patterns(schema: Any, name: str) -> Any:
    if isinstance(schema, dict):
        if schema.get("type") == "str" and "pattern" in schema:
            yield name, schema["pattern"]
        for key, part in schema.items():
            if key != "metadata":
                yield from patterns(part, name)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from patterns(part, name)

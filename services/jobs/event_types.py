"""Types of events that applications emit, each with a JSON Schema of its data.

Schemas are read as draft 2020-12 and stand alone: a reference to another document is refused when
the type is registered, and nothing is ever fetched.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing._core import Resolver
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from services.jobs import store
from services.jobs.values import require_storable, wrong_field
from shared.chassis.database import Database, Executor
from shared.chassis.errors import Problem
from shared.schemas.api.events import EVENT_TYPE_PATTERN, EventType, EventTypeDefinition
from shared.schemas.events.registry import RESERVED_NOUNS
from shared.schemas.problems import FieldError, ProblemCode

MAXIMUM_SCHEMA_BYTES: Final = 64 * 1024
MOST_ERRORS: Final = 50
LONGEST_MESSAGE: Final = 300
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
HOUSE_NOUNS: Final = RESERVED_NOUNS | {
    *("auth", "files", "mail", "realtime", "jobs", "gateway"),
    *("freehold", "program"),
}
_NAME: Final = re.compile(EVENT_TYPE_PATTERN)
_PLACES: Final = ("$id", "$ref", "$dynamicRef")


class EventTypes:
    """Registers types, and checks data by them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, definition: EventTypeDefinition) -> EventType:
        """Register a type; a changed schema makes a new version.

        Raises Problem `event_type_reserved` or `validation_failed`.
        """
        _require_name(name)
        _require_schema(definition.json_schema)
        return await store.put_event_type(
            self._database, name, definition.json_schema, definition.description
        )

    async def read(self, name: str) -> EventType:
        """Return a type. Raises Problem `event_type_not_found`."""
        event_type = await store.find_event_type(self._database, name) if _is_name(name) else None
        if event_type is None:
            raise Problem(ProblemCode.EVENT_TYPE_NOT_FOUND)
        return event_type

    async def delete(self, name: str) -> None:
        """Let nobody emit the type any more. Raises Problem `event_type_not_found`."""
        if not _is_name(name) or not await store.delete_event_type(self._database, name):
            raise Problem(ProblemCode.EVENT_TYPE_NOT_FOUND)


async def checked_type(executor: Executor, name: str, data: dict[str, Any]) -> EventType:
    """Return the type of an event whose data its schema allows.

    Raises Problem `event_type_unknown`, or `validation_failed` that names each wrong field.
    """
    event_type = await store.find_event_type(executor, name)
    if event_type is None:
        raise Problem(ProblemCode.EVENT_TYPE_UNKNOWN)
    validator = Draft202012Validator(event_type.json_schema, registry=Registry())
    try:
        faults = list(islice(validator.iter_errors(data), MOST_ERRORS))
    except (RecursionError, Unresolvable, re.error) as error:
        raise wrong_field("data", f"The schema of {name} cannot be applied: {error}.") from error
    if faults:
        raise Problem(ProblemCode.VALIDATION_FAILED, errors=list(_field_errors(faults)))
    return event_type


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _require_name(name: str) -> None:
    if not _is_name(name):
        raise wrong_field("type", "A type is `noun.verbed` in lower case, such as `order.paid`.")
    if name.partition(".")[0] in HOUSE_NOUNS:
        raise Problem(ProblemCode.EVENT_TYPE_RESERVED)


def _require_schema(schema: dict[str, Any]) -> None:
    require_storable(schema, field="schema", maximum=MAXIMUM_SCHEMA_BYTES)
    if schema.get("$schema", DIALECT) != DIALECT:
        raise wrong_field("schema.$schema", f"Only {DIALECT} is known; leave it out.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        field = _path("schema", error.absolute_path)
        raise wrong_field(field, error.message[:LONGEST_MESSAGE]) from error
    if any(keyword == "$id" for keyword, _ in _places(schema)):
        raise wrong_field("schema", "Leave `$id` out: a type's name is its identity.")
    resolver = Registry().with_resource("", DRAFT202012.create_resource(schema)).resolver()
    for keyword, place in _places(schema):
        if keyword != "$id" and not _leads_somewhere(resolver, place):
            raise wrong_field(
                "schema",
                f"The reference {place[:100]!r} leads nowhere; refer within the schema, such as "
                "to `#/$defs/address`.",
            )


def _leads_somewhere(resolver: Resolver[Any], reference: str) -> bool:
    try:
        resolver.lookup(reference)
    except Unresolvable:
        return False
    return reference.startswith("#")


def _places(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield every keyword by which a schema names itself or refers to another, with its value."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in _PLACES and isinstance(value, str):
                yield key, value
            yield from _places(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _places(item)


def _field_errors(faults: Iterable[ValidationError]) -> Iterator[FieldError]:
    for fault in faults:
        field = _path("data", fault.absolute_path)
        if fault.validator == "required":
            # The message of a missing property names it; its place is where it should be.
            name = fault.message.removesuffix(" is a required property")[1:-1]
            yield FieldError(field=f"{field}.{name}", message="This field is required.")
        else:
            yield FieldError(field=field, message=fault.message[:LONGEST_MESSAGE])


def _path(root: str, places: Iterable[str | int]) -> str:
    return ".".join([root, *map(str, places)])

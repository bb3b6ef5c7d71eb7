"""What may change in a published event: a field may be added that need not be there. No more.

Both sides count: programs outside read new events with the old schema, and this release reads old
events, from queues and dead letters, with the new one. `python -m tests.unit.schemas.compatibility`
publishes what is new, and refuses where a change would break.
"""

import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from shared.schemas.events.envelope import EventData
from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.upcasting import UPCASTERS

PUBLISHED: Final = Path(__file__).parents[3] / "shared" / "schemas" / "events" / "published"
PUBLISH: Final = "python -m tests.unit.schemas.compatibility"

Schema: TypeAlias = dict[str, Any]
Baseline: TypeAlias = dict[tuple[str, int], Schema]
"""The published schemas by event type and version."""

_FOR_PEOPLE: Final = {"title", "description", "default", "examples", "deprecated", "$comment"}
_COMPARED_APART: Final = {
    *("$defs", "$ref", "type", "anyOf", "oneOf", "allOf", "const", "enum"),
    *("properties", "required", "items", "prefixItems", "additionalProperties"),
}
_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")


def schema_of(data: type[EventData]) -> Schema:
    """Return the JSON Schema of what is written to the bus."""
    return data.model_json_schema(mode="serialization")


def read_baseline(folder: Path) -> Baseline:
    """Return all published schemas; their files are named `<type>.v<version>.json`."""
    baseline = {}
    for path in sorted(folder.glob("*.json")):
        event_type, _, version = path.stem.rpartition(".v")
        baseline[event_type, int(version)] = json.loads(path.read_text(encoding="utf-8"))
    return baseline


def broken(
    baseline: Baseline,
    event_types: Mapping[str, type[EventData]],
    steps: Collection[tuple[str, int]],
) -> list[str]:
    """Return what a reader of published events would suffer, each with what to do instead.

    `steps` are the (type, version) from which an upcaster leads on.
    """
    faults = []
    for (event_type, version), published in sorted(baseline.items()):
        data = event_types.get(event_type)
        if data is None:
            faults.append(
                f"{event_type} is published and no longer registered. Keep its class and its line "
                "in registry.py: its events still lie in queues, and programs read them."
            )
        elif data.event_version < version:
            faults.append(
                f"{event_type} is published in version {version} and is now in version "
                f"{data.event_version}. Versions only grow: go on with version {version + 1}."
            )
        elif data.event_version > version:
            if (event_type, version) not in steps:
                faults.append(
                    f"{event_type} version {version} is published and nothing reads it any more. "
                    f"Add its upcaster to version {version + 1} as "
                    f'UPCASTERS["{event_type}", {version}] in shared/schemas/events/upcasting.py.'
                )
        elif changes := list(breaking_changes(published, schema_of(data))):
            faults.append(_advice(event_type, version, changes))
    for event_type, data in sorted(event_types.items()):
        faults += [
            f"{event_type} version {version} is missing from the published schemas: restore "
            f"{event_type}.v{version}.json from the history."
            for version in range(1, data.event_version)
            if (event_type, version) not in baseline
        ]
    return faults


def _advice(event_type: str, version: int, changes: list[str]) -> str:
    return (
        f"{event_type} version {version} is published, and this would break its readers: "
        f"{'; '.join(changes)}. Make it version {version + 1} instead: set event_version = "
        f"{version + 1}, keep {event_type}.v{version}.json as it is, add "
        f'UPCASTERS["{event_type}", {version}] in shared/schemas/events/upcasting.py, '
        f"and run: {PUBLISH}"
    )


def unpublished(
    baseline: Baseline, event_types: Mapping[str, type[EventData]]
) -> dict[tuple[str, int], Schema]:
    """Return the schemas of today that the baseline lacks, or has without the newest fields."""
    today = {(name, data.event_version): schema_of(data) for name, data in event_types.items()}
    return {key: schema for key, schema in today.items() if baseline.get(key) != schema}


def breaking_changes(published: Schema, current: Schema) -> Iterator[str]:
    """Yield each change from the one schema to the other that breaks a reader, by field."""
    yield from _Comparison(published, current).changes(published, current, "")


class _Comparison:
    """Compares two documents part by part; each follows the references within itself."""

    def __init__(self, published: Schema, current: Schema) -> None:
        self._published = published
        self._current = current
        self._under_way: set[tuple[str, str]] = set()

    def changes(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if pair in self._under_way:  # a model that contains itself
            return
        if all(pair):
            self._under_way.add(pair)
        old, new = _followed(self._published, old), _followed(self._current, new)
        was, becomes = _kind(self._published, old), _kind(self._current, new)
        if was != becomes:
            yield f"{_named(field)} was {was} and is {becomes}"
        else:
            for compare in self._parts():
                yield from compare(old, new, field)
        self._under_way.discard(pair)

    def _parts(self) -> tuple[Callable[[Schema, Schema, str], Iterator[str]], ...]:
        return (
            *(self._fields, self._required, self._values, self._constraints),
            *(self._members, self._positions, self._alternatives),
        )

    def _fields(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in after:
                yield from self.changes(schema, after[name], f"{field}.{name}".lstrip("."))
            else:
                yield f"{_named(f'{field}.{name}')} was removed or renamed"
        if old.get("additionalProperties") is False:
            for name in sorted(after.keys() - before.keys()):
                yield f"{_named(f'{field}.{name}')} is new where readers refuse unknown fields"

    def _required(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        before, after = set(old.get("required", ())), set(new.get("required", ()))
        remaining = new.get("properties", {}).keys()
        for name in sorted(before - after):
            if name in remaining:
                yield f"{_named(f'{field}.{name}')} was always there and now may be absent"
        for name in sorted(after - before):
            yield f"{_named(f'{field}.{name}')} is now required, and older events lack it"

    def _values(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        before, after = _values(old), _values(new)
        if before is None and after is None:
            return
        if before is None or after is None:
            yield f"{_named(field)} {'lost' if after is None else 'got'} its list of values"
            return
        for value in sorted(before - after):
            yield f"{_named(field)} no longer allows {value}, and older events have it"
        for value in sorted(after - before):
            yield f"{_named(field)} also allows {value}, which readers do not know"

    def _constraints(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        for keyword in sorted((old.keys() | new.keys()) - _FOR_PEOPLE - _COMPARED_APART):
            if old.get(keyword) != new.get(keyword):
                before, after = (json.dumps(side.get(keyword, "none")) for side in (old, new))
                yield f"{_named(field)} had {keyword} {before} and has {after}"

    def _members(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        for keyword in ("items", "additionalProperties"):
            before, after = old.get(keyword, True), new.get(keyword, True)
            if isinstance(before, dict) and isinstance(after, dict):
                yield from self.changes(before, after, f"{field}[]")
            elif before != after:
                yield f"{_named(field)} allows other {keyword}"

    def _positions(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield f"{_named(field)} had {len(before)} members and has {len(after)}"
            return
        for place, (was, becomes) in enumerate(zip(before, after, strict=True)):
            yield from self.changes(was, becomes, f"{field}[{place}]")

    def _alternatives(self, old: Schema, new: Schema, field: str) -> Iterator[str]:
        for keyword in _ALTERNATIVES:
            # Their order means nothing, so each looks for one that it agrees with.
            left = list(new.get(keyword, []))
            for before in old.get(keyword, []):
                fitting = (after for after in left if not list(self.changes(before, after, field)))
                found = next(fitting, None)
                if found is None:
                    yield f"{_named(field)} changed what is one of its alternatives"
                else:
                    left.remove(found)


def _followed(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**document["$defs"][schema["$ref"].removeprefix("#/$defs/")], **beside}
    return schema


def _kind(document: Schema, schema: Schema) -> str:
    schema = _followed(document, schema)
    for keyword in _ALTERNATIVES:
        if keyword in schema:
            return " | ".join(sorted(_kind(document, choice) for choice in schema[keyword]))
    return str(schema.get("type", "anything"))


def _values(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {json.dumps(schema["const"])}
    return {json.dumps(value) for value in schema["enum"]} if "enum" in schema else None


def _named(field: str) -> str:
    return f"`{field.lstrip('.')}`" if field else "the data"


def main() -> int:
    """Publish what is new; return 1 and write nothing where a change would break a reader."""
    baseline = read_baseline(PUBLISHED)
    faults = broken(baseline, EVENT_TYPES, UPCASTERS.keys())
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if faults:
        return 1
    for (event_type, version), schema in unpublished(baseline, EVENT_TYPES).items():
        path = PUBLISHED / f"{event_type}.v{version}.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        sys.stdout.write(f"published {event_type} version {version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

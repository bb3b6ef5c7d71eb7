"""From the bytes on the bus to an event."""

from typing import Any

from shared.schemas.events.envelope import Event
from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.upcasting import upcast


def read_event(body: bytes) -> Event[Any]:
    """Return the event, its data brought up to this release's version.

    Data of a type that is not the house's own stays a dictionary. Raises ValueError or TypeError
    for what is no event, NewerVersion for data of a later release.
    """
    event = Event[Any].model_validate_json(body)
    if not isinstance(event.data, dict):
        raise TypeError("the event's data is no JSON object")
    data_type = EVENT_TYPES.get(event.type)
    if data_type is None:
        return event
    data = upcast(event.type, event.version, data_type.event_version, event.data)
    return event.model_copy(
        update={"version": data_type.event_version, "data": data_type.model_validate(data)}
    )

"""The AsyncAPI document of the bus: `python -m shared.schemas.asyncapi` prints it.

It is committed as `docs/asyncapi.json`, for people and programs that read events over AMQP.
"""

import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from shared.schemas.events.envelope import Event, EventData
from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.subscriptions import SUBSCRIPTIONS, routing_pattern

EVENTS_EXCHANGE: Final = "freehold.events"
DOCUMENT_VERSION: Final = "1.0.0"

_BINDING_VERSION: Final = "0.3.0"
_PERSISTENT: Final = 2
_DESCRIPTION: Final = (
    "What happens in Freehold, as events on one topic exchange. The routing key is the event's "
    "type. An event may arrive more than once, always under the same `id`: drop the doubles. "
    "Events of one `subject` keep their order. Fields may be added, so ignore those you do not "
    "know; any other change makes a new `version`. Programs of the owner emit types of their own "
    "in the same envelope."
)


def asyncapi_document(
    event_types: Mapping[str, type[EventData]] = EVENT_TYPES,
    subscriptions: Mapping[str, tuple[type[EventData], ...]] = SUBSCRIPTIONS,
) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of these types and of the queues that take them.

    A type is a channel to which Freehold sends; a queue is a channel from which a service
    receives.
    """
    references, schemas = _schemas(event_types.values())
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, data in sorted(event_types.items()):
        channels[name] = _type_channel(name, data, subscriptions)
        operations[f"send.{name}"] = _operation("send", name, [name])
    for queue, taken in sorted(subscriptions.items()):
        names = sorted(name for name, data in event_types.items() if _takes(taken, data))
        channels[queue] = _queue_channel(queue, taken, names)
        operations[f"receive.{queue}"] = _operation("receive", queue, names)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Freehold events",
            "version": DOCUMENT_VERSION,
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                name: _message(data, references[data]) for name, data in sorted(event_types.items())
            },
            "schemas": schemas,
        },
    }


def render(document: dict[str, Any]) -> str:
    """Return the document as it stands in its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _takes(taken: tuple[type[EventData], ...], data: type[EventData]) -> bool:
    return data in taken or EventData in taken


def _type_channel(
    name: str, data: type[EventData], subscriptions: Mapping[str, tuple[type[EventData], ...]]
) -> dict[str, Any]:
    queues = [queue for queue, taken in sorted(subscriptions.items()) if _takes(taken, data)]
    return {
        "address": name,
        "description": f"{inspect.getdoc(data)}\n\nTaken by {', '.join(queues) or 'no queue'}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": EVENTS_EXCHANGE,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                },
                "bindingVersion": _BINDING_VERSION,
            }
        },
    }


def _queue_channel(
    queue: str, taken: tuple[type[EventData], ...], names: list[str]
) -> dict[str, Any]:
    patterns = ", ".join(f"`{routing_pattern(data)}`" for data in taken)
    return {
        "address": queue,
        "description": f"Bound to `{EVENTS_EXCHANGE}` with {patterns}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": queue,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                },
                "bindingVersion": _BINDING_VERSION,
            }
        },
    }


def _operation(action: str, channel: str, names: list[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }
    if action == "send":
        operation["bindings"] = {
            "amqp": {"deliveryMode": _PERSISTENT, "bindingVersion": _BINDING_VERSION}
        }
    else:
        operation["summary"] = f"The {channel.partition('.')[0]} service takes these events."
    return operation


def _message(data: type[EventData], reference: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": data.event_type,
        "title": data.__name__,
        "summary": inspect.getdoc(data),
        "contentType": "application/json",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/Event"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": data.event_type},
                        "version": {"const": data.event_version},
                        "data": reference,
                    },
                },
            ]
        },
    }


def _schemas(
    models: Iterable[type[EventData]],
) -> tuple[dict[type[EventData], dict[str, Any]], dict[str, Any]]:
    """Return a reference to each model's schema, and all schemas by name."""
    # Readers get what the models write, so these are the schemas of writing.
    models = list(models)
    references, generated = models_json_schema(
        [(model, "serialization") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas = dict(generated.get("$defs", {}))
    # The envelope's data are narrowed by each message, so here they may be anything.
    schemas["Event"] = {**Event[Any].model_json_schema(mode="serialization"), "title": "Event"}
    by_model = {model: references[model, "serialization"] for model in models}
    return by_model, dict(sorted(schemas.items()))


if __name__ == "__main__":
    sys.stdout.write(render(asyncapi_document()))

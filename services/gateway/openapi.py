"""The OpenAPI 3.1 document, made from the route table and the shared models."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.gateway.route import Access, Route
from shared.schemas.problems import PROBLEM_CONTENT_TYPE, ProblemDetails

API_VERSION: Final = "1"
_JSON: Final = "application/json"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_NO_CONTENT: Final = 204
_SCHEMA_ADDRESS: Final = "#/components/schemas/{model}"

_SECURITY_SCHEMES: Final = {
    "session": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a session, or an API key (`fh_…`)",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}

_HEADERS: Final = {
    "X-Request-Id": {"description": "Names the request in the logs", "schema": {"type": "string"}}
}


def openapi_document(routes: Iterable[Route], *, public_url: str) -> dict[str, Any]:
    """Return the document, ready to be written as JSON."""
    documented = [route for route in routes if route.documented]
    references, schemas = _schemas(documented)
    paths: dict[str, dict[str, Any]] = {}
    for route in documented:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Freehold",
            "version": API_VERSION,
            "description": "Every error is `application/problem+json` with a stable `code`.",
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY_SCHEMES},
    }


_References = Mapping[tuple[Any, JsonSchemaMode], Mapping[str, Any]]


def _schemas(routes: Iterable[Route]) -> tuple[_References, Mapping[str, Any]]:
    # A dictionary keeps each model once and in the table's order, so the document is stable.
    models: dict[tuple[Any, JsonSchemaMode], None] = {(ProblemDetails, "serialization"): None}
    for route in routes:
        if route.request is not None:
            models[route.request, "validation"] = None
        if route.answer is not None:
            models[route.answer, "serialization"] = None
    references, definitions = models_json_schema(list(models), ref_template=_SCHEMA_ADDRESS)
    return references, definitions["$defs"]


def _operation(route: Route, references: _References) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.service],
        "summary": route.summary,
        "responses": _responses(route, references),
    }
    if parameters or route.parameters:
        operation["parameters"] = [*parameters, *route.parameters]
    contents = dict(route.request_contents or {})
    if route.request is not None:
        contents[_JSON] = references[route.request, "validation"]
    if contents:
        operation["requestBody"] = {"required": True, "content": _content(contents)}
    if route.access is not Access.PUBLIC:
        operation["security"] = [{"session": []}, {"api_key": []}]
    if route.access is Access.ADMINISTRATOR:
        operation["description"] = "For administrators."
    elif route.scope is not None:
        operation["description"] = f"An API key needs the scope `{route.scope}`."
    return operation


def _responses(route: Route, references: _References) -> dict[str, Any]:
    contents = dict(route.answer_contents or {})
    if route.answer is not None:
        contents[_JSON] = references[route.answer, "serialization"]
    success: dict[str, Any] = {
        "description": HTTPStatus(route.status).phrase,
        "headers": _HEADERS,
    }
    if contents and route.status != _NO_CONTENT:
        success["content"] = _content(contents)
    problem = {
        "description": "A problem; `code` says which",
        "headers": _HEADERS,
        "content": _content({PROBLEM_CONTENT_TYPE: references[ProblemDetails, "serialization"]}),
    }
    return {str(route.status): success, "default": problem}


def _content(schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in schemas.items()}


def _operation_id(route: Route) -> str:
    """Return a name for generated clients, such as `get_v1_files_file_id_content`."""
    words = re.findall(r"[A-Za-z0-9]+", route.path)
    return "_".join([route.method.lower(), *words])

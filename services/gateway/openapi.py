"""The OpenAPI 3.1 document, made from the route table and the shared models."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import UnionType
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from services.gateway.route import Access, Json, Route
from shared.schemas.problems import PROBLEM_CONTENT_TYPE, ProblemDetails

API_VERSION: Final = "1"
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_SCHEMA_ADDRESS: Final = "#/components/schemas/{model}"

_SECURITY_SCHEMES: Final = {
    "session": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a session, or an API key (`fh_…`)",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "application": {
        "type": "http",
        "scheme": "basic",
        "description": "`client_id` and `client_secret` of a registered application",
    },
    "application_token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token that an application got from `/oauth2/token`",
    },
}

_HEADERS: Final = {
    "X-Request-Id": {"description": "Names the request in the logs", "schema": {"type": "string"}}
}
_LOCATION: Final = {
    "Location": {"description": "Where the browser goes next", "schema": {"type": "string"}}
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
            "description": "Every error is `application/problem+json` with a stable `code`; "
            "what OAuth 2.0 describes refuses in its shape.",
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
        for given in (route.request, route.form):
            if given is not None:
                models[given, "validation"] = None
        for answered in (*_choices(route.answer), *_choices(route.error)):
            models[answered, "serialization"] = None
    references, definitions = models_json_schema(list(models), ref_template=_SCHEMA_ADDRESS)
    return references, definitions["$defs"]


def _operation(route: Route, references: _References) -> dict[str, Any]:
    in_path: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.service],
        "summary": route.summary,
        "responses": _responses(route, references),
    }
    if parameters := [*in_path, *_query(route.query), *route.parameters]:
        operation["parameters"] = parameters
    contents = dict(route.request_contents or {})
    if route.request is not None:
        contents[_JSON] = references[route.request, "validation"]
    if route.form is not None:
        contents[_FORM] = references[route.form, "validation"]
    if contents:
        operation["requestBody"] = {
            "required": _needs_body(route),
            "content": _content(contents),
        }
    if route.security is not None:
        operation["security"] = list(route.security)
    elif route.access is not Access.PUBLIC:
        operation["security"] = [{"session": []}, {"api_key": []}]
    elif route.takes_tokens:
        operation["security"] = [{"session": []}, {}]
    if route.access is Access.ADMINISTRATOR:
        operation["description"] = "For administrators."
    elif route.scope is not None:
        operation["description"] = f"An API key needs the scope `{route.scope}`."
    return operation


def _needs_body(route: Route) -> bool:
    """Tell whether a body has to be there; it need not where a header says who asks."""
    model = route.request or route.form
    has_credentials = route.security is not None or route.access is not Access.PUBLIC
    return (
        model is None
        or not has_credentials
        or route.always_json
        or any(field.is_required() for field in model.model_fields.values())
    )


def _query(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    told = model.model_json_schema()
    required = told.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            **({"description": schema["description"]} if "description" in schema else {}),
            "schema": {key: schema[key] for key in schema if key not in {"title", "description"}},
        }
        for name, schema in told["properties"].items()
    ]


def _choices(body: type[BaseModel] | UnionType | None) -> tuple[Any, ...]:
    """Return the models that a body may be one of."""
    if body is None:
        return ()
    return get_args(body) if isinstance(body, UnionType) else (body,)


def _answers(
    body: type[BaseModel] | UnionType | None, contents: Json | None, references: _References
) -> dict[str, Any]:
    schemas = [references[model, "serialization"] for model in _choices(body)]
    found = dict(contents or {})
    if schemas:
        found[_JSON] = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return found


def _responses(route: Route, references: _References) -> dict[str, Any]:
    success: dict[str, Any] = {
        "description": HTTPStatus(route.status).phrase,
        "headers": _HEADERS | (_LOCATION if route.status == HTTPStatus.SEE_OTHER else {}),
    }
    contents = _answers(route.answer, route.answer_contents, references)
    if contents and route.status != HTTPStatus.NO_CONTENT:
        success["content"] = _content(contents)
    errors = _answers(route.error, route.error_contents, references)
    problem = {
        "description": "An error; a problem where it comes from the house and not from the standard"
        if errors
        else "A problem; `code` says which",
        "headers": _HEADERS,
        "content": _content(
            errors | {PROBLEM_CONTENT_TYPE: references[ProblemDetails, "serialization"]}
        ),
    }
    return {str(route.status): success, "default": problem}


def _content(schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in schemas.items()}


def _operation_id(route: Route) -> str:
    """Return a name for generated clients, such as `get_v1_files_file_id_content`."""
    words = re.findall(r"[A-Za-z0-9]+", route.path)
    return "_".join([route.method.lower(), *words])

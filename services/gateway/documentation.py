"""The API as a page for people: no script, nothing that is loaded from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.schemas.problem_kinds import PROBLEMS

_PAGES: Final = Path(__file__).parent / "pages"
_CREDENTIALS: Final = {
    "session": "Needs an access token or an API key.",
    "application": "The application says who it is, by HTTP Basic or in the form.",
    "application_token": "Needs the access token of an application.",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")


class DocumentationPage:
    """The page and the security policy that it needs."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        environment = Environment(
            loader=FileSystemLoader(_PAGES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = (_PAGES / "docs.css").read_text()
        self.html = environment.get_template("docs.html").render(
            style=style,
            title=document["info"]["title"],
            server=document["servers"][0]["url"],
            groups=_groups(document),
            schemas={
                name: _fields(schema)
                for name, schema in document["components"]["schemas"].items()
                if "properties" in schema
            },
            problems=PROBLEMS,
        )
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.security_policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )


def _groups(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                entry = _entry(method, path, operations[method])
                groups.setdefault(operations[method]["tags"][0], []).append(entry)
    return groups


def _entry(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    status = next(iter(operation["responses"]))
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "credentials": _credentials(operation),
        "parameters": operation.get("parameters", []),
        "request": _bodies(operation.get("requestBody", {})),
        "status": status,
        "answer": _bodies(operation["responses"][status]),
    }


def _credentials(operation: Mapping[str, Any]) -> str:
    named = [name for choice in operation.get("security", ()) for name in choice]
    return _CREDENTIALS[named[0]] if named else ""


def _bodies(part: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the media types of a body and the names of the schemas that each may have."""
    return [
        (
            media_type,
            [
                choice["$ref"].rpartition("/")[2]
                for choice in content["schema"].get("oneOf", [content["schema"]])
                if "$ref" in choice
            ],
        )
        for media_type, content in part.get("content", {}).items()
    ]


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "type": _type(field),
            "required": name in required,
            "description": field.get("description", ""),
        }
        for name, field in schema["properties"].items()
    ]


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = str(schema.get("type", "anything"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind

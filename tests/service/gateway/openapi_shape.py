"""The parts of OpenAPI 3.1 that our document uses, so that nothing else can stand in it."""

from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

KEYWORDS = frozenset(
    {
        *("$ref", "title", "description", "default", "examples", "const", "enum", "type", "format"),
        *("anyOf", "oneOf", "allOf", "discriminator", "items", "minItems", "maxItems"),
        *("uniqueItems", "prefixItems", "properties", "required", "additionalProperties"),
        *("propertyNames", "minProperties", "maxProperties", "minLength", "maxLength", "pattern"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "contentMediaType"),
    }
)
_MAPS = frozenset({"properties"})
_VALUES = frozenset({"default", "examples", "const", "enum", "discriminator"})


def _is_schema(schema: dict[str, Any]) -> dict[str, Any]:
    Draft202012Validator.check_schema(schema)
    _know_keywords(schema)
    return schema


def _know_keywords(schema: Any) -> None:
    if isinstance(schema, list):
        for part in schema:
            _know_keywords(part)
    elif isinstance(schema, dict):
        unknown = schema.keys() - KEYWORDS
        assert not unknown, f"no keywords of JSON Schema: {unknown}"
        for keyword, part in schema.items():
            if keyword not in _VALUES:
                _know_keywords(list(part.values()) if keyword in _MAPS else part)


Schema = Annotated[dict[str, Any], AfterValidator(_is_schema)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Contact(Part):
    title: str
    version: str
    description: str


class Server(Part):
    url: str


class MediaType(Part):
    schema_: Schema = Field(alias="schema")


class Header(Part):
    description: str
    schema_: Schema = Field(alias="schema")


class Parameter(Part):
    name: str
    in_: Literal["path", "query", "header"] = Field(alias="in")
    required: bool = False
    description: str | None = None
    schema_: Schema = Field(alias="schema")

    @model_validator(mode="after")
    def _of_the_path_is_required(self) -> "Parameter":
        assert self.required or self.in_ != "path"
        return self


class RequestBody(Part):
    required: bool
    content: dict[str, MediaType] = Field(min_length=1)


class Response(Part):
    description: str = Field(min_length=1)
    headers: dict[str, Header]
    content: dict[str, MediaType] = Field(default={})


class Operation(Part):
    operation_id: str = Field(alias="operationId", pattern=r"^[A-Za-z0-9_]+$")
    tags: list[str] = Field(min_length=1, max_length=1)
    summary: str = Field(min_length=1)
    description: str | None = None
    parameters: list[Parameter] = Field(default=[])
    request_body: RequestBody | None = Field(default=None, alias="requestBody")
    responses: dict[Annotated[str, Field(pattern=r"^([123]\d\d|default)$")], Response]
    security: list[dict[str, list[str]]] = Field(default=[])


class SecurityScheme(Part):
    type: Literal["http", "apiKey"]
    scheme: Literal["bearer", "basic"] | None = None
    bearer_format: str | None = Field(default=None, alias="bearerFormat")
    name: str | None = None
    in_: Literal["header"] | None = Field(default=None, alias="in")
    description: str | None = None


class Components(Part):
    schemas: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")], Schema]
    security_schemes: dict[str, SecurityScheme] = Field(alias="securitySchemes")


Method = Literal["get", "put", "post", "patch", "delete"]


class Document(Part):
    openapi: Literal["3.1.0"]
    info: Contact
    servers: list[Server]
    paths: dict[Annotated[str, Field(pattern="^/")], dict[Method, Operation]]
    components: Components

    def operations(self) -> list[tuple[str, Operation]]:
        return [
            (path, operation)
            for path, operations in self.paths.items()
            for operation in operations.values()
        ]

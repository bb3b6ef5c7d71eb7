"""The OpenAPI document says what there is, in the words of the standard."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from services.gateway.documentation import DocumentationPage
from services.gateway.openapi import openapi_document
from services.gateway.route_table import ROUTES
from tests.service.gateway.openapi_shape import Document

TOLD = openapi_document(ROUTES, public_url="https://app.example.com")
DOCUMENT = Document.model_validate(TOLD)


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = TOLD["paths"][path][method]
    return found


def answer_of(method: str, path: str, status: str = "200") -> dict[str, Any]:
    content = operation(method, path)["responses"][status].get("content", {})
    return {media_type: told["schema"] for media_type, told in content.items()}


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(TOLD)))
    assert used == set(DOCUMENT.components.schemas)


def test_each_operation_has_a_name_of_its_own_and_the_parameters_of_its_path() -> None:
    names = Counter(operation.operation_id for _, operation in DOCUMENT.operations())
    assert names.most_common(1)[0][1] == 1
    for path, described in DOCUMENT.operations():
        named = [(parameter.in_, parameter.name) for parameter in described.parameters]
        assert len(named) == len(set(named)), path
        in_path = [name for place, name in named if place == "path"]
        assert in_path == re.findall(r"\{(\w+)\}", path)


def test_credentials_are_ones_that_the_document_describes() -> None:
    schemes = set(DOCUMENT.components.security_schemes)
    assert {
        name
        for _, described in DOCUMENT.operations()
        for choice in described.security
        for name in choice
    } == schemes


def test_the_routes_that_only_our_own_pages_use_are_these() -> None:
    hidden = {f"{route.method} {route.path}" for route in ROUTES if not route.documented}
    assert {name for name in hidden if not re.search(r"\.(js|css)$", name)} == {
        "GET /oauth2/interaction",
        "POST /oauth2/consent",
    }


def test_no_description_leaks_a_name_of_our_code() -> None:
    assert re.findall(r"[a-z_]+\.[A-Z]{2,}|\w+\.py\b", json.dumps(TOLD)) == []


def test_a_first_proof_is_answered_by_a_session_or_by_what_has_to_follow() -> None:
    either = {"oneOf": [reference("Session"), reference("MfaRequired")]}
    answers = {
        path: answer_of("post", path).get("application/json", {})
        for path, operations in TOLD["paths"].items()
        if "200" in operations.get("post", {}).get("responses", {})
    }
    assert {path for path, answer in answers.items() if answer == either} == {
        "/v1/auth/login",
        "/v1/auth/magic-link/verify",
    }
    page = DocumentationPage(TOLD).html
    assert (
        'application/json</code> <a href="#schema-Session">Session</a>'
        ' or <a href="#schema-MfaRequired">MfaRequired</a>'
    ) in page


def test_a_session_may_have_a_refresh_token_which_is_never_null() -> None:
    session = TOLD["components"]["schemas"]["Session"]
    assert session["properties"]["refresh_token"]["type"] == "string"
    assert "refresh_token" not in session["required"]


def test_every_form_says_its_fields() -> None:
    forms = [
        body.content["application/x-www-form-urlencoded"].schema_
        for _, described in DOCUMENT.operations()
        if (body := described.request_body) is not None
        if "application/x-www-form-urlencoded" in body.content
    ]
    assert len(forms) == 7
    assert all(form.keys() == {"$ref"} for form in forms)


def test_what_an_application_asks_for_is_named_in_query_and_form() -> None:
    query = {
        told["name"]: told["required"]
        for told in operation("get", "/oauth2/authorize")["parameters"]
    }
    form = TOLD["components"]["schemas"]["AuthorizationParameters"]
    body = operation("post", "/oauth2/authorize")["requestBody"]

    assert query == {name: name in form["required"] for name in form["properties"]}
    assert {name for name, required in query.items() if required} == {
        *("response_type", "client_id", "redirect_uri", "scope")
    }
    assert body == {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {"schema": reference("AuthorizationParameters")}
        },
    }


@pytest.mark.parametrize(
    ("path", "form", "answer"),
    [
        ("/oauth2/token", "TokenForm", {"application/json": reference("TokenAnswer")}),
        ("/oauth2/revoke", "TokenReferenceForm", {}),
        (
            "/oauth2/introspect",
            "TokenReferenceForm",
            {"application/json": reference("Introspection")},
        ),
    ],
)
def test_applications_send_forms_and_say_who_they_are(
    path: str, form: str, answer: dict[str, Any]
) -> None:
    described = operation("post", path)
    assert described["requestBody"] == {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": reference(form)}},
    }
    assert described["security"] == [{"application": []}, {}]
    assert answer_of("post", path) == answer
    assert answer_of("post", path, "default") == {
        "application/json": reference("OAuthErrorAnswer"),
        "application/problem+json": reference("ProblemDetails"),
    }


def test_a_body_need_not_be_sent_where_every_field_is_optional_and_a_header_says_who_asks() -> None:
    optional = {
        f"{method.upper()} {path}"
        for path, operations in TOLD["paths"].items()
        for method, described in operations.items()
        if not described.get("requestBody", {"required": True})["required"]
    }
    assert optional >= {
        "POST /oauth2/userinfo",
        "POST /v1/auth/users/{user_id}/disable",
        "POST /v1/auth/mfa/totp",
        "POST /v1/jobs/{job_id}/complete",
    }
    assert optional.isdisjoint(
        {
            "POST /v1/auth/refresh",
            "POST /v1/auth/passkeys/options",
            "POST /v1/auth/step-up",
            "POST /v1/auth/step-up/passkey/options",
            "POST /v1/auth/login",
            "POST /v1/files",
        }
    )


def test_userinfo_takes_the_token_of_an_application_alone() -> None:
    for method, security in (("get", []), ("post", [{}])):
        described = operation(method, "/oauth2/userinfo")
        assert described["security"] == [{"application_token": []}, *security]
        assert answer_of(method, "/oauth2/userinfo") == {"application/json": reference("Userinfo")}
    assert operation("post", "/oauth2/userinfo")["requestBody"]["required"] is False


def test_who_is_sent_on_is_told_where() -> None:
    for path in ("/oauth2/authorize", "/oauth2/logout", "/v1/auth/oidc/{connection_id}/start"):
        assert "Location" in operation("get", path)["responses"]["303"]["headers"]
    errors = answer_of("get", "/oauth2/authorize", "default")
    assert set(errors) == {"text/html", "application/problem+json"}


def test_other_errors_are_problems_alone() -> None:
    others = [
        (path, method)
        for path, operations in TOLD["paths"].items()
        for method in operations
        if not path.startswith("/oauth2/")
    ]
    for path, method in others:
        assert answer_of(method, path, "default") == {
            "application/problem+json": reference("ProblemDetails")
        }

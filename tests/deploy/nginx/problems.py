"""What must be true of every error."""

import json

import httpx2


def assert_problem(response: httpx2.Response, status: int, code: str) -> None:
    """Assert the one error shape, with an id that also stands in the header."""
    assert (response.status_code, response.headers["content-type"]) == (
        status,
        "application/problem+json",
    ), response.text
    assert_problem_body(response.content, status, code, response.headers["x-request-id"])
    assert response.headers.get_list("x-request-id") == [response.headers["x-request-id"]]
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.headers.get_list("cache-control") == ["no-store"]


def assert_problem_body(body: bytes, status: int, code: str, request_id: str) -> None:
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"/docs#problem-{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == request_id
    assert len(request_id) == 32


def split(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body

"""What `up` says when the stack is ready."""

from pathlib import Path

import pytest

from deploy.local.commands.up import print_addresses
from deploy.local.home import write_json
from tests.deploy.launcher.test_settings import stack_with


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, ["public address   http://127.0.0.1:8080"]),
        (
            {"FREEHOLD_PUBLIC_URL": "https://app.example.com", "FREEHOLD_PORT": "9000"},
            [
                "public address   https://app.example.com",
                "nginx listens    http://127.0.0.1:9000",
            ],
        ),
        (
            {"FREEHOLD_LISTEN_ADDRESS": "0.0.0.0"},  # noqa: S104 - what an operator may choose
            [
                "public address   http://127.0.0.1:8080",
                "nginx listens    http://0.0.0.0:8080",
            ],
        ),
    ],
)
def test_where_nginx_listens_is_told_if_it_is_not_the_public_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], variables: dict[str, str], shown: list[str]
) -> None:
    stack = stack_with(tmp_path, **variables)
    write_json(stack.home.administrator, {"email": "admin@example.com"})

    print_addresses(stack, is_new=True)

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    addresses = lines[
        2 : lines.index(f"Prometheus       http://127.0.0.1:{stack.ports.prometheus}")
    ]
    assert lines[:2] == ["", "Freehold is ready."]
    assert addresses == shown

"""Why a server was not reached, whatever a library has made of the error."""

import socket
import ssl

import pytest

from shared.chassis.reachability import server_of, why_unreachable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "refused"), "refuses connections"),
        (socket.gaierror(-2, "unknown"), "is unknown here: no host of that name is found"),
        (TimeoutError(), "does not answer"),
        (ConnectionResetError(), "closes the connection"),
        (ssl.SSLCertVerificationError(), "shows a certificate that is not trusted here"),
        (ssl.SSLError(), "does not speak TLS as it is asked to"),
        (OSError(113, "No route to host"), "cannot be used: [Errno 113] No route to host"),
        (ValueError("not ours"), None),
    ],
)
def test_the_first_cause_counts_however_it_is_wrapped(error: Exception, said: str | None) -> None:
    wrapped = RuntimeError("a library's own")
    wrapped.__cause__ = RuntimeError("and another one")
    wrapped.__cause__.__context__ = error
    error.__context__ = wrapped

    assert why_unreachable(error) == said
    assert why_unreachable(wrapped) == said


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("amqp://u:p@mq.example.com/v", "mq.example.com:5432"),
        ("amqp://u:p@mq.example.com:99/v", "mq.example.com:99"),
        ("postgres://u:p@[::1]/d", "[::1]:5432"),
        ("postgres://u:p@a,b:99/d", "a:5432,b:99"),
        ("postgres://u:p@/d?host=/run/postgresql", "/run/postgresql"),
        ("postgres://u:p@/d", "localhost"),
    ],
)
def test_only_host_and_port_of_an_address_are_shown(url: str, server: str) -> None:
    assert server_of(url, 5432) == server

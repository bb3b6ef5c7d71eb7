"""Addresses of servers, and origins: what is taken, and what is said of the rest."""

import pytest

from shared.chassis.server_urls import check_amqp_url, check_origin, check_postgres_url

POSTGRES = "write it like postgresql://USER:PASSWORD@db.example.com:5432/DATABASE"
AMQP = "write it like amqps://USER:PASSWORD@mq.example.com:5671/VHOST"
ESCAPES = r"characters such as # / \? @ are written as %23 %2F %3F %40"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db.example.com/app",
        "postgres://u:p@db.example.com:5433/app?sslmode=require",
        "postgresql://u@/app?host=/run/postgresql",
        "postgresql://u:p@/app",
        "postgresql://u:p@a.example:5432,b.example:5433/app?target_session_attrs=primary",
        "postgresql://u:p@[::1]:5432/app",
        "postgresql://u:p@db.example.com?dbname=app",
    ],
)
def test_addresses_of_databases(url: str) -> None:
    assert check_postgres_url(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:p@h/d", "must begin with postgresql:// or postgres://; "),
        ("postgresql:u:p@h/d", "must begin with postgresql:// or postgres://; "),
        ("h:5432/d", "must begin with postgresql:// or postgres://; "),
        ("postgresql://u:p@h", "names no database; "),
        ("postgresql://u:p@h/", "names no database; "),
        ("postgresql://u:p@[h/d", "cannot be read as an address; "),
    ],
)
def test_what_is_no_address_of_a_database(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}{POSTGRES}$"):
        check_postgres_url(url)


@pytest.mark.parametrize("url", ["amqp://h", "amqp://u:p@h:5673/app%2Fone", "amqps://u:p@[::1]/"])
def test_addresses_of_brokers(url: str) -> None:
    assert check_amqp_url(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "must begin with amqp:// or amqps://; "),
        ("amqp://", "names no host; "),
        ("amqp://u:p@/v", "names no host; "),
        ("amqp://u:p@a,b/v", "names no host; "),
        ("amqp://u:p#@h/v", rf"has a # in it; in user and password, {ESCAPES}; "),
        ("amqp://u:p/@h/v", rf"has no number from 1 to 65535 as its port \(.*{ESCAPES}\); "),
        ("amqp://u:p@h:0/v", "has no number from 1 to 65535 as its port .*; "),
        ("amqp://u:p@h:99999/v", "has no number from 1 to 65535 as its port .*; "),
    ],
)
def test_what_is_no_address_of_a_broker(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}{AMQP}$"):
        check_amqp_url(url)


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_origins(origin: str) -> None:
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "app.example.com",
        "https://*.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com?x",
        "https://App.example.com",
        "https://büro.example.com",
        "https://app.example.com:port",
        "https://app.example.com:70000",
        "https://app.example.com https://b.example.com",
    ],
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin; origins are named one by one") as raised:
        check_origin(origin)
    assert str(raised.value).startswith(f"{origin} ")
    assert str(raised.value).endswith(", like https://app.example.com")


def test_an_origin_with_the_port_that_browsers_leave_out_would_never_match() -> None:
    with pytest.raises(ValueError, match=r"leave out the port of https://a\.example:443;"):
        check_origin("https://a.example:443")

"""Signatures, pauses, patterns and places in line."""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from services.jobs.webhooks.consumers import patterns_of
from services.jobs.webhooks.lanes import EndpointBusy, Lanes
from services.jobs.webhooks.retries import ATTEMPTS, pause_after, wished_pause
from services.jobs.webhooks.signing import new_secret, shown_secret, signed_headers
from shared.schemas.api.webhooks import WebhookCreate, WebhookUpdate

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BODY = '{"data":"grüße"}'.encode()


def test_a_foreign_library_verifies_with_each_of_the_secrets() -> None:
    secrets = [new_secret(), new_secret()]
    headers = signed_headers(secrets, message_id="id", timestamp=int(time.time()), body=BODY)
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert [part.partition(",")[0] for part in headers["webhook-signature"].split(" ")] == [
        "v1",
        "v1",
    ]
    for secret in secrets:
        assert Verifier(shown_secret(secret)).verify(BODY, headers) == {"data": "grüße"}
    for wrong_secret, body, changed in (
        (new_secret(), BODY, headers),
        (secrets[0], BODY + b" ", headers),
        (secrets[0], BODY, headers | {"webhook-id": "other"}),
        (secrets[0], BODY, headers | {"webhook-timestamp": str(int(time.time()) - 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(shown_secret(wrong_secret)).verify(body, changed)


def test_pauses_double_up_to_six_hours_over_a_day_and_a_half() -> None:
    pauses = []
    for failures in range(1, ATTEMPTS):
        pause = pause_after(failures)
        assert pause is not None
        middle = min(10 * 2 ** (failures - 1), 6 * 3600)
        assert 0.8 * middle <= pause.total_seconds() <= 1.2 * middle
        pauses.append(middle)
    assert sum(pauses) / 3600 == pytest.approx(35.4, abs=0.1)
    assert pause_after(ATTEMPTS) is None


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, "120", 120),
        (503, " 120 ", 120),
        (503, "Tue, 24 Nov 2026 12:02:00 GMT", 120),
        (503, "Tue, 24 Nov 2026 11:00:00 GMT", 0),
        (503, "99999999999999999999", 999999999),
        (500, "120", None),
        (None, None, None),
        (429, None, None),
        (429, "soon", None),
        (429, "-5", None),
        (429, "", None),
    ],
)
def test_what_a_receiver_asks_for(
    status: int | None, value: str | None, seconds: int | None
) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert wished_pause(status, value, now=NOW) == expected


def test_a_wish_lengthens_a_pause_up_to_a_day_and_never_shortens_it() -> None:
    assert pause_after(1, wish=timedelta(minutes=5)) == timedelta(minutes=5)
    assert pause_after(1, wish=timedelta(days=9)) == timedelta(days=1)
    shortest = pause_after(5, wish=timedelta(0))
    assert shortest is not None
    assert shortest >= timedelta(seconds=0.8 * 160)


@pytest.mark.parametrize(
    ("event_type", "patterns"),
    [
        ("order.paid", ["*", "order.*", "order.paid"]),
        ("shop.order.paid", ["*", "shop.*", "shop.order.*", "shop.order.paid"]),
    ],
)
def test_what_meets_a_type(event_type: str, patterns: list[str]) -> None:
    assert patterns_of(event_type) == patterns


@pytest.mark.parametrize("pattern", ["*", "order.*", "order.paid", "order-line.re_sent", "a.b.*"])
def test_patterns_that_are_understood(pattern: str) -> None:
    WebhookCreate(url="https://x.example", event_types=[pattern])


@pytest.mark.parametrize("pattern", ["", "order", "*.paid", "order*", "Order.paid", "**", "a..b"])
def test_patterns_that_are_not(pattern: str) -> None:
    with pytest.raises(ValidationError):
        WebhookCreate(url="https://x.example", event_types=[pattern])


@pytest.mark.parametrize("field", ["url", "event_types", "enabled"])
def test_only_the_description_can_be_taken_away(field: str) -> None:
    with pytest.raises(ValidationError):
        WebhookUpdate.model_validate({field: None})
    WebhookUpdate.model_validate({"description": None})


def test_an_endpoint_has_so_many_places_and_a_line_of_its_own() -> None:
    lanes = Lanes(width=2)
    slow, other = uuid4(), uuid4()
    with lanes.place(slow, clock=0.0), lanes.place(slow, clock=0.0):
        lanes.note(slow, seconds=10.0)
        pauses = []
        for _ in range(300):
            with pytest.raises(EndpointBusy) as busy, lanes.place(slow, clock=0.0):
                pass
            pauses.append(busy.value.pause.total_seconds())
        with lanes.place(other, clock=0.0):
            pass
    with lanes.place(slow, clock=0.0):
        pass
    each = 10.0 * 0.3 / 2
    assert pauses[:3] == pytest.approx([each, 2 * each, 3 * each])
    assert max(pauses) == 300.0


def test_a_line_that_is_over_is_forgotten() -> None:
    lanes = Lanes(width=1)
    endpoint = uuid4()
    with lanes.place(endpoint, clock=0.0):
        lanes.note(endpoint, seconds=60.0)
        with pytest.raises(EndpointBusy), lanes.place(endpoint, clock=0.0):
            pass
    with lanes.place(endpoint, clock=1000.0):
        with pytest.raises(EndpointBusy) as busy, lanes.place(endpoint, clock=1000.0):
            pass
        assert busy.value.pause.total_seconds() == pytest.approx(18.0)

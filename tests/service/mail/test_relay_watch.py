"""A server that takes no mail at all is told of, and not troubled while it does."""

import pytest
from aiosmtpd.smtp import SMTP

from services.mail.relay_watch import CONDITION, RelayWatch
from services.mail.smtp import SmtpRelay, TemporaryRefusal, parse_smtp_url
from shared.chassis.lifecycle import Lifecycle
from tests.parts.processes import free_port
from tests.service.mail.smtp_sink import SmtpSink


class Counted(SmtpSink):
    """Counts connections."""

    connections = 0

    def _protocol(self) -> SMTP:
        self.connections += 1
        return super()._protocol()


def watched(url: str) -> tuple[SmtpRelay, RelayWatch, Lifecycle]:
    relay = SmtpRelay(parse_smtp_url(url), greeting="us.example", ca_file=None, timeout_seconds=5)
    lifecycle = Lifecycle()
    return relay, RelayWatch(relay, lifecycle), lifecycle


def problems(lifecycle: Lifecycle) -> list[str]:
    listing = lifecycle.conditions.listing()
    assert all(one.name == CONDITION and one.failing for one in listing)
    assert all("FREEHOLD_SMTP_URL" in one.next_step for one in listing)
    return [one.problem for one in listing]


async def test_a_server_is_tried_until_it_works_and_again_after_a_failed_hand_over() -> None:
    sink = Counted()
    relay, watch, lifecycle = watched(f"smtp://127.0.0.1:{sink.port}")
    server = f"FREEHOLD_SMTP_URL names 127.0.0.1:{sink.port}"
    told = [f"{server}, which refuses connections. No mail goes out; all wait."]
    await watch.run_once()
    assert problems(lifecycle) == told

    await sink.start()
    await watch.run_once()
    await watch.run_once()
    assert problems(lifecycle) == []
    assert sink.connections == 1

    await sink.stop()
    await watch.run_once()
    assert problems(lifecycle) == []
    with pytest.raises(TemporaryRefusal):
        await relay.hand_over(b"Subject: x\r\n\r\n", sender="a@b.example", recipient="c@d.example")
    await watch.run_once()
    assert problems(lifecycle) == told


async def test_a_refused_message_is_no_reason_to_doubt_the_server() -> None:
    sink = Counted(rcpt_refusals=["450 4.2.0 greylisted"])
    await sink.start()
    relay, watch, _ = watched(f"smtp://127.0.0.1:{sink.port}")
    try:
        await watch.run_once()
        with pytest.raises(TemporaryRefusal, match="450"):
            await relay.hand_over(b"x: y\r\n\r\n", sender="a@b.example", recipient="c@d.example")
        assert not relay.is_doubtful
    finally:
        await sink.stop()


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("smtp", "refuses the user or the password (535 5.7.8 "),
        ("smtps", "does not speak TLS as it is asked to. "),
        ("starttls", "cannot be used: "),
    ],
)
async def test_what_the_server_does_is_told_without_the_password(scheme: str, said: str) -> None:
    sink = SmtpSink(credentials=(b"user", b"right"))
    await sink.start()
    _, watch, lifecycle = watched(f"{scheme}://user:wr0ng@localhost:{sink.port}")
    try:
        await watch.run_once()
    finally:
        await sink.stop()
    (problem,) = problems(lifecycle)
    assert problem.startswith(f"FREEHOLD_SMTP_URL names localhost:{sink.port}, which {said}")
    assert "wr0ng" not in problem


async def test_a_host_that_nobody_knows() -> None:
    _, watch, lifecycle = watched(f"smtp://nobody.invalid:{free_port()}")
    await watch.run_once()
    assert "which is unknown here: no host of that name is found." in problems(lifecycle)[0]

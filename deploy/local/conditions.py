"""What running processes tell of themselves, added to the parts that `status` shows."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.ports import LOOPBACK
from deploy.local.supervisor.specs import PartSpec
from deploy.rabbitmq.alarms import alarms
from shared.chassis.conditions import LISTING

PATIENCE_SECONDS = 2.0
"""For one process; all are asked at the same time."""
BROKER = "rabbitmq"


@dataclass(frozen=True)
class Told:
    """A condition as one process told it."""

    part: str
    name: str
    problem: str
    next_step: str
    failing: bool
    instance: int | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Broker:
    """The embedded broker: where it tells of itself, and where its data is."""

    metrics_port: int
    data: Path


async def add_conditions(
    report: dict[str, Any], specs: Iterable[PartSpec], broker: Broker | None
) -> None:
    """Ask every running instance of the report for its conditions and put them to its part.

    A part gets the list `conditions`. If one of them is failing, the part is, with that problem
    and next step, and the report is not healthy. A process that does not answer within
    2 s is told as a condition too; one that is just gone is not, the part's state says so.
    """
    by_name = {spec.name: spec for spec in specs}
    asked = [
        _ask_instance(part["name"], by_name[part["name"]], instance)
        for part in report["parts"]
        if part["name"] in by_name
        for instance in part["instances"]
        # A supervisor of the last release, which is still running, tells no numbers.
        if instance["pid"] is not None and "number" in instance
    ]
    if broker is not None and _is_running(report, BROKER):
        asked.append(_ask_broker(broker))
    told = [one for answer in await asyncio.gather(*asked) for one in answer]
    for part in report["parts"]:
        _put(part, [one for one in told if one.part == part["name"]])
    if any(one.failing for one in told):
        report["healthy"] = False


async def _ask_instance(part: str, spec: PartSpec, instance: Mapping[str, Any]) -> list[Told]:
    number = instance["number"]
    socket = spec.metrics_socket_for(number)
    if socket is None:
        return []
    transport = httpx2.AsyncHTTPTransport(uds=str(socket))
    return await _ask(
        "http://process/conditions",
        transport,
        lambda answer: [
            Told(
                part=part,
                name=one.name,
                problem=one.problem,
                next_step=one.next_step,
                failing=one.failing,
                instance=number,
                since=one.since,
            )
            for one in LISTING.validate_json(answer.content)
        ],
        silent=Told(
            part=part,
            name="unanswered",
            problem=f"{part} {number} runs, but did not tell its state within "
            f"{PATIENCE_SECONDS:g} s: it is overloaded or held up.",
            next_step=f"Ask again; if it stays, see `./freehold logs {part}` and "
            f"`./freehold restart {part}`.",
            failing=False,
            instance=number,
        ),
    )


async def _ask_broker(broker: Broker) -> list[Told]:
    return await _ask(
        f"http://{LOOPBACK}:{broker.metrics_port}/metrics",
        httpx2.AsyncHTTPTransport(),
        lambda answer: [
            Told(
                part=BROKER,
                name=alarm.name,
                problem=alarm.problem,
                next_step=alarm.next_step,
                failing=True,
            )
            for alarm in alarms(answer.text, broker.data)
        ],
        silent=Told(
            part=BROKER,
            name="unanswered",
            problem=f"RabbitMQ runs, but its metrics did not come within {PATIENCE_SECONDS:g} s.",
            next_step="Ask again; if it stays, see `./freehold logs rabbitmq`.",
            failing=False,
        ),
    )


async def _ask(
    url: str,
    transport: httpx2.AsyncHTTPTransport,
    read: Callable[[httpx2.Response], list[Told]],
    *,
    silent: Told,
) -> list[Told]:
    try:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            httpx2.AsyncClient(transport=transport, timeout=None) as client,
        ):
            return read((await client.get(url)).raise_for_status())
    except TimeoutError:
        return [silent]
    except (httpx2.HTTPError, ValueError):
        # It is just starting or leaving, or is still of a release that has no conditions.
        return []


def _is_running(report: Mapping[str, Any], name: str) -> bool:
    return any(part["name"] == name and part["state"] == "running" for part in report["parts"])


def _put(part: dict[str, Any], told: list[Told]) -> None:
    """Merge what several instances tell alike into one condition of the part."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for one in told:
        condition = merged.setdefault(
            (one.name, one.problem),
            {
                "name": one.name,
                "problem": one.problem,
                "next_step": one.next_step,
                "failing": one.failing,
            },
        )
        if one.instance is not None:
            condition.setdefault("instances", []).append(one.instance)
        if one.since is not None:
            since = one.since.isoformat().replace("+00:00", "Z")
            condition["since"] = min(since, condition.get("since", since))
    conditions = sorted(merged.values(), key=lambda condition: not condition["failing"])
    part["conditions"] = conditions
    if conditions and conditions[0]["failing"]:
        worst = conditions[0]
        part.update(state="failed", problem=worst["problem"], next_step=worst["next_step"])

"""The plan as data: what it keeps, what it refuses, in which order it stops."""

import dataclasses
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from deploy.local.supervisor.order import stops_after
from deploy.local.supervisor.specs import OneShot, PartSpec, Plan, PlanError, Ready


def part(name: str, kind: Any = "service", **values: Any) -> PartSpec:
    defaults: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "command": ["run", "{instance}", '{"json": "{instance}"}'],
        "environment": {"FREEHOLD_INSTANCE": "{instance}"},
        "working_directory": Path("/"),
        "ready": Ready(kind="notify"),
        "log_path": Path("/tmp/log"),
    }
    return PartSpec(**{**defaults, **values})


def one_shot(name: str, after: list[str]) -> OneShot:
    return OneShot(
        name=name,
        command=["run"],
        environment={},
        working_directory=Path("/"),
        log_path=Path("/tmp/log"),
        after=after,
    )


def plan(*parts: PartSpec, one_shots: list[OneShot] | None = None) -> Plan:
    return Plan(
        parts=list(parts),
        one_shots=one_shots or [],
        run_dir=Path("/tmp/run"),
        control_socket=Path("/tmp/run/control.sock"),
        state_path=Path("/tmp/scale.json"),
        log_path=Path("/tmp/supervisor.log"),
    )


def test_a_plan_comes_back_as_it_was_saved_and_is_private(tmp_path: Path) -> None:
    saved = plan(
        part("postgres", "infrastructure", address="unix:/tmp"),
        part("auth", listen=Path("/tmp/auth.sock"), after=["migrate"], memory_limit_bytes=1 << 30),
        one_shots=[one_shot("migrate", ["postgres"])],
    )
    path = tmp_path / "plan.json"
    saved.save(path)
    assert Plan.load(path) == saved
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_instance_number_is_put_in_everywhere() -> None:
    spec = part("auth", metrics_socket="/tmp/auth-web-{instance}.sock")
    assert spec.command_for(2) == ["run", "2", '{"json": "2"}']
    assert spec.environment_for(2) == {"FREEHOLD_INSTANCE": "2"}
    assert spec.metrics_socket_for(2) == Path("/tmp/auth-web-2.sock")


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (plan(part("auth"), part("auth")), "'auth' is used twice"),
        (plan(part("auth", after=["postgers"])), "comes after 'postgers', which is not in"),
        (plan(part("a", after=["b"]), part("b", after=["a"])), "wait for each other"),
        (plan(part("auth", instances=0)), "instances must be 1 to 64"),
        (plan(part("postgres", "infrastructure", instances=2)), "runs as one instance"),
        (plan(part("auth", listen=Path("/" + "x" * 107))), "longer than 107 bytes"),
        (plan(part("auth", command=[])), "the command is empty"),
        (plan(part("auth", "daemon")), "the kind 'daemon' is not one of"),
    ],
)
def test_a_plan_that_cannot_run_is_refused(faulty: Plan, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        faulty.check()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"parts": []}', '{"parts": [{"name": "auth"}], "one_shots": []}'],
)
def test_a_damaged_plan_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(PlanError, match=r"plan\.json"):
        Plan.load(path)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    document = dataclasses.asdict(plan(part("auth")))
    document["parts"][0]["instnces"] = 2
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document, default=str))
    with pytest.raises(PlanError, match="instnces"):
        Plan.load(path)


@pytest.mark.parametrize(
    ("kind", "signal_given", "expected"),
    [
        ("service", None, 9),
        ("worker", None, 9),
        ("infrastructure", None, 2),
        ("infrastructure", 15, 15),
    ],
)
def test_what_the_death_of_the_supervisor_sends(
    kind: str, signal_given: int | None, expected: int
) -> None:
    assert part("x", kind, stop_signal=2, orphan_signal=signal_given).death_signal == expected


def test_the_stop_order_is_the_reverse_and_services_go_before_workers() -> None:
    order = stops_after(
        plan(
            part("postgres", "infrastructure"),
            part("auth", after=["migrate"]),
            part("auth-worker", "worker", after=["migrate"]),
            part("mail-worker", "worker", after=["auth"]),
            part("nginx", "infrastructure", after=["auth"]),
            one_shots=[one_shot("migrate", ["postgres"])],
        )
    )
    assert order == {
        "postgres": {"auth", "auth-worker", "mail-worker", "nginx"},
        "auth": {"mail-worker", "nginx"},
        "auth-worker": {"auth"},
        "mail-worker": set(),
        "nginx": set(),
    }

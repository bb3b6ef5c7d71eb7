"""The whole stack as one plan for the supervisor."""

from deploy.local.home import private_folder
from deploy.local.parts.infrastructure import infrastructure
from deploy.local.parts.services import one_shots, services
from deploy.local.ports import LOOPBACK
from deploy.local.settings import SERVICES, Configuration
from deploy.local.stack import WITH_DATABASE, Stack
from deploy.local.supervisor.specs import Plan

INFRASTRUCTURE = ("postgres", "rabbitmq", "seaweedfs", "inbox", "nginx", "prometheus")


def make_plan(stack: Stack) -> Plan:
    """Write the configuration of every part and return the plan that runs them."""
    private_folder(stack.run_dir / "metrics")
    prepared = one_shots(stack)
    return Plan(
        parts=[*infrastructure(stack), *services(stack, prepared)],
        one_shots=prepared,
        run_dir=stack.run_dir,
        control_socket=stack.control_socket,
        state_path=stack.home.scale,
        log_path=stack.home.log("supervisor"),
        targets_path=stack.home.prometheus_targets,
        metrics_address=f"{LOOPBACK}:{stack.ports.nginx_metrics}",
    )


def part_kinds(configuration: Configuration) -> dict[str, str]:
    """Return name and kind of every part of a stack, running or not."""
    embedded = [name for name in INFRASTRUCTURE if name in configuration.embedded]
    return {
        **dict.fromkeys(embedded, "infrastructure"),
        **dict.fromkeys(SERVICES, "service"),
        **{f"{service}-worker": "worker" for service in WITH_DATABASE},
    }

"""Our own processes and what prepares the ground for them, as the supervisor runs them."""

from collections.abc import Sequence

from deploy.local.service_environment import service_environment
from deploy.local.settings import SERVICES
from deploy.local.stack import WITH_DATABASE, Stack
from deploy.local.supervisor.specs import INSTANCE_PLACEHOLDER, OneShot, PartSpec, Ready

MEMORY_LIMIT_BYTES = 1024**3
READY_TIMEOUT_SECONDS = 60.0
DRAIN_SECONDS = 15.0


def one_shots(stack: Stack) -> list[OneShot]:
    """Return what runs at every start before a service does: provisioning, then migrations.

    The embedded broker is set up by its definitions; an external one is tried.
    """
    embedded = stack.configuration.embedded
    targets = ["postgres", "seaweedfs", *(["rabbitmq"] if "rabbitmq" not in embedded else [])]
    provisioning = [
        _provision(stack, target, after=[target] if target in embedded else [])
        for target in targets
    ]
    broker = "rabbitmq" if "rabbitmq" in embedded else "rabbitmq-provision"
    migrations = [
        OneShot(
            name=f"{service}-migrate",
            command=[str(stack.interpreter), "-m", f"services.{service}", "migrate"],
            environment=service_environment(stack, service),
            working_directory=stack.code_root,
            log_path=stack.home.log(f"{service}-migrate"),
            after=["postgres-provision", broker],
        )
        for service in WITH_DATABASE
    ]
    return [*provisioning, *migrations]


def services(stack: Stack, prepared: Sequence[OneShot]) -> list[PartSpec]:
    """Return a web process for every service and a worker for each that has one.

    They start when all of `prepared` is done. Of the services only auth has to be up before the
    others: they learn from it whose tokens are good.
    """
    names = [one_shot.name for one_shot in prepared]
    parts = []
    for service in SERVICES:
        after = names if service == "auth" else [*names, "auth"]
        parts.append(_web(stack, service, after))
        if service in WITH_DATABASE:
            parts.append(_worker(stack, service, after))
    return parts


def _web(stack: Stack, service: str, after: list[str]) -> PartSpec:
    socket = stack.run_dir / f"{service}.sock"
    return PartSpec(
        name=service,
        kind="service",
        command=[str(stack.interpreter), "-m", f"services.{service}"],
        environment=service_environment(stack, service, INSTANCE_PLACEHOLDER),
        working_directory=stack.code_root,
        listen=socket,
        ready=Ready(kind="notify", timeout_seconds=READY_TIMEOUT_SECONDS),
        log_path=stack.home.log(service),
        stop_timeout_seconds=DRAIN_SECONDS,
        after=after,
        memory_limit_bytes=MEMORY_LIMIT_BYTES,
        metrics_socket=_metrics_socket(stack, service, "web"),
        address=str(socket),
    )


def _worker(stack: Stack, service: str, after: list[str]) -> PartSpec:
    return PartSpec(
        name=f"{service}-worker",
        kind="worker",
        command=[str(stack.interpreter), "-m", f"services.{service}", "worker"],
        environment=service_environment(stack, service, INSTANCE_PLACEHOLDER),
        working_directory=stack.code_root,
        ready=Ready(kind="notify", timeout_seconds=READY_TIMEOUT_SECONDS),
        log_path=stack.home.log(f"{service}-worker"),
        stop_timeout_seconds=DRAIN_SECONDS,
        after=after,
        memory_limit_bytes=MEMORY_LIMIT_BYTES,
        metrics_socket=_metrics_socket(stack, service, "worker"),
    )


def _metrics_socket(stack: Stack, service: str, role: str) -> str:
    return str(stack.run_dir / "metrics" / f"{service}-{role}-{INSTANCE_PLACEHOLDER}.sock")


def _provision(stack: Stack, target: str, after: list[str]) -> OneShot:
    return OneShot(
        name=f"{target}-provision",
        command=[
            *(str(stack.interpreter), "-m", "deploy.local.provision"),
            *(target, str(stack.home.path), str(stack.run_dir)),
        ],
        environment=stack.base_environment(),
        working_directory=stack.code_root,
        log_path=stack.home.log(f"{target}-provision"),
        after=after,
    )

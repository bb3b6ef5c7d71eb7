"""The embedded broker: what it is started with, and how the running one is changed."""

from pathlib import Path

from deploy.local.errors import LauncherError
from deploy.local.home import Home, write_file
from deploy.local.programs import Programs
from deploy.local.secret_store import SecretStore
from deploy.local.stack import BROKER_HOST, WITH_DATABASE
from deploy.local.supervisor.specs import Plan
from deploy.rabbitmq.configuration import render_definitions
from deploy.rabbitmq.control import Node

RABBITMQ_INSTALLED = Path("/usr/lib/rabbitmq/lib")


def write_definitions(home: Home, secrets: SecretStore) -> Path:
    """Write the accounts of services and programs, which the node loads at every start."""
    path = home.part("rabbitmq") / "definitions.json"
    passwords = {service: secrets[f"amqp.{service}"] for service in WITH_DATABASE}
    write_file(path, render_definitions(BROKER_HOST, passwords, Programs.of(home).all()))
    return path


def rabbitmq_program(name: str) -> Path:
    """Return a script of the package itself: Debian's wrapper around it insists on root.

    Raises LauncherError if RabbitMQ is not installed.
    """
    found = sorted(RABBITMQ_INSTALLED.glob(f"rabbitmq_server-*/sbin/{name}"))
    if not found:
        raise LauncherError(
            f"RabbitMQ is not installed below {RABBITMQ_INSTALLED}.\n"
            "Next: run `./freehold up`, which installs it."
        )
    return found[-1]


def running_node(home: Home) -> Node:
    """Return the node as the supervisor runs it now."""
    (spec,) = (part for part in Plan.load(home.plan).parts if part.name == "rabbitmq")
    return Node(rabbitmq_program("rabbitmqctl"), spec.environment, spec.address or "", BROKER_HOST)

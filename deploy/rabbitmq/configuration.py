"""The configuration files of one private RabbitMQ node."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

from deploy.rabbitmq.programs import Program, program_definitions, user

MEBIBYTE = 1024 * 1024
MEMORY_WATERMARK_BYTES = 512 * MEBIBYTE
"""Publishers are held up above it. Too low and bursts stall; too high and the host swaps."""
DISK_FREE_LIMIT_BYTES = 512 * MEBIBYTE
PLUGINS = ("rabbitmq_prometheus",)


def render(*, amqp_port: int, metrics_port: int, definitions: str) -> str:
    """Return `rabbitmq.conf` of a node that listens on loopback alone."""
    return "\n".join(
        [
            "# Generated; a change here is lost at the next start.",
            "listeners.tcp.1 = 127.0.0.1:" + str(amqp_port),
            "prometheus.tcp.ip = 127.0.0.1",
            "prometheus.tcp.port = " + str(metrics_port),
            "load_definitions = " + definitions,
            f"vm_memory_high_watermark.absolute = {MEMORY_WATERMARK_BYTES}",
            f"disk_free_limit.absolute = {DISK_FREE_LIMIT_BYTES}",
            "raft.wal_max_size_bytes = 64000000",
            # Metrics are read from Prometheus; the management database only costs memory.
            "management_agent.disable_metrics_collector = true",
            "log.console = true",
            "log.console.level = info",
            "log.console.formatter = json",
            "log.file = false",
            "",
        ]
    )


def render_plugins() -> str:
    """Return the file of enabled plugins."""
    return f"[{','.join(PLUGINS)}].\n"


def render_host_names() -> str:
    """Return Erlang's resolver settings: `localhost` is known even where nothing else says so."""
    return '{host, {127,0,0,1}, ["localhost"]}.\n{lookup, [file, native]}.\n'


def render_definitions(
    broker_host: str, passwords: Mapping[str, str], programs: Sequence[Program] = ()
) -> str:
    """Return the broker's virtual host, one account for each service, and those of programs.

    A service may declare and read its own queues and what is shared under `freehold.`, and may
    publish to a queue directly (retries, dead letters), which is what `amq.default` stands for.
    """
    services = {
        "users": [
            user(service, password_hash(service, password))
            for service, password in passwords.items()
        ],
        "permissions": [
            {
                "user": service,
                "vhost": broker_host,
                "configure": rf"^({service}\..*|freehold\..*|amq\.gen-.*)$",
                "write": rf"^({service}\..*|freehold\..*|amq\.gen-.*|amq\.default)$",
                "read": rf"^({service}\..*|freehold\..*|amq\.gen-.*)$",
            }
            for service in passwords
        ],
    }
    others = program_definitions(broker_host, programs)
    sections = {
        name: [*services.get(name, []), *others.get(name, [])]
        for name in services.keys() | others.keys()
    }
    return json.dumps({"vhosts": [{"name": broker_host}], **sections}, indent=2, sort_keys=True)


def password_hash(user: str, password: str) -> str:
    """Return RabbitMQ's form of a password: base64 of a salt and the hash of salt and password.

    The salt is derived, so that a second start writes the same file. The passwords are random
    and 256 bits long, so nothing is lost by it.
    """
    salt = hashlib.sha256(f"{user}:{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()

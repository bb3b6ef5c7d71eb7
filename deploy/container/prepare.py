"""Writes secrets and configuration into the other containers' volumes, before they start.

python -m deploy.container.prepare

It runs at every `docker compose up` and writes the same again: secrets are generated once and
kept in the volume of the app.
"""

import json
import os
import sys
from pathlib import Path

import psutil

from deploy.container.addresses import (
    POSTGRES_FOLDER,
    POSTGRES_SOCKETS,
    RABBITMQ_FOLDER,
    RABBITMQ_METRICS_PORT,
    RABBITMQ_PASSWORD,
    RABBITMQ_PORT,
    RABBITMQ_USER,
)
from deploy.local.errors import LauncherError
from deploy.local.home import Home, private_folder, write_file, write_json
from deploy.local.parts.infrastructure import DATABASE_MEMORY_BYTES
from deploy.local.secret_store import SecretStore
from deploy.local.settings import Configuration
from deploy.local.stack import BROKER_HOST, DATABASE_OWNER, SECRET_NAMES
from deploy.postgres import configuration as postgres
from deploy.postgres.tuning import tuning
from deploy.rabbitmq import configuration as rabbitmq
from deploy.seaweedfs import configuration as seaweedfs

# On a bare machine the broker listens on loopback; here its container is the boundary.
RABBITMQ_ADDRESSES = f"""\
# Generated; a change here is lost at the next start.
listeners.tcp.1 = 0.0.0.0:{RABBITMQ_PORT}
prometheus.tcp.ip = 0.0.0.0
"""


def main() -> None:
    """Prepare every volume; exits with a message if the settings are not valid."""
    try:
        operator = Configuration.from_environment().operator
        prepare(Home(operator.home), operator.s3_bucket)
    except LauncherError as error:
        sys.exit(str(error))


def prepare(home: Home, bucket: str) -> None:
    """Write what each server needs into its own folder of the state, and nothing of another's."""
    secrets = SecretStore.of(home, SECRET_NAMES | {RABBITMQ_PASSWORD})
    _postgres(private_folder(home.part("postgres")), secrets)
    _rabbitmq(private_folder(home.part("rabbitmq")), secrets)
    _seaweedfs(private_folder(home.part("seaweedfs")), secrets, bucket)


def _postgres(folder: Path, secrets: SecretStore) -> None:
    memory_bytes = min(psutil.virtual_memory().total // 4, DATABASE_MEMORY_BYTES)
    write_file(folder / "password", secrets[f"postgres.{DATABASE_OWNER}"])
    write_file(folder / "pg_hba.conf", postgres.ACCESS_RULES)
    write_file(
        folder / "postgresql.conf",
        postgres.render(
            data=POSTGRES_FOLDER / "data",
            access_rules=POSTGRES_FOLDER / "pg_hba.conf",
            socket_dir=POSTGRES_SOCKETS,
            tuning=tuning(memory_bytes, os.cpu_count() or 1),
        ),
    )


def _rabbitmq(folder: Path, secrets: SecretStore) -> None:
    write_file(
        folder / "rabbitmq.conf",
        rabbitmq.render(
            amqp_port=RABBITMQ_PORT,
            metrics_port=RABBITMQ_METRICS_PORT,
            definitions=str(RABBITMQ_FOLDER / "definitions.json"),
        ),
    )
    write_file(private_folder(folder / "conf.d") / "10-addresses.conf", RABBITMQ_ADDRESSES)
    write_file(folder / "enabled_plugins", rabbitmq.render_plugins())
    write_file(folder / "definitions.json", _definitions(secrets[RABBITMQ_PASSWORD]))
    cookie = folder / ".erlang.cookie"
    write_file(cookie, secrets["erlang_cookie"])
    # Erlang refuses a cookie that others could read, or that its owner could change by accident.
    cookie.chmod(0o400)


def _definitions(password: str) -> str:
    """Return the one account that `FREEHOLD_AMQP_URL` names, with all rights in its host."""
    permission = {
        "user": RABBITMQ_USER,
        "vhost": BROKER_HOST,
        **dict.fromkeys(("configure", "write", "read"), ".*"),
    }
    generated = json.loads(rabbitmq.render_definitions(BROKER_HOST, {RABBITMQ_USER: password}))
    return json.dumps({**generated, "permissions": [permission]}, indent=2)


def _seaweedfs(folder: Path, secrets: SecretStore, bucket: str) -> None:
    administrator, files = (
        (secrets[f"s3.{identity}.access_key"], secrets[f"s3.{identity}.secret_key"])
        for identity in ("administrator", "files")
    )
    write_file(
        folder / "identities.json", seaweedfs.render_identities(bucket, administrator, files)
    )
    write_json(
        folder / "keys.json",
        {
            name: secrets[f"seaweedfs.{name}"]
            for name in ("volume_key", "filer_write_key", "filer_read_key")
        },
    )


if __name__ == "__main__":
    main()

"""Where the containers of docker-compose.yml find each other, and their folders."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from deploy.local.secret_store import SecretStore
from deploy.local.stack import BROKER_HOST, DATABASE, DATABASE_OWNER
from deploy.seaweedfs.configuration import SeaweedPorts

POSTGRES_FOLDER: Final = Path("/var/lib/postgresql/data")
"""The database's volume, as its own container sees it; `data` inside is the cluster."""
POSTGRES_SOCKETS: Final = Path("/run/postgresql")
RABBITMQ_FOLDER: Final = Path("/var/lib/rabbitmq")
RABBITMQ_HOST: Final = "rabbitmq"
RABBITMQ_PORT: Final = 5672
RABBITMQ_METRICS_PORT: Final = 15692
RABBITMQ_USER: Final = "freehold"
RABBITMQ_PASSWORD: Final = f"amqp.{RABBITMQ_USER}"
SEAWEEDFS_HOST: Final = "seaweedfs"
SEAWEEDFS_PORTS: Final = SeaweedPorts(master=9333, volume=9340, filer=8888, s3=8333, metrics=9327)


def settings_of_the_app(secrets: SecretStore) -> dict[str, str]:
    """Return the variables by which `up` uses the other containers instead of its own servers.

    One account of the broker and one of the object store serve all services, as with any
    external server; in the database each service has its own role, which `up` makes.
    """
    owner = f"{DATABASE_OWNER}:{quote(secrets[f'postgres.{DATABASE_OWNER}'])}"
    broker = f"{RABBITMQ_USER}:{quote(secrets[RABBITMQ_PASSWORD])}@{RABBITMQ_HOST}:{RABBITMQ_PORT}"
    return {
        "FREEHOLD_POSTGRES_URL": f"postgresql://{owner}@/{DATABASE}?host={POSTGRES_SOCKETS}",
        "FREEHOLD_AMQP_URL": f"amqp://{broker}/{BROKER_HOST}",
        "FREEHOLD_S3_ENDPOINT": f"http://{SEAWEEDFS_HOST}:{SEAWEEDFS_PORTS.s3}",
        "FREEHOLD_S3_ACCESS_KEY": secrets["s3.administrator.access_key"],
        "FREEHOLD_S3_SECRET_KEY": secrets["s3.administrator.secret_key"],
    }

"""One stack on this machine: its settings, ports, secrets and folders, and addresses from them."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from deploy.local.home import Home
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.secret_store import SecretStore
from deploy.local.settings import Configuration

WITH_DATABASE = ("auth", "files", "mail", "realtime", "jobs")
DATABASE = "freehold"
DATABASE_OWNER = "freehold_admin"
BROKER_HOST = "freehold"
SECRET_NAMES = frozenset(
    {
        "internal_key",
        "master_key",
        "erlang_cookie",
        f"postgres.{DATABASE_OWNER}",
        *(f"postgres.{service}" for service in WITH_DATABASE),
        *(f"amqp.{service}" for service in WITH_DATABASE),
        "s3.administrator.access_key",
        "s3.administrator.secret_key",
        "s3.files.access_key",
        "s3.files.secret_key",
        "seaweedfs.volume_key",
        "seaweedfs.filer_write_key",
        "seaweedfs.filer_read_key",
    }
)


@dataclass(frozen=True)
class Stack:
    """Everything that the parts are made from. It holds secrets; never log it."""

    home: Home
    configuration: Configuration
    ports: Ports
    secrets: SecretStore
    run_dir: Path
    code_root: Path

    @classmethod
    def of(
        cls, home: Home, configuration: Configuration, run_dir: Path, code_root: Path
    ) -> "Stack":
        """Read, or make at the first start, what the stack keeps in its folder."""
        return cls(
            home=home,
            configuration=configuration,
            ports=Ports.of(home, configuration.operator.port),
            secrets=SecretStore.of(home, SECRET_NAMES),
            run_dir=run_dir,
            code_root=code_root,
        )

    @property
    def interpreter(self) -> Path:
        """The Python of the virtual environment."""
        return self.code_root / ".venv" / "bin" / "python"

    @property
    def control_socket(self) -> Path:
        """Where the supervisor takes commands."""
        return self.run_dir / "supervisor.sock"

    @property
    def database_socket_dir(self) -> Path:
        """The folder of the embedded PostgreSQL's unix socket."""
        return self.run_dir / "postgres"

    def database_administration_url(self) -> str:
        """Return the address for provisioning: a role that may create roles and schemas."""
        external = self.configuration.operator.postgres_url
        if external is not None:
            return external.get_secret_value()
        password = self.secrets[f"postgres.{DATABASE_OWNER}"]
        return (
            f"postgresql://{DATABASE_OWNER}:{quote(password)}@/{DATABASE}"
            f"?host={quote(str(self.database_socket_dir))}"
        )

    def database_url(self, service: str) -> str:
        """Return the address with the service's own role, at the same server."""
        address = urlsplit(self.database_administration_url())
        role = f"freehold_{service}:{quote(self.secrets[f'postgres.{service}'])}"
        host = address.netloc.rpartition("@")[2]
        return urlunsplit(address._replace(netloc=f"{role}@{host}"))

    def amqp_url(self, service: str) -> str:
        """Return the broker's address; the embedded one has an account for each service."""
        external = self.configuration.operator.amqp_url
        if external is not None:
            return external.get_secret_value()
        password = quote(self.secrets[f"amqp.{service}"])
        return f"amqp://{service}:{password}@{LOOPBACK}:{self.ports.amqp}/{BROKER_HOST}"

    @property
    def s3_endpoint(self) -> str:
        """The object store's address."""
        external = self.configuration.operator.s3_endpoint
        return external or f"http://{LOOPBACK}:{self.ports.seaweedfs_s3}"

    def s3_keys(self, identity: str) -> tuple[str, str]:
        """Return access key and secret key of `files` or `administrator`.

        An external store has one pair for both.
        """
        operator = self.configuration.operator
        if operator.s3_access_key is not None and operator.s3_secret_key is not None:
            return (
                operator.s3_access_key.get_secret_value(),
                operator.s3_secret_key.get_secret_value(),
            )
        return (
            self.secrets[f"s3.{identity}.access_key"],
            self.secrets[f"s3.{identity}.secret_key"],
        )

    @property
    def smtp_url(self) -> str:
        """Where mails go."""
        external = self.configuration.operator.smtp_url
        if external is not None:
            return external.get_secret_value()
        return f"smtp://{LOOPBACK}:{self.ports.smtp}"

    def base_environment(self) -> dict[str, str]:
        """Return what every process gets; nothing is inherited from the operator's shell."""
        return {
            "PATH": f"{self.code_root}/.venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": str(self.home.path),
            "PYTHONDONTWRITEBYTECODE": "1",
            # The mark by which processes of this stack are told from others.
            "FREEHOLD_RUN_DIR": str(self.run_dir),
        }

"""The servers beneath our services, as the supervisor runs them."""

import os
import shutil
import signal
from pathlib import Path

import psutil

from deploy.local.broker import rabbitmq_program, write_definitions
from deploy.local.errors import LauncherError
from deploy.local.home import private_folder, write_file
from deploy.local.ports import LOOPBACK
from deploy.local.stack import DATABASE_OWNER, Stack
from deploy.local.supervisor.specs import PartSpec, Ready
from deploy.monitoring import prometheus
from deploy.nginx import configuration as nginx
from deploy.postgres import configuration as postgres
from deploy.postgres.cluster import make_cluster
from deploy.postgres.programs import programs
from deploy.postgres.tuning import GIBIBYTE, tuning
from deploy.rabbitmq import configuration as rabbitmq
from deploy.seaweedfs import configuration as seaweedfs

DATABASE_MEMORY_BYTES = GIBIBYTE
"""What PostgreSQL may use of a machine that it shares with a developer's other programs."""


def infrastructure(stack: Stack) -> list[PartSpec]:
    """Write the configuration of every embedded part and return how each is run.

    Makes the database cluster at the first start. Raises LauncherError if a program is missing.
    """
    builders = {
        "postgres": _postgres,
        "rabbitmq": _rabbitmq,
        "seaweedfs": _seaweedfs,
        "inbox": _inbox,
        "nginx": _nginx,
        "prometheus": _prometheus,
    }
    embedded = stack.configuration.embedded
    return [builder(stack) for name, builder in builders.items() if name in embedded]


def _postgres(stack: Stack) -> PartSpec:
    folder = private_folder(stack.home.part("postgres"))
    data = folder / "data"
    binaries = programs(data)
    make_cluster(binaries, data, DATABASE_OWNER, stack.secrets[f"postgres.{DATABASE_OWNER}"])
    private_folder(stack.database_socket_dir)
    access_rules, settings = folder / "pg_hba.conf", folder / "postgresql.conf"
    memory_bytes = min(psutil.virtual_memory().total // 4, DATABASE_MEMORY_BYTES)
    write_file(access_rules, postgres.ACCESS_RULES)
    write_file(
        settings,
        postgres.render(
            data=data,
            access_rules=access_rules,
            socket_dir=stack.database_socket_dir,
            tuning=tuning(memory_bytes, os.cpu_count() or 1),
        ),
    )
    return PartSpec(
        name="postgres",
        kind="infrastructure",
        command=[
            *(str(stack.interpreter), "-m", "deploy.postgres.run"),
            *(str(binaries), str(data), str(settings)),
        ],
        environment=stack.base_environment(),
        working_directory=stack.code_root,
        ready=Ready(
            kind="command",
            command=[
                str(binaries / "pg_isready"),
                *("--host", str(stack.database_socket_dir), "--dbname", "postgres", "--quiet"),
            ],
        ),
        log_path=stack.home.log("postgres"),
        # Fast shutdown: SIGTERM would wait for every client to leave.
        stop_signal=signal.SIGINT,
        stop_timeout_seconds=60,
        address=str(stack.database_socket_dir),
    )


def _rabbitmq(stack: Stack) -> PartSpec:
    folder = private_folder(stack.home.part("rabbitmq"))
    definitions = write_definitions(stack.home, stack.secrets)
    write_file(
        folder / "rabbitmq.conf",
        rabbitmq.render(
            amqp_port=stack.ports.amqp,
            metrics_port=stack.ports.rabbitmq_metrics,
            definitions=str(definitions),
        ),
    )
    write_file(folder / "enabled_plugins", rabbitmq.render_plugins())
    write_file(folder / "erl_inetrc", rabbitmq.render_host_names())
    cookie = folder / ".erlang.cookie"
    write_file(cookie, stack.secrets["erlang_cookie"])
    # Erlang refuses a cookie that others could read, or that its owner could change by accident.
    cookie.chmod(0o400)
    environment = {
        **stack.base_environment(),
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"fh{stack.ports.named_after}@localhost",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_MNESIA_BASE": str(private_folder(folder / "mnesia")),
        "RABBITMQ_LOG_BASE": str(private_folder(folder / "log")),
        "RABBITMQ_DIST_PORT": str(stack.ports.erlang_distribution),
        "ERL_EPMD_PORT": str(stack.ports.epmd),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_INETRC": str(folder / "erl_inetrc"),
        # An idle broker would otherwise spin a while before it sleeps.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none "
        "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    return PartSpec(
        name="rabbitmq",
        kind="infrastructure",
        command=[
            *(str(stack.interpreter), "-m", "deploy.rabbitmq.run"),
            *(str(rabbitmq_program("rabbitmq-server")), str(stack.ports.epmd)),
        ],
        environment=environment,
        working_directory=stack.code_root,
        ready=Ready(kind="tcp", address=f"{LOOPBACK}:{stack.ports.amqp}", timeout_seconds=120),
        log_path=stack.home.log("rabbitmq"),
        stop_timeout_seconds=60,
        address=f"{LOOPBACK}:{stack.ports.amqp}",
    )


def _seaweedfs(stack: Stack) -> PartSpec:
    folder = private_folder(stack.home.part("seaweedfs"))
    identities = folder / "identities.json"
    write_file(
        identities,
        seaweedfs.render_identities(
            stack.configuration.operator.s3_bucket,
            stack.s3_keys("administrator"),
            stack.s3_keys("files"),
        ),
    )
    ports = seaweedfs.SeaweedPorts(
        master=stack.ports.seaweedfs_master,
        volume=stack.ports.seaweedfs_volume,
        filer=stack.ports.seaweedfs_filer,
        s3=stack.ports.seaweedfs_s3,
        metrics=stack.ports.seaweedfs_metrics,
    )
    return PartSpec(
        name="seaweedfs",
        kind="infrastructure",
        command=seaweedfs.command(
            stack.interpreter.with_name("weed"),
            private_folder(folder / "data"),
            identities,
            private_folder(stack.run_dir / "seaweedfs"),
            ports,
        ),
        environment={
            **stack.base_environment(),
            **seaweedfs.environment(
                volume_key=stack.secrets["seaweedfs.volume_key"],
                filer_write_key=stack.secrets["seaweedfs.filer_write_key"],
                filer_read_key=stack.secrets["seaweedfs.filer_read_key"],
            ),
        },
        working_directory=folder,
        ready=Ready(kind="tcp", address=f"{LOOPBACK}:{ports.s3}"),
        log_path=stack.home.log("seaweedfs"),
        stop_timeout_seconds=60,
        address=stack.s3_endpoint,
    )


def _inbox(stack: Stack) -> PartSpec:
    return PartSpec(
        name="inbox",
        kind="infrastructure",
        command=[
            *(str(stack.interpreter), "-m", "deploy.mail.inbox"),
            *(str(stack.home.inbox), LOOPBACK, str(stack.ports.smtp)),
        ],
        environment=stack.base_environment(),
        working_directory=stack.code_root,
        ready=Ready(kind="tcp", address=f"{LOOPBACK}:{stack.ports.smtp}"),
        log_path=stack.home.log("inbox"),
        address=stack.smtp_url,
    )


def _nginx(stack: Stack) -> PartSpec:
    folder = private_folder(stack.home.part("nginx"))
    operator = stack.configuration.operator
    settings = nginx.NginxSettings(
        address=operator.listen_address,
        port=operator.port,
        metrics_port=stack.ports.nginx_metrics,
        public_url=operator.public_address,
        run_dir=stack.run_dir,
        temp_dir=private_folder(folder / "temporary"),
        # The supervisor keeps and rotates what is written to standard output.
        access_log=Path("/dev/stdout"),
        error_log=Path("/dev/stderr"),
        s3_endpoint=stack.s3_endpoint,
        workers=os.cpu_count() or 1,
        limits=operator.limits == "on",
        client_origins=operator.browser_origins,
    )
    configuration = folder / "nginx.conf"
    write_file(configuration, nginx.render(settings))
    return PartSpec(
        name="nginx",
        kind="infrastructure",
        command=nginx.command(configuration, settings),
        environment=stack.base_environment(),
        working_directory=folder,
        ready=Ready(kind="tcp", address=f"{LOOPBACK}:{operator.port}"),
        log_path=stack.home.log("nginx"),
        # Requests that are under way are answered.
        stop_signal=signal.SIGQUIT,
        stop_timeout_seconds=15,
        address=operator.public_address,
    )


def _prometheus(stack: Stack) -> PartSpec:
    if shutil.which("prometheus") is None:
        raise LauncherError(
            "Prometheus is not installed.\nNext: run `./freehold up`, which installs it."
        )
    folder = private_folder(stack.home.part("prometheus"))
    configuration = folder / "prometheus.yml"
    static_targets = {
        part: port
        for part, port in (
            ("rabbitmq", stack.ports.rabbitmq_metrics),
            ("seaweedfs", stack.ports.seaweedfs_metrics),
        )
        if part in stack.configuration.embedded
    }
    write_file(
        configuration,
        prometheus.render(
            stack.home.prometheus_targets, {"prometheus": stack.ports.prometheus, **static_targets}
        ),
    )
    return PartSpec(
        name="prometheus",
        kind="infrastructure",
        command=prometheus.command(
            configuration, private_folder(folder / "data"), stack.ports.prometheus
        ),
        environment={**stack.base_environment(), "GOMEMLIMIT": prometheus.MEMORY_TARGET},
        working_directory=folder,
        ready=Ready(kind="http", address=f"http://{LOOPBACK}:{stack.ports.prometheus}/-/ready"),
        log_path=stack.home.log("prometheus"),
        stop_timeout_seconds=30,
        address=f"http://{LOOPBACK}:{stack.ports.prometheus}",
    )

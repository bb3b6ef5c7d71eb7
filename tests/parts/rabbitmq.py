"""A real RabbitMQ node for tests, beside whatever else runs on the host."""

import os
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path

from tests.parts.processes import Server, free_port, give, new_folder, unprivileged

PROGRAMS = next(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")) / "sbin"


class RabbitNode:
    """One node with its own name, cookie, ports and data; the guest account is open locally."""

    def __init__(self) -> None:
        self.folder = new_folder("mq")
        self.port = free_port()
        self.metrics_port = free_port()
        configuration = self.folder / "rabbitmq.conf"
        configuration.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.metrics_port}\n"
            "disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 64000000\n"
        )
        plugins = self.folder / "enabled_plugins"
        plugins.write_text("[rabbitmq_prometheus].\n")
        for path in (configuration, plugins):
            give(path)
        self.environment = {
            "RABBITMQ_NODENAME": f"fhtest{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ("-kernel inet_dist_use_interface {127,0,0,1}"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self.server = Server(
            [str(PROGRAMS / "rabbitmq-server")],
            folder=self.folder,
            environment=self.environment,
        )

    @property
    def url(self) -> str:
        """Address of the node."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` on the node and return what it says."""
        done = subprocess.run(
            [str(PROGRAMS / "rabbitmqctl"), "--quiet", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            user=unprivileged(),
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(f"rabbitmqctl {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Run the node, and return when it takes connections."""
        self.server.start(self._is_ready)

    def stop(self) -> None:
        """Stop the node; queues and messages stay."""
        self.server.stop(signal.SIGTERM)

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        address = f"http://127.0.0.1:{self.metrics_port}/metrics"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

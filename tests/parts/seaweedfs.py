"""A real S3 store for tests."""

import json
import secrets
import shutil
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.parts.processes import Server, free_port, give, new_folder


class S3Server:
    """SeaweedFS on loopback with one key pair."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.folder = new_folder("s3")
        self.access_key = secrets.token_hex(10)
        self.secret_key = secrets.token_hex(20)
        self._port = free_port()
        configuration = self.folder / "s3.json"
        configuration.write_text(
            json.dumps(
                {
                    "identities": [
                        {
                            "name": "tests",
                            "credentials": [
                                {"accessKey": self.access_key, "secretKey": self.secret_key}
                            ],
                            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
                        }
                    ]
                }
            )
        )
        give(configuration)
        (self.folder / "data").mkdir()
        give(self.folder / "data")
        ports = {
            name: free_port()
            for name in (
                "master.port",
                "master.port.grpc",
                "volume.port",
                "volume.port.grpc",
                "filer.port",
                "filer.port.grpc",
                "s3.port.grpc",
            )
        }
        self._server = Server(
            [
                str(Path(sys.executable).with_name("weed")),
                f"-logdir={self.folder}",
                *("server", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *("-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=0"),
                *("-volume.preStopSeconds=0", "-filer", "-s3", f"-s3.config={configuration}"),
                *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.port={self._port}"),
                *(f"-{name}={port}" for name, port in ports.items()),
            ],
            folder=self.folder,
            environment={"GOMEMLIMIT": "256MiB", "TMPDIR": str(self.folder)},
        )

    @property
    def endpoint(self) -> str:
        """Address of the S3 API."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Run the store, and return when it answers."""
        self._server.start(self._is_ready)

    def stop(self) -> None:
        """Stop the store; objects stay."""
        self._server.stop()

    def remove(self) -> None:
        """Kill, because an orderly stop takes long, and delete everything."""
        self._server.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

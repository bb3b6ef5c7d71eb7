"""The command and the configuration of one Prometheus on loopback."""

import json
from collections.abc import Mapping
from pathlib import Path

SCRAPE_INTERVAL = "15s"
RETENTION_TIME = "15d"
RETENTION_SIZE = "512MB"
MEMORY_TARGET = "192MiB"


def command(configuration: Path, data: Path, port: int) -> list[str]:
    """Return the command that runs Prometheus."""
    return [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.time={RETENTION_TIME}",
        f"--storage.tsdb.retention.size={RETENTION_SIZE}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.format=json",
    ]


def render(targets: Path, static_targets: Mapping[str, int]) -> str:
    """Return the configuration: our processes from the supervisor's file, servers by their ports.

    It is written as JSON, which YAML contains.
    """
    static = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        for name, port in static_targets.items()
    ]
    return json.dumps(
        {
            "global": {"scrape_interval": SCRAPE_INTERVAL},
            "scrape_configs": [
                {
                    "job_name": "freehold",
                    "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "15s"}],
                },
                *static,
            ],
        },
        indent=2,
    )

"""The list of metrics addresses that Prometheus reads (``file_sd``)."""

import json
from collections.abc import Iterable
from pathlib import Path

from deploy.local.supervisor.record import write_atomically
from deploy.local.supervisor.specs import PartSpec


class TargetsFile:
    """Lists each running instance under the address where the front door maps its metrics."""

    def __init__(self, path: Path, metrics_address: str) -> None:
        self._path = path
        self._address = metrics_address
        self._written: str | None = None

    def update(self, running: Iterable[tuple[PartSpec, list[int]]]) -> None:
        """Write the file anew if the running instances have changed."""
        entries = [
            {
                "targets": [self._address],
                "labels": {
                    "service": spec.service,
                    "role": spec.role,
                    "instance": str(number),
                    "__metrics_path__": f"/metrics/{spec.name}/{number}",
                },
            }
            for spec, numbers in running
            if spec.metrics_socket is not None
            for number in numbers
        ]
        text = json.dumps(entries, indent=1)
        if text != self._written:
            write_atomically(self._path, text)
            self._written = text

"""Becomes the object store of a container: `python -m deploy.container.seaweedfs FOLDER`.

Master, volume server and filer stay on the container's loopback; S3 and the metrics are reached
from the others.
"""

import os
import sys
from pathlib import Path

from deploy.container.addresses import SEAWEEDFS_PORTS
from deploy.local.home import private_folder, read_json
from deploy.seaweedfs import configuration as seaweedfs

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - the container is the boundary, and only S3 and metrics do
SOCKETS = Path("/tmp/seaweedfs")  # noqa: S108 - the container's own, and nobody else is in it


def main(folder: Path) -> None:
    """Replace this process by the server, configured by what `prepare` wrote into the folder."""
    program = Path(sys.executable).with_name("weed")
    command = [
        *seaweedfs.command(
            program,
            private_folder(folder / "data"),
            folder / "identities.json",
            private_folder(SOCKETS),
            SEAWEEDFS_PORTS,
        ),
        f"-s3.ip.bind={ANY_ADDRESS}",
        f"-metricsIp={ANY_ADDRESS}",
    ]
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        **seaweedfs.environment(**read_json(folder / "keys.json")),
    }
    # It looks for further settings where it starts.
    os.chdir(folder)
    os.execve(program, command, environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The command and the identities of one SeaweedFS server on loopback."""

import json
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
MEMORY_TARGET = "256MiB"
"""Go's collector works harder above it; a target, not a limit."""
VOLUME_SIZE_MEGABYTES = 1024


@dataclass(frozen=True, kw_only=True)
class SeaweedPorts:
    """Each but `metrics` has a sister port for gRPC, 10,000 above it."""

    master: int
    volume: int
    filer: int
    s3: int
    metrics: int


def command(
    program: Path, data: Path, identities: Path, sockets: Path, ports: SeaweedPorts
) -> list[str]:
    """Return the command that runs master, volume server, filer and S3 in one process.

    Everything that listens without being asked is switched off or bound to loopback.
    """
    return [
        str(program),
        "-logtostderr=true",  # else its logs pile up in /tmp, where nobody rotates them
        "server",
        f"-dir={data}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        f"-master.port={ports.master}",
        "-master.telemetry=false",
        # The only master has nobody to wait for before it elects itself at a restart.
        "-master.electionTimeout=1s",
        f"-master.volumeSizeLimitMB={VOLUME_SIZE_MEGABYTES}",
        f"-volume.port={ports.volume}",
        "-volume.max=0",
        "-volume.index=leveldb",
        # The pause is for load balancers that still send; here nobody does.
        "-volume.preStopSeconds=1",
        "-filer",
        f"-filer.port={ports.filer}",
        f"-filer.localSocket={sockets / 'filer.sock'}",
        "-filer.exposeDirectoryData=false",
        "-s3",
        f"-s3.port={ports.s3}",
        f"-s3.localSocket={sockets / 's3.sock'}",
        f"-s3.config={identities}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        f"-metricsPort={ports.metrics}",
        f"-metricsIp={LOOPBACK}",
    ]


def environment(*, volume_key: str, filer_write_key: str, filer_read_key: str) -> dict[str, str]:
    """Return the keys without which nobody on this machine reads or writes behind S3's back."""
    return {
        "GOMEMLIMIT": MEMORY_TARGET,
        "WEED_JWT_SIGNING_KEY": volume_key,
        "WEED_JWT_FILER_SIGNING_KEY": filer_write_key,
        "WEED_JWT_FILER_SIGNING_READ_KEY": filer_read_key,
    }


def render_identities(bucket: str, administrator: tuple[str, str], files: tuple[str, str]) -> str:
    """Return who may do what: an administrator, and the files service in its one bucket."""
    return json.dumps(
        {
            "identities": [
                _identity(
                    "administrator", administrator, ["Admin", "Read", "List", "Tagging", "Write"]
                ),
                _identity(
                    "files",
                    files,
                    [f"{action}:{bucket}" for action in ("Read", "Write", "List", "Tagging")],
                ),
            ]
        },
        indent=2,
    )


def _identity(name: str, keys: tuple[str, str], actions: list[str]) -> dict[str, object]:
    access_key, secret_key = keys
    return {
        "name": name,
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": actions,
    }

"""The configuration files of one PostgreSQL cluster."""

from collections.abc import Mapping
from pathlib import Path

MAX_CONNECTIONS = 350
"""Enough for ten kinds of processes with pools of ten, three instances each, and tools."""

ACCESS_RULES = """\
# Generated; a change here is lost at the next start.
# Passwords on the private unix socket, nothing over the network.
local all all scram-sha-256
local replication all scram-sha-256
"""


def render(*, data: Path, access_rules: Path, socket_dir: Path, tuning: Mapping[str, str]) -> str:
    """Return `postgresql.conf` of a cluster that is reached by its unix socket alone."""
    settings = {
        "data_directory": _quoted(data),
        "hba_file": _quoted(access_rules),
        "listen_addresses": "''",
        "unix_socket_directories": _quoted(socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": str(MAX_CONNECTIONS),
        "password_encryption": "scram-sha-256",
        # An acknowledged write has to survive a power cut.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "'[%p] %q%u@%d '",
        "log_min_duration_statement": "'1s'",
        "log_lock_waits": "on",
        "log_checkpoints": "off",
        # Statements are short here; compiling them costs more than it saves.
        "jit": "off",
        "idle_in_transaction_session_timeout": "'5min'",
        **tuning,
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(["# Generated; a change here is lost at the next start.", *lines]) + "\n"


def _quoted(value: Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"

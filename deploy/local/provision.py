"""Provisions a server: `python -m deploy.local.provision postgres|rabbitmq|seaweedfs HOME RUN_DIR`.

The supervisor runs this at every start, so it reads what the launcher recorded. If it fails, the
last line of its output says why and, as `next_step`, what to do.
"""

import asyncio
import sys
from pathlib import Path

from deploy.local.errors import LauncherError
from deploy.local.home import Home
from deploy.local.settings import Configuration
from deploy.local.stack import WITH_DATABASE, Stack
from deploy.local.supervisor.logs import json_line
from deploy.postgres.provision import provision as provision_database
from deploy.rabbitmq.provision import check_broker
from deploy.seaweedfs.provision import ObjectStore
from deploy.seaweedfs.provision import provision as provision_object_store


def main(target: str, home: str, run_dir: str) -> int:
    """Provision one server and return the exit status."""
    try:
        stack = _recorded_stack(Home(Path(home)), Path(run_dir))
        _PROVISIONING[target](stack)
    except LauncherError as error:
        problem, _, next_step = str(error).partition("\nNext: ")
        fields = {"service": f"{target}-provision", "next_step": next_step}
        print(json_line("ERROR", problem, fields).decode(), file=sys.stderr)
        return 1
    return 0


def _recorded_stack(home: Home, run_dir: Path) -> Stack:
    configuration = Configuration.recorded(home)
    if configuration is None:
        raise LauncherError(f"{home.settings} is missing.\nNext: run `./freehold up`.")
    return Stack.of(home, configuration, run_dir, Path.cwd())


def _postgres(stack: Stack) -> None:
    passwords = {service: stack.secrets[f"postgres.{service}"] for service in WITH_DATABASE}
    embedded = "postgres" in stack.configuration.embedded
    asyncio.run(
        provision_database(stack.database_administration_url(), passwords, embedded=embedded)
    )


def _rabbitmq(stack: Stack) -> None:
    """Check an external broker; the embedded one is set up by its definitions."""
    asyncio.run(check_broker(stack.amqp_url("auth")))


def _seaweedfs(stack: Stack) -> None:
    operator = stack.configuration.operator
    administrator, files = (
        ObjectStore(stack.s3_endpoint, operator.s3_region, stack.s3_keys(identity))
        for identity in ("administrator", "files")
    )
    embedded = "seaweedfs" in stack.configuration.embedded
    provision_object_store(administrator, files, operator.s3_bucket, embedded=embedded)


_PROVISIONING = {"postgres": _postgres, "rabbitmq": _rabbitmq, "seaweedfs": _seaweedfs}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

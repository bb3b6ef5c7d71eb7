"""Becomes `./freehold up`, with the other containers as its external servers.

python -m deploy.container.app
"""

import os
import sys
from pathlib import Path

from deploy.container.addresses import RABBITMQ_PASSWORD, settings_of_the_app
from deploy.local.errors import LauncherError
from deploy.local.home import Home
from deploy.local.secret_store import SecretStore
from deploy.local.settings import Configuration
from deploy.local.stack import SECRET_NAMES

LAUNCHER = Path(__file__).parents[2] / "freehold"


def main() -> None:
    """Replace this process by the launcher; exits with a message if the settings are not valid."""
    try:
        home = Home(Configuration.from_environment().operator.home)
    except LauncherError as error:
        sys.exit(str(error))
    secrets = SecretStore.of(home, SECRET_NAMES | {RABBITMQ_PASSWORD})
    environment = {**os.environ, **settings_of_the_app(secrets)}
    os.execve(sys.executable, [sys.executable, str(LAUNCHER), "up"], environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()

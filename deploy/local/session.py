"""What every command needs first: checked settings, the stack's folder, and not to be root."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.bootstrap.account import Account, service_account
from deploy.local.errors import LauncherError
from deploy.local.home import Home, choose_run_dir, private_folder, read_json, require_private
from deploy.local.privileges import (
    give_up_root,
    prepare_home,
    prepare_run_dirs,
    require_reach,
)
from deploy.local.settings import Configuration, session_dir
from deploy.local.stack import Stack
from deploy.local.supervisor.control import Client, NotRunning


@dataclass(frozen=True)
class Session:
    """One command at work on one stack, as the user that the stack runs as."""

    given: Configuration
    home: Home

    @classmethod
    def open(cls, *, home_only: bool = False) -> "Session":
        """Check the settings and become the service user; the state folder may be missing.

        With `home_only` no setting but that folder is looked at: a stack can be stopped whatever
        else is set.
        """
        variables = os.environ
        given = Configuration.parse(
            {"FREEHOLD_HOME": variables["FREEHOLD_HOME"]} if home_only else variables
        )
        account = service_account()
        if os.geteuid() == 0:
            require_reach(given.operator.home, account)
            give_up_root(account)
        return cls(given, Home(given.operator.home))

    @classmethod
    def prepare(cls) -> "tuple[Session, Path]":
        """As `open`, for `up`: create the state folder too, and say where sockets will be.

        A stack that runs already has its sockets elsewhere, so their folder is not made here.
        """
        given, account = Configuration.from_environment(), service_account()
        home = Home(given.operator.home)
        as_root = os.geteuid() == 0
        run_dir = choose_run_dir(
            given.operator.port, account, as_root=as_root, session_dir=session_dir()
        )
        if as_root:
            prepare_home(home.path, account)
            prepare_run_dirs(run_dir.parent, account)
            give_up_root(account)
        make_private(home.path, account)
        return cls(given, home), run_dir

    def client(self) -> Client | None:
        """Return the running supervisor's client; None if nothing runs."""
        running = read_json(self.home.running)
        if running is None:
            return None
        client = Client(Path(running["control_socket"]))
        try:
            client.status()
        except NotRunning:
            return None
        return client

    def require_client(self) -> Client:
        """Return the running supervisor's client. Raises LauncherError if nothing runs."""
        client = self.client()
        if client is None:
            raise LauncherError(
                f"No stack runs with its state in {self.home.path}.\n"
                "Next: start it with `./freehold up`, or name its FREEHOLD_HOME."
            )
        return client

    def configuration(self) -> Configuration:
        """Return the settings of the last start, or those given now if there was none."""
        return Configuration.recorded(self.home) or self.given

    def require_started_once(self) -> Configuration:
        """Return the settings of the last start. Raises LauncherError if there was none."""
        configuration = Configuration.recorded(self.home)
        if configuration is None or not self.home.running.exists():
            raise LauncherError(
                f"There is no stack in {self.home.path} yet.\n"
                "Next: start it with `./freehold up`, or name its FREEHOLD_HOME."
            )
        return configuration

    def recorded_stack(self) -> Stack:
        """Return the stack as it was started last. Raises LauncherError if it never was."""
        configuration = self.require_started_once()
        running = read_json(self.home.running)
        return Stack.of(self.home, configuration, Path(running["run_dir"]), Path.cwd())

    def differences(self) -> Sequence[str]:
        """Return the names of settings that are given now and were not so at the last start."""
        recorded = Configuration.recorded(self.home)
        if recorded is None:
            return []
        before, now = dict(recorded.variables), dict(self.given.variables)
        return sorted(
            name
            for name in before.keys() | now.keys()
            if name != "FREEHOLD_HOME" and before.get(name) != now.get(name)
        )


def make_private(path: Path, account: Account) -> None:
    """Make a folder for the account alone. Raises LauncherError if that cannot be."""
    try:
        private_folder(path)
        require_private(path, account)
    except PermissionError as error:
        raise LauncherError(
            f"{path} cannot be made or entered by {account.name}: {error.strerror}.\n"
            "Next: choose a folder of your own with FREEHOLD_HOME."
        ) from error

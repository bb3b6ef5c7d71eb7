"""What has to be done as root, and how root is given up."""

import os
from pathlib import Path

from deploy.bootstrap.account import STATE_OF_ROOT, Account
from deploy.local.errors import LauncherError
from deploy.local.home import PRIVATE_FOLDER


def require_reach(path: Path, account: Account) -> None:
    """Raise LauncherError if the service user cannot get to where the folder is or will be."""
    barrier = _nearest_existing(path.parent)
    if not account.can_enter(barrier):
        raise LauncherError(out_of_reach(path, barrier, account))


def prepare_home(path: Path, account: Account) -> None:
    """As root, create the state folder for the service user.

    Raises LauncherError if that user could not reach it, or if it holds another user's files.
    """
    require_reach(path, account)
    if not path.exists():
        _create(path, _nearest_existing(path), account)
        return
    owner = path.stat().st_uid
    if owner != account.uid:
        if any(path.iterdir()):
            raise LauncherError(
                f"FREEHOLD_HOME={path} holds files of another user (uid {owner}), and the stack "
                f"runs as {account.name}.\nNext: start it as that user, choose another folder, or "
                f"hand it over: chown -R {account.name}: {path}"
            )
        os.chown(path, account.uid, account.gid)
    path.chmod(PRIVATE_FOLDER)


def out_of_reach(path: Path, barrier: Path, account: Account) -> str:
    """Return the message for a state folder that the service user cannot get to."""
    return (
        f"FREEHOLD_HOME={path} is out of reach of the user {account.name}, as whom the stack runs "
        f"because nothing of it runs as root: {barrier} is closed to that user.\n"
        f"Next: choose a folder that {account.name} can reach (the default is {STATE_OF_ROOT}), "
        f"or open the way: chmod o+x {barrier}"
    )


def prepare_run_dirs(path: Path, account: Account) -> None:
    """As root, create what holds folders for sockets below `/run`, where only root may create."""
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    os.chown(path, account.uid, account.gid)


def give_up_root(account: Account) -> None:
    """Become the service user, for good: files, sockets and processes made from here are theirs."""
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    os.umask(0o077)


def _create(path: Path, existing: Path, account: Account) -> None:
    """Create the missing folders; those on the way are passable, the last one is private."""
    missing = [path, *path.parents]
    for folder in reversed(missing[: missing.index(existing)]):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    os.chown(path, account.uid, account.gid)
    path.chmod(PRIVATE_FOLDER)


def _nearest_existing(path: Path) -> Path:
    """Return the folder itself, or the nearest parent that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())

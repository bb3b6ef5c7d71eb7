"""The folder that the stack's code runs from: the checkout, or a copy the service user can read."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.bootstrap.account import Account
from deploy.bootstrap.progress import step

NEEDED = ("services", "shared", "deploy", "requirements", "freehold")
INSTALLED_UNDER = Path("/opt/freehold")
CONTENT_MARKER = ".content"
FOLDER_MODE = 0o755
FILE_MODE = 0o644


def code_root(checkout: Path, account: Account, installed_under: Path = INSTALLED_UNDER) -> Path:
    """Return the folder to run from, after having brought it up to date.

    A user's own checkout serves as it is. Where the service user cannot read all of it (it lies
    under a private home, say), a copy that everybody can read and only root can change serves.
    """
    needed = [checkout / name for name in NEEDED]
    if account.first_unreadable(needed) is None:
        return checkout
    target = installed_under / hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
    content = content_hash(checkout)
    if _installed_content(target) != content:
        with step(f"code copied to {target}, because {account.name} cannot read {checkout}"):
            _install(checkout, target, content)
    return target


def content_hash(checkout: Path) -> str:
    """Return a hash of the names and bytes of everything that is needed to run."""
    digest = hashlib.sha256()
    for path in _files(checkout):
        digest.update(os.fsencode(path.relative_to(checkout)) + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(checkout: Path) -> Iterator[Path]:
    for name in NEEDED:
        top = checkout / name
        if top.is_file():
            yield top
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(entry for entry in folders if entry != "__pycache__")
            yield from (Path(folder, file) for file in sorted(files))


def _installed_content(target: Path) -> str | None:
    try:
        return (target / CONTENT_MARKER).read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def _install(checkout: Path, target: Path, content: str) -> None:
    """Replace the copy at `target`; its virtual environment stays.

    An interrupted installation has no marker and is repeated by the next command.
    """
    for folder in (target.parent, target):
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    marker = target / CONTENT_MARKER
    marker.unlink(missing_ok=True)
    fresh = target / ".fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    for path in _files(checkout):
        copy = fresh / path.relative_to(checkout)
        copy.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(FOLDER_MODE if os.access(path, os.X_OK) else FILE_MODE)
    for name in NEEDED:
        installed = target / name
        if installed.is_dir():
            shutil.rmtree(installed)
        (fresh / name).replace(installed)
    fresh.rmdir()
    marker.write_text(content, encoding="ascii")

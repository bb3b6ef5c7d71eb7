"""Gets the peers of the job benchmark, each from where its users get it."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PYTHON_PEERS = ("celery==5.7.0", "procrastinate==3.10.0", "psycopg[binary,pool]")
NODE_PEERS = ("bullmq@6", "ioredis@5", "pg@8")


def install(folder: Path) -> None:
    """Install what is missing. Exits with what to do when Redis or Node.js cannot be had."""
    if shutil.which("redis-server") is None:
        _install_redis()
    if shutil.which("npm") is None:
        sys.exit("BullMQ needs Node.js with npm.\nNext: install the packages nodejs and npm.")
    if not (folder / "node_modules" / "bullmq").exists():
        _run("npm", "install", "--no-audit", "--no-fund", *NODE_PEERS, folder=folder)
    python = folder / "python"
    if not (python / "bin" / "celery").exists():
        venv.create(python, with_pip=True)
        _run(str(python / "bin" / "pip"), "install", "-q", *PYTHON_PEERS, folder=folder)


def versions(folder: Path) -> dict[str, str]:
    """Return what was compared with what."""
    found = {}
    for package in ("bullmq", "pg"):
        text = (folder / "node_modules" / package / "package.json").read_text()
        found[package] = str(json.loads(text)["version"])
    frozen = _output(str(folder / "python" / "bin" / "pip"), "freeze")
    for line in frozen.splitlines():
        name, _, version = line.partition("==")
        if name in {"celery", "procrastinate", "psycopg"}:
            found[name] = version
    found["Redis"] = _output("redis-server", "--version").split("v=")[1].split()[0]
    return found


def _install_redis() -> None:
    if os.geteuid() != 0:
        sys.exit("BullMQ needs Redis.\nNext: run `sudo apt-get install redis-server`.")
    policy = Path("/usr/sbin/policy-rc.d")
    own = not policy.exists()
    if own:  # the package would start an instance of its own
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        _run("apt-get", "install", "-y", "--no-install-recommends", "redis-server")
    finally:
        if own:
            policy.unlink()


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

"""A small process that behaves like a part: `python children.py ROLE [ARGUMENTS]`."""

import json
import os
import pathlib
import signal
import socket
import sys
import time


def notify(message: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(message.encode(), os.environ["NOTIFY_SOCKET"])


def serve(start_seconds: str = "0") -> None:
    """Answer each connection on descriptor 3 with our pid; drain on SIGTERM."""
    time.sleep(float(start_seconds))
    listener = socket.socket(fileno=3)
    listener.settimeout(0.05)
    draining: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: draining.append(number))
    notify("READY=1")
    while not draining:
        try:
            connection, _ = listener.accept()
        except (TimeoutError, BlockingIOError):
            continue
        with connection:
            connection.settimeout(60)
            connection.recv(100)
            time.sleep(0.005)
            connection.sendall(str(os.getpid()).encode())


def crash(after_seconds: str = "0") -> None:
    time.sleep(float(after_seconds))
    raise SystemExit("the cellar is flooded")


def journal(path: str, name: str, stop_seconds: str = "0") -> None:
    """Write "start NAME" when ready and "stop NAME" when drained into a shared file."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    append(path, f"start {name}")
    notify("READY=1")
    while not stopping:
        time.sleep(0.01)
    time.sleep(float(stop_seconds))
    append(path, f"stop {name}")


def explain(problem: str, next_step: str) -> None:
    """Fail, and say why in the last line."""
    lines = ["Traceback (most recent call last):", "  in a library"]
    raise SystemExit("\n".join([*lines, json.dumps({"message": problem, "next_step": next_step})]))


def once(path: str, name: str, failures: str = "0") -> None:
    """Fail as many times as asked, then write "ran NAME"."""
    tries = pathlib.Path(f"{path}.{name}.tries")
    count = int(tries.read_text()) if tries.exists() else 0
    tries.write_text(str(count + 1))
    if count < int(failures):
        raise SystemExit("not yet")
    append(path, f"ran {name}")


def mute() -> None:
    """Never become ready."""
    time.sleep(600)


def stubborn() -> None:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    notify("READY=1")
    time.sleep(600)


def grow(mebibytes: str, marker: str) -> None:
    """Take memory once: the first process to run grows, its successors stay small."""
    path = pathlib.Path(marker)
    first = not path.exists()
    path.touch()
    notify("READY=1")
    held = bytearray(os.urandom(int(mebibytes) << 20)) if first else b""
    while held is not None:
        time.sleep(600)


def parent(path: str) -> None:
    """Start a child in our session and one outside of it, and write their pids."""
    inside = os.fork()
    if inside == 0:
        time.sleep(600)
    outside = os.fork()
    if outside == 0:
        os.setsid()
        time.sleep(600)
    append(path, f"{inside} {outside}")
    notify("READY=1")
    time.sleep(600)


def append(path: str, line: str) -> None:
    with pathlib.Path(path).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

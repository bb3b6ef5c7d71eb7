"""The command line, by the standard library alone: it is parsed before anything is installed."""

import argparse

from deploy.local.supervisor.specs import MOST_INSTANCES


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command of `./freehold`."""
    top = argparse.ArgumentParser(
        prog="./freehold",
        description="Runs the whole backend on this machine.",
        epilog="Settings are environment variables; `./freehold config doc` lists them all.",
        allow_abbrev=False,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    up = commands.add_parser("up", help="install what is missing, start everything, wait for it")
    up.add_argument("--detach", action="store_true", help="return as soon as everything is ready")

    commands.add_parser("down", help="stop everything that `up` started")

    status = commands.add_parser("status", help="show every part; exit 0 only if all is well")
    status.add_argument("--json", action="store_true", help="as one JSON object")

    scale = commands.add_parser("scale", help="set the number of instances of services")
    scale.add_argument("instances", nargs="+", metavar="SERVICE=NUMBER", type=_instances)

    restart = commands.add_parser("restart", help="restart one or all services, losing no request")
    restart.add_argument("service", nargs="?", metavar="SERVICE")

    logs = commands.add_parser("logs", help="show logs as JSON lines")
    logs.add_argument("service", nargs="?", metavar="SERVICE")
    logs.add_argument("-f", "--follow", action="store_true", help="stay and show what comes")

    inbox = commands.add_parser("inbox", help="show the mails that the embedded inbox holds")
    inbox.add_argument("--json", action="store_true", help="as a JSON list, newest last")
    inbox.add_argument("--to", metavar="ADDRESS", help="only mails to this address")

    admin = commands.add_parser("admin", help="make or promote an administrator")
    admin.add_argument("email", metavar="EMAIL")
    admin.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )

    program = commands.add_parser(
        "program", help="list, make, change or remove other programs' accounts at the broker"
    )
    program.add_argument("name", nargs="?", metavar="NAME")
    change = program.add_mutually_exclusive_group()
    change.add_argument(
        "--emits",
        metavar="NOUNS",
        help="make or change it: nouns of its events, such as order,invoice; '' for a reader",
    )
    change.add_argument(
        "--remove", action="store_true", help="remove it, with its queues and what is in them"
    )

    config = commands.add_parser("config", help="check or explain the settings")
    config.add_argument("action", choices=["check", "doc"])

    commands.add_parser("test", help="run the tests; arguments go to pytest", add_help=False)
    commands.add_parser("bench", help="run a benchmark: bench [NAME]", add_help=False)
    return top


def _instances(text: str) -> tuple[str, int]:
    name, separator, number = text.partition("=")
    if not separator or not name or not number.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not like auth=3")
    if not 1 <= int(number) <= MOST_INSTANCES:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to {MOST_INSTANCES}")
    return name, int(number)

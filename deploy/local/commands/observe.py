"""`status`, `logs`, `inbox`: what shows a stack without changing it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from deploy.local import log_files
from deploy.local.conditions import BROKER, Broker, add_conditions
from deploy.local.errors import LauncherError
from deploy.local.plan import part_kinds
from deploy.local.ports import Ports
from deploy.local.session import Session
from deploy.local.settings import Configuration
from deploy.local.supervisor.control import Client
from deploy.local.supervisor.specs import Plan
from deploy.mail.reading import ReceivedMail, read_mails

MEBIBYTE = 1024 * 1024
SIGNS = {"running": "✓", "starting": "…", "failed": "✗", "stopped": "-"}


def status(session: Session, *, as_json: bool) -> int:
    """Show every part, what is wrong and what to do; return 0 only if all is well."""
    client = session.client()
    configuration = session.configuration()
    report = _stopped(configuration) if client is None else current_report(session, client)
    warnings = _warnings(configuration)
    if warnings:
        report["warnings"] = warnings
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _print_report(report)
    return 0 if report["healthy"] else 1


def current_report(session: Session, client: Client) -> dict[str, Any]:
    """Return every part of the running stack, with what its processes tell of themselves."""
    report = client.status()
    asyncio.run(add_conditions(report, Plan.load(session.home.plan).parts, _broker(session)))
    return report


def _broker(session: Session) -> Broker | None:
    configuration = session.configuration()
    if BROKER not in configuration.embedded:
        return None
    ports = Ports.of(session.home, configuration.operator.port)
    return Broker(ports.rabbitmq_metrics, session.home.part(BROKER))


def _stopped(configuration: Configuration) -> dict[str, Any]:
    parts = [
        {
            "name": name,
            "kind": kind,
            "state": "stopped",
            "instances": [],
            "conditions": [],
            "problem": "nothing was started",
            "next_step": "run `./freehold up`",
        }
        for name, kind in part_kinds(configuration).items()
    ]
    return {"healthy": False, "parts": parts}


def _warnings(configuration: Configuration) -> list[str]:
    if configuration.operator.limits == "off":
        return ["FREEHOLD_LIMITS=off: request limits are lifted; unset it outside of load tests"]
    return []


def _print_report(report: dict[str, Any]) -> None:
    total = 0
    for part in report["parts"]:
        instances = part["instances"]
        memory = sum(instance["rss_bytes"] for instance in instances)
        total += memory
        pids = ",".join(str(instance["pid"]) for instance in instances)
        print(
            f"{SIGNS[part['state']]} {part['name']:<19} {part['state']:<8} "
            f"{len(instances):>2} {memory // MEBIBYTE:>5} MB  pid {pids or '-':<20} "
            f"{part.get('address', '')}".rstrip()
        )
        _print_problems(part)
    print(f"{'healthy' if report['healthy'] else 'NOT healthy'}, {total // MEBIBYTE} MB in all")
    for warning in report.get("warnings", []):
        print(f"warning: {warning}")
    for (problem, next_step), parts in _shared_warnings(report).items():
        print(f"warning: {', '.join(parts)}: {problem}\n    next: {next_step}")


def _print_problems(part: dict[str, Any]) -> None:
    """Print why the part is not well; the problem of the part may be one of its conditions."""
    told = [(part["problem"], part.get("next_step"))] if part.get("problem") else []
    for condition in part["conditions"]:
        one = (condition["problem"], condition["next_step"])
        if condition["failing"] and one not in told:
            told.append(one)
    for problem, next_step in told:
        print(f"    {problem}")
        if next_step:
            print(f"    next: {next_step}")


def _shared_warnings(report: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Return what does not fail a part, with the parts it is about: a machine's fault has many."""
    shared: dict[tuple[str, str], list[str]] = {}
    for part in report["parts"]:
        for condition in part["conditions"]:
            if not condition["failing"]:
                told = (condition["problem"], condition["next_step"])
                shared.setdefault(told, []).append(part["name"])
    return shared


def logs(session: Session, service: str | None, *, follow: bool) -> int:
    """Print the logs as JSON lines, in the order of time; with `follow` until Ctrl-C."""
    folder = session.home.logs
    names = log_files.log_names(folder, service)
    if not names:
        raise LauncherError(_no_log(folder, service))
    read = log_files.follow if follow else log_files.read
    for line in read(folder, names):
        sys.stdout.write(line.text + "\n")
        if follow:
            sys.stdout.flush()
    return 0


def _no_log(folder: Path, service: str | None) -> str:
    there = log_files.log_names(folder, None)
    if not there:
        return (
            f"There are no logs in {folder} yet.\n"
            "Next: start the stack with `./freehold up`, or name its FREEHOLD_HOME."
        )
    return (
        f"There is no log of {service!r}. There are: {', '.join(there)}.\n"
        "Next: name one of these, or none for all."
    )


def inbox(session: Session, to: str | None, *, as_json: bool) -> int:
    """Show the mails that the embedded inbox holds, newest last."""
    if "inbox" not in session.require_started_once().embedded:
        raise LauncherError(
            "FREEHOLD_SMTP_URL is set, so mails go to that server and none is kept here.\n"
            "Next: look there, or unset it and start again."
        )
    mails = read_mails(session.home.inbox, to)
    if as_json:
        print(json.dumps([mail.document() for mail in mails], indent=2, ensure_ascii=False))
    else:
        for mail in mails:
            _print_mail(mail)
        if not mails:
            print("The inbox holds no mail" + (f" to {to}." if to else "."))
    return 0


def _print_mail(mail: ReceivedMail) -> None:
    print(f"── {mail.received_at:%Y-%m-%d %H:%M:%S} UTC")
    print(f"From: {mail.sender}\nTo: {mail.to}\nSubject: {mail.subject}\n")
    print((mail.text or mail.html or "").rstrip() + "\n")

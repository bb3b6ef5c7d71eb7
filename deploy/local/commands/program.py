"""`program`: accounts at the broker for other programs of the owner."""

import asyncio
import json
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

from deploy.local.broker import running_node, write_definitions
from deploy.local.programs import Programs, check_name, new_program, parse_nouns
from deploy.local.session import Session
from deploy.local.stack import Stack
from deploy.rabbitmq.programs import EVENTS_EXCHANGE, Program, program_definitions

DEFAULT_VHOST = "/"


def listing(session: Session) -> int:
    """Show every program and what it may emit."""
    programs = Programs.of(session.home).all()
    for program in programs:
        print(f"{program.name:<24} {_emitted(program)}")
    if not programs:
        print("There is no program yet. Next: ./freehold program NAME --emits order,invoice")
    return 0


def show(session: Session, name: str) -> int:
    """Show one program; its password was shown when it was made."""
    program = Programs.of(session.home).get(name)
    print(f"{program.name} {_emitted(program)}")
    _print_rights(program)
    return 0


def make(session: Session, name: str, emits: str) -> int:
    """Make a program's account, or change what an existing one may emit.

    It is in force at once; an existing account keeps its password.
    """
    check_name(name)
    nouns = parse_nouns(emits)
    stack = _stack(session)
    programs = Programs.of(session.home)
    known = programs.by_name.get(name)
    if known is None:
        program, password = new_program(name, nouns)
    else:
        program, password = Program(name, nouns, known.password_hash), None
    if _is_embedded(stack):
        node = running_node(stack.home)
        node.import_definitions(program_definitions(_vhost(stack), [program]))
        if known is not None:
            asyncio.run(node.restrict(program, known.emits))
    programs.record(program)
    if _is_embedded(stack):
        write_definitions(stack.home, stack.secrets)
    print(f"Program {name} {'made' if known is None else 'changed'}: {_emitted(program)}.")
    if known is not None:
        print("  password         the one it had; open connections have the new rights when they")
        print("                   connect again")
    _print_rights(program)
    if password is not None:
        _print_access(stack, program, password)
    if not _is_embedded(stack):
        _print_definitions(stack, program, [] if known is None else known.emits)
    return 0


def remove(session: Session, name: str) -> int:
    """Remove a program's account, its queues, and the messages in them."""
    programs = Programs.of(session.home)
    program = programs.get(name)
    stack = _stack(session)
    if _is_embedded(stack):
        asyncio.run(running_node(stack.home).remove(program))
    programs.forget(program)
    if _is_embedded(stack):
        write_definitions(stack.home, stack.secrets)
        print(f"Program {name} is removed, with its connections, queues and what was in them.")
    else:
        print(
            f"Program {name} is forgotten here. The broker is another's; next, run there:\n\n"
            f"  rabbitmqctl delete_user {program.account}\n\n"
            f"and delete its exchange {program.exchange} and the queues {program.account}.*"
        )
    return 0


def _stack(session: Session) -> Stack:
    """Return the stack; the embedded broker has to run, because it is told at once."""
    if "rabbitmq" in session.configuration().embedded:
        session.require_client()
    return session.recorded_stack()


def _is_embedded(stack: Stack) -> bool:
    return "rabbitmq" in stack.configuration.embedded


def _emitted(program: Program) -> str:
    keys = ", ".join(f"{noun}.*" for noun in program.emits)
    return f"emits {keys}" if keys else "emits nothing, it only reads"


def _print_rights(program: Program) -> None:
    print(f"  its own names    queues and exchanges that begin with {program.account}.")
    print(f"  reads            with such a queue, bound to the exchange {EVENTS_EXCHANGE}")
    if program.emits:
        print(
            f"  publishes        to the exchange {program.exchange}, with routing keys such as "
            f"{program.emits[0]}.created; they go on to {EVENTS_EXCHANGE}"
        )


def _print_access(stack: Stack, program: Program, password: str) -> None:
    url = _url(stack, program, password)
    print(f"  password         {password} (shown this once)")
    print(f"  address          {url}")
    print("\n  For example, in Python with aio-pika:\n")
    print(f'    channel = await (await aio_pika.connect("{url}")).channel()')
    if program.emits:
        key = f"{program.emits[0]}.created"
        print(f'    exchange = await channel.get_exchange("{program.exchange}", ensure=False)')
        print(
            f'    await exchange.publish(aio_pika.Message(b\'{{"type": "{key}", "data": {{}}}}\'), '
            f'"{key}")'
        )
    else:
        print(f'    queue = await channel.declare_queue("{program.account}.events", durable=True)')
        print(f'    await queue.bind("{EVENTS_EXCHANGE}", "user.registered")')


def _print_definitions(stack: Stack, program: Program, before: Sequence[str]) -> None:
    document = json.dumps(program_definitions(_vhost(stack), [program]), indent=2)
    print(
        "\nThe broker is another's (FREEHOLD_AMQP_URL), so nothing is changed there yet.\n"
        "Next: save this as program.json and run there, as its administrator:\n\n"
        "  rabbitmqctl import_definitions program.json\n"
    )
    print(document)
    stale = [f"{noun}.*" for noun in before if noun not in program.emits]
    if stale:
        print(f"\nand unbind {EVENTS_EXCHANGE} from {program.exchange} for {', '.join(stale)}.")


def _url(stack: Stack, program: Program, password: str) -> str:
    address = urlsplit(stack.amqp_url("jobs"))
    host = address.netloc.rpartition("@")[2]
    return urlunsplit(address._replace(netloc=f"{program.account}:{password}@{host}"))


def _vhost(stack: Stack) -> str:
    path = urlsplit(stack.amqp_url("jobs")).path
    return unquote(path.removeprefix("/")) or DEFAULT_VHOST

"""The rules of this house that no general linter knows, each a small check with a remedy.

`python -m tests.rules` checks the tree. Needles that must not stand in any file are put together
at run time, so that these files too keep the rules.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.rules.source_tree import SourceFile, SourceTree

MAXIMUM_LINES = 600

Place = tuple[int, str]
"""A line, and what was found there."""


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule."""

    path: str
    line: int
    rule: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.found}; {self.remedy}"


@dataclass(frozen=True)
class Rule:
    """One rule: what holds, and what to do where it does not."""

    name: str
    sentence: str
    remedy: str
    check: Callable[[SourceFile, SourceTree], Iterator[Place]]


def findings(tree: SourceTree) -> list[Finding]:
    """Return what breaks a rule anywhere in the tree, ordered by place."""
    return sorted(
        (
            Finding(file.path, line, rule.name, found, rule.remedy)
            for file in tree.files
            for rule in RULES
            for line, found in rule.check(file, tree)
        ),
        key=lambda finding: (finding.path, finding.line, finding.rule),
    )


def imported(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Yield the line and the full dotted name of everything that a Python file imports."""
    for node in file.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(file, node)
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def _absolute(file: SourceFile, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = PurePosixPath(file.path).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _is_within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _services_apart(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    parts = PurePosixPath(file.path).parts
    if parts[0] != "services" or len(parts) <= 2:
        return
    for line, name in imported(file):
        own = _is_within(name, f"services.{parts[1]}")
        if _is_within(name, "services", "deploy", "tests", "benchmarks") and not own:
            yield line, f"the service {parts[1]} imports {name}"


def _schemas_alone(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if not file.is_under("shared/schemas"):
        return
    for line, name in imported(file):
        package = name.partition(".")[0]
        if (
            package not in sys.stdlib_module_names
            and package != "pydantic"
            and not _is_within(name, "shared.schemas")
        ):
            yield line, f"the schemas import {name}"


def _chassis_knows_no_service(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if not file.is_under("shared/chassis"):
        return
    for line, name in imported(file):
        if _is_within(name, "services", "deploy", "tests", "benchmarks"):
            yield line, f"the chassis imports {name}"


_SQL = re.compile(
    r"""\s*(?:
        SELECT\s+\S
      | select\s+(?:\*|\d|\w+\(|[\w.]+(?:\s*,\s*[\w.]+)*\s+from\s)
      | (?i:insert\s+into|delete\s+from|truncate\s+table)\s+[\w."]+
      | (?i:update)\s+(?:(?i:only)\s+)?[\w."]+\s+(?i:set)\s+[\w"]+\s*=
      | (?i:with\s+(?:recursive\s+)?\w+(?:\s*\([^)]*\))?\s+as\s+(?:(?:not\s+)?materialized\s+)?\()
      | (?i:create|alter|drop)\s+(?i:or\s+replace\s+|unique\s+|temp(?:orary)?\s+|unlogged\s+)*
        (?i:table|index|schema|role|user|database|extension|function|type|view|sequence|trigger|
            publication|subscription|domain|policy)\s+["\w]
    )""",
    re.VERBOSE,
)


def _is_sql(text: str) -> bool:
    # A sentence starts with a capital and goes on in small letters; a statement does not.
    first_word = text.split(maxsplit=1)[0] if text.strip() else ""
    return (first_word.isupper() or first_word.islower()) and _SQL.match(text) is not None


def _sql_in_its_files(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if file.is_under("tests", "benchmarks"):
        return
    folders = PurePosixPath(file.path).parts[:-1]
    if file.name.endswith(".sql") and file.name != "queries.sql" and "migrations" not in folders:
        yield 1, "a file of SQL that is neither queries nor a migration"
    for line, text in _strings(file):
        if _is_sql(text):
            yield line, f"SQL text {' '.join(text.split())[:40]!r}"


def _strings(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Yield the string literals that are values, so no docstrings; `x` stands for a placeholder."""
    passed_over: set[int] = set()
    for node in file.nodes:
        if isinstance(node, ast.Expr):
            passed_over.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed_over.update(map(id, node.values))
            parts = [
                value.value if isinstance(value, ast.Constant) else "x" for value in node.values
            ]
            yield node.lineno, "".join(map(str, parts))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in passed_over
        ):
            yield node.lineno, node.value


_ENVIRONMENT_READERS = ("shared/chassis/process.py", "deploy", "freehold", "tests", "benchmarks")
_ENVIRONMENT = ("environ", "environb", "getenv", "getenvb", "putenv", "unsetenv")


def _environment_in_settings(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if file.is_under(*_ENVIRONMENT_READERS) or file.name == "settings.py":
        return
    for line, name in imported(file):
        if name in {f"os.{reader}" for reader in _ENVIRONMENT}:
            yield line, f"imports {name}"
    for node in file.nodes:
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _ENVIRONMENT
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ):
            yield node.lineno, f"uses os.{node.attr}"


def _pure_middleware(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    for line, name in imported(file):
        if name.endswith(".BaseHTTPMiddleware"):
            yield line, "imports BaseHTTPMiddleware"
    for node in file.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "BaseHTTPMiddleware":
            yield node.lineno, "uses BaseHTTPMiddleware"


_REGISTRIES = tuple(
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("anaconda", "org"),
        ("deb", "debian", "org"),
    )
)
_REGISTRY = re.compile(
    rf"(?<![\w-])(?:{'|'.join(map(re.escape, _REGISTRIES))})(?![\w-])", re.IGNORECASE
)


def _no_registry(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    for number, line in enumerate(file.lines, 1):
        if match := _REGISTRY.search(line):
            yield number, f"the address of a package registry, {match[0]}"


_MACHINE_PATH = re.compile(r"(?<![\w.~}/-])/(?:(?:root|work)/|(?:home|Users)/[a-z][\w.-]*/)")


def _no_machine_path(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    for number, line in enumerate(file.lines, 1):
        if match := _MACHINE_PATH.search(line):
            yield number, f"a path of one machine, {match[0]}"


_WRITTEN_BY_HAND = (".py", ".sql", ".js", ".ts", ".css", ".html", ".md", ".toml", ".sh", "freehold")


def _short_files(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if file.name.endswith(_WRITTEN_BY_HAND) and len(file.lines) > MAXIMUM_LINES:
        yield MAXIMUM_LINES + 1, f"the file has {len(file.lines)} lines"


_NAMES_OF_NOTHING = frozenset(
    {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
)


def _telling_names(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if not file.name.endswith((".py", ".js", ".ts")):
        return
    for part in PurePosixPath(file.path).with_suffix("").parts:
        if part in _NAMES_OF_NOTHING:
            yield 1, f"the name {part} says nothing of what is inside"


_SUPPRESSION = re.compile(
    r"(?P<file>ruff:\s*|flake8:\s*)?\b(?:noqa|type:\s*ignore)\b"
    r"(?P<code>:\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*|\[[\w\-, ]+\])?"
)
_REASON = re.compile(r"[A-Za-z]{3,}|[a-z]\w* [a-z]\w*")


def _explained_suppressions(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    if not file.is_python or file.is_under("tests"):
        return
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        marks = list(_SUPPRESSION.finditer(token.string))
        if any(mark["file"] for mark in marks):
            yield token.start[0], "a suppression for a whole file"
        elif any(mark["code"] is None for mark in marks):
            yield token.start[0], "a suppression without a code"
        elif marks and not _REASON.search(_SUPPRESSION.sub("", token.string)):
            yield token.start[0], "a suppression without a reason"


_QUERY = re.compile(r"-- name: (?P<name>\w+)\s*$")


def _queries_described_and_used(file: SourceFile, tree: SourceTree) -> Iterator[Place]:
    if file.name == "queries.sql":
        used = {
            text
            for other in tree.files
            if other.is_under(file.folder) and tree.nearest(other, file.name) is file
            for _, text in _strings(other)
        }
        for number, line in enumerate(file.lines, 1):
            match = _QUERY.match(line)
            if match is None:
                continue
            if not re.match(r"-- \w", "".join(file.lines[number : number + 1])):
                yield number, f"the query {match['name']} is not described in the line below"
            if match["name"] not in used:
                yield number, f"nothing uses the query {match['name']}"
        return
    queries = tree.nearest(file, "queries.sql")
    if queries is None:
        return
    known = {match["name"] for line in queries.lines if (match := _QUERY.match(line))}
    for node in file.nodes:
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == "SQL"
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
            and node.slice.value not in known
        ):
            yield node.lineno, f"there is no query {node.slice.value}"


_UNFINISHED = re.compile(
    rf"\b(?:{'|'.join(('TO' + 'DO', 'FIX' + 'ME', 'X' * 3, 'NotImplemented' + 'Error'))})\b"
)


def _finished(file: SourceFile, _: SourceTree) -> Iterator[Place]:
    for number, line in enumerate(file.lines, 1):
        if match := _UNFINISHED.search(line):
            yield number, f"an unfinished place, {match[0]}"


RULES = (
    Rule(
        "services-apart",
        "A service imports itself, `shared` and libraries, never another service.",
        "emit an event, call the service by ServiceClient, or move what both need to shared",
        _services_apart,
    ),
    Rule(
        "schemas-alone",
        "`shared/schemas` imports pydantic, the standard library and itself.",
        "keep the contract free of code: move this to shared/chassis or to a service",
        _schemas_alone,
    ),
    Rule(
        "chassis-below-services",
        "`shared/chassis` knows no service and nothing of how it is deployed.",
        "let the service pass in what the chassis needs",
        _chassis_knows_no_service,
    ),
    Rule(
        "sql-in-files",
        "SQL is written in `queries.sql` and in migrations only.",
        "name the statement in the queries.sql beside the store and load it from there",
        _sql_in_its_files,
    ),
    Rule(
        "environment-in-settings",
        "Only settings modules and the start of a process read the environment.",
        "make it a documented field of the settings model",
        _environment_in_settings,
    ),
    Rule(
        "pure-middleware",
        "Middleware is pure ASGI, so that bodies stream and cancellation arrives.",
        "write a class with `async def __call__(self, scope, receive, send)`",
        _pure_middleware,
    ),
    Rule(
        "no-registry-address",
        "No file names a package registry; whoever installs decides where from.",
        "leave the address to the configuration of the installer",
        _no_registry,
    ),
    Rule(
        "no-machine-path",
        "No file names a path that only one person's machine has.",
        "derive the path from the checkout or make it a setting",
        _no_machine_path,
    ),
    Rule(
        "short-files",
        f"No file written by hand has more than {MAXIMUM_LINES} lines.",
        "split it by subject",
        _short_files,
    ),
    Rule(
        "telling-names",
        "A module is named for what it is about.",
        "name it for its subject, or move its functions to where they are used",
        _telling_names,
    ),
    Rule(
        "explained-suppressions",
        "Whatever silences a checker names the code and the reason in its line.",
        "write `# noqa: CODE - why` or `# type: ignore[code] # why`, or mend the cause",
        _explained_suppressions,
    ),
    Rule(
        "queries-described-and-used",
        "Each query is described in the line below its name and used by its service.",
        "describe it in one comment line, use it by its name, or delete it",
        _queries_described_and_used,
    ),
    Rule(
        "finished",
        "What is in the tree is finished.",
        "finish it, open an issue, or mark a base class's method with abc.abstractmethod",
        _finished,
    ),
)

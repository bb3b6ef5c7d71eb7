"""Named statements in files: the only place, with the migrations, where SQL is written."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_HEADER = re.compile(r"^-- name: (?P<name>[a-z0-9_]+)\s*$", re.MULTILINE)


def load_queries(module_file: str) -> Mapping[str, str]:
    """Read the statements of the `queries.sql` beside a module, by name.

    Each block starts with `-- name: verb_noun` and a comment line that says what it is for.
    Raises ValueError for a file without blocks or with a name given twice.
    """
    path = Path(module_file).with_name("queries.sql")
    text = path.read_text(encoding="utf-8")
    headers = list(_HEADER.finditer(text))
    if not headers:
        raise ValueError(f"{path.name} names no statement")
    queries: dict[str, str] = {}
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        name = header["name"]
        if name in queries:
            raise ValueError(f"{path.name} names {name} twice")
        end = following.start() if following else len(text)
        queries[name] = text[header.end() : end].strip()
    return MappingProxyType(queries)

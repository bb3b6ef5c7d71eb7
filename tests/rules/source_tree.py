"""The files of the tree as the rules read them: text, and syntax where it is Python."""

import ast
import fnmatch
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Self

PYTHON_PROGRAMS = ("freehold",)
"""Python programs without a suffix."""


@dataclass(frozen=True)
class SourceFile:
    """One text file; `path` is relative to the top of the tree, with slashes."""

    path: str
    text: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py") or self.path in PYTHON_PROGRAMS

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every syntax node; none for what is not Python."""
        return list(ast.walk(ast.parse(self.text, self.path))) if self.is_python else []

    def is_under(self, *folders: str) -> bool:
        """Tell whether the file is one of these paths or below one of these folders."""
        return any(self.path == folder or self.path.startswith(f"{folder}/") for folder in folders)


class SourceTree:
    """All text files, those that git ignores left out."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self.files = sorted(files, key=lambda file: file.path)
        self._by_path = {file.path: file for file in self.files}

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read the tree below a folder. It need not be a git checkout: a copy serves as well."""
        ignored = [".git", *_ignored_names(root)]
        return cls(
            SourceFile(path.relative_to(root).as_posix(), text)
            for path in _walk(root, ignored)
            if (text := _text(path)) is not None
        )

    def nearest(self, file: SourceFile, name: str) -> SourceFile | None:
        """Return the file of this name in the folder of a file, or in the closest one above."""
        for folder in PurePosixPath(file.path).parents:
            found = self._by_path.get(str(folder / name))
            if found is not None:
                return found
        return None


def _ignored_names(root: Path) -> list[str]:
    lines = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    return [line.strip("/") for line in lines if line and not line.startswith("#")]


def _walk(root: Path, ignored: list[str]) -> Iterator[Path]:
    def is_ignored(name: str) -> bool:
        return any(fnmatch.fnmatch(name, pattern) for pattern in ignored)

    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not is_ignored(name)]
        yield from (Path(folder, name) for name in files if not is_ignored(name))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):  # an image, or a dangling link
        return None

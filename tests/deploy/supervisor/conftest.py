import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.supervisor.stack import Stack


@pytest.fixture
def stack() -> Iterator[Stack]:
    directory = Path(tempfile.mkdtemp(prefix="fh-supervisor-", dir="/tmp"))
    stack = Stack(directory)
    try:
        yield stack
    finally:
        stack.end()
        shutil.rmtree(directory, ignore_errors=True)

"""Checks the tree by the house rules: `python -m tests.rules`, from the top of the checkout."""

import sys
from pathlib import Path

from tests.rules.house_rules import findings
from tests.rules.source_tree import SourceTree

found = findings(SourceTree.read(Path.cwd()))
for finding in found:
    sys.stdout.write(f"{finding}\n")
sys.exit(1 if found else 0)

"""The engine knows no product by name: what is true of one stands with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from checks.registry import PRODUCTS

TOP = Path(__file__).parents[2]
NAMES = re.compile(
    r"(?<![\w./\\-])("
    + "|".join(re.escape(word) for one in PRODUCTS for word in (one.name, one.title))
    + r")(?![\w./-])"
)
"""A product's name or title as a word of its own; what lies below a folder, or is called after it, is another word."""
HOMES = {name for one in PRODUCTS for name in (one.name.replace("-", "_"), one.name.replace("-", "_") + ".py")}
ELSEWHERE = {
    "checks/common/pages.py": 24,  # titles of the vendors' pages, in one list
    "checks/versions.py": 1,  # refuses what is no version of one: a module that plugins import, and so stays whole
    "scanner/cli/examples.py": 7,  # command lines to copy
    "scanner/cli/machines.py": 1,  # the help of an option, written before plugins are looked for
    "scanner/inventory/discover/ways.py": 2,  # how a cluster is found from one machine is no part of a product yet
    "scanner/inventory/expect/keys.py": 1,  # an example of a value
    "scanner/inventory/importing/machines.py": 1,  # what an inventory that is taken over leaves blank
    "scanner/inventory/model.py": 1,  # an example of a value
    "scanner/lab/scenario_tables.py": 1,  # scenarios have a table for one
    "scanner/probes/linux/disks.py": 1,  # asks for one's folders beside all others
    "scanner/probes/linux/printed.py": 1,  # says what a command is that is not there
}
"""Texts that name a product outside of its home, with how many there are and why. The list may only shrink."""


def test_the_engine_names_no_product() -> None:
    found: dict[str, int] = {}
    for room in ("checks", "reports", "scanner"):
        for path in sorted((TOP / room).rglob("*.py")):
            parts = path.relative_to(TOP).parts
            if HOMES.isdisjoint(parts) and (count := sum(1 for text in texts(path) if NAMES.search(text))):
                found["/".join(parts)] = count
    assert found == ELSEWHERE


def texts(path: Path) -> list[str]:
    """The texts that a module says or compares; what it is documented with aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", None), list)]
    documented = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented
    ]

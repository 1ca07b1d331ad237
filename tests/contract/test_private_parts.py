"""Where preflight reaches into a library's private parts, its versions are bounded to those that were tried."""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = {each.name: each for each in map(Requirement, PROJECT["dependencies"])}

PARTS = {
    # distribution: what is reached, tried with its lowest version in `make test-lowest` and its newest in `make test`
    "paramiko": {
        "paramiko.Transport._auth_trigger",
        "paramiko.Transport._channel_handler_table",
        "paramiko.Transport._check_banner",
        "paramiko.Transport._cipher_info",
        "paramiko.Transport._enforce_strict_kex",
        "paramiko.Transport._expect_packet",
        "paramiko.Transport._kex_info",
        "paramiko.Transport._key_info",
        "paramiko.Transport._mac_info",
        "paramiko.Transport._parse_disconnect",
        "paramiko.Transport._parse_kex_init",
        "paramiko.Transport._filter_algorithm",
        "paramiko.Transport._log",
        "paramiko.Transport._really_parse_kex_init",
        "paramiko.Transport._send_kex_init",
        "paramiko.Transport._send_message",
        "paramiko.Transport._send_user_message",
    },
}
FOREIGN = {"cryptography", "dask", "distributed", "jinja2", "nacl", "paramiko", "pytds", "rich", "spnego", "typer"}
DOORS = {
    # The name that the private part is reached by, where no type tells: file, variable, what it is
    ("scanner/lab/servers/ssh/server.py", "self._peer"): "paramiko.Transport",
    ("scanner/transports/ssh/algorithms.py", "door"): "paramiko.Transport",
    ("scanner/transports/ssh/userauth.py", "self._transport"): "paramiko.Transport",
}
BETWEEN = {"scanner.transports.ssh.wire.driven.Driven": "paramiko.Transport"}
"""Classes of ours that others are derived from, and what they are themselves derived from."""


def found(path: Path) -> Iterator[str]:
    """The private parts of foreign classes that a file reaches, by their full names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(TOP).as_posix()
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update({alias.asname or alias.name.split(".")[0]: alias.asname or alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom):
            known.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from inherited(node, known)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = ast.unparse(node.value)
            if (name, owner) in DOORS:
                yield f"{DOORS[name, owner]}.{node.attr}"
            elif known.get(owner.split(".")[0], "").split(".")[0] in FOREIGN:
                yield f"{owner}.{node.attr}"


def inherited(node: ast.ClassDef, known: dict[str, str]) -> Iterator[str]:
    """What a class of ours replaces or uses of the private parts of its foreign base, or of that of its own base."""
    for base in node.bases:
        first, *rest = ast.unparse(base).split(".")
        full = ".".join([known.get(first, first), *rest])
        full = BETWEEN.get(full, full)
        if full.split(".")[0] in FOREIGN:
            theirs = {part for part in dir(resolve(full)) if part.startswith("_") and not part.startswith("__")}
            ours = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            for each in node.body:
                if isinstance(each, ast.Assign | ast.AnnAssign):
                    ours |= {ast.unparse(each.targets[0] if isinstance(each, ast.Assign) else each.target)}
            used = {
                part.attr
                for part in ast.walk(node)
                if isinstance(part, ast.Attribute) and ast.unparse(part.value) in ("self", "cls", "super()")
            }
            yield from (f"{full}.{part}" for part in sorted(theirs & (ours | used)))


def resolve(full: str) -> Any:
    module, _, name = full.rpartition(".")
    return getattr(importlib.import_module(module), name)


def reached() -> set[str]:
    return {part for path in sorted((TOP / "scanner").rglob("*.py")) for part in found(path)}


def test_what_is_reached_is_what_is_listed() -> None:
    assert reached() == set().union(*PARTS.values())


@pytest.mark.parametrize("part", sorted(set().union(*PARTS.values())))
def test_it_is_there_in_the_version_that_is_installed(part: str) -> None:
    owner, _, name = part.rpartition(".")
    assert hasattr(resolve(owner), name)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_the_versions_are_bounded_on_both_sides(name: str) -> None:
    operators = {each.operator for each in NEEDED[name].specifier}
    assert {">=", "<"} <= operators


def test_no_private_part_is_reached_past_this_list() -> None:
    """Whoever silences the linter has to be on it."""
    silenced = {
        path.relative_to(TOP).as_posix()
        for path in sorted((TOP / "scanner").rglob("*.py"))
        if "SLF001" in path.read_text(encoding="utf-8")
    }
    assert silenced <= {file for file, _ in DOORS} | {
        "scanner/transports/ssh/client.py",
        "scanner/transports/ssh/wire/driven.py",
    }

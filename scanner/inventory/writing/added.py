"""A node more in an inventory that somebody has written: every byte that stands there stays as it is.

A node is a table of its own, so text is put between two lines: no library has to write anew what somebody has laid out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.errors import InventoryError, UsageError
from scanner.inventory.reading.positions import positions
from scanner.inventory.reading.values import format_key, shown
from scanner.inventory.writing import toml_text


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """What is to be added."""

    cluster: str
    node: str
    keys: Mapping[str, object]
    """host, roles, and whatever else there is."""
    new_cluster: Mapping[str, object] = field(default_factory=dict)
    """The keys of the cluster, where there is none of that name yet."""


def with_node(text: str, path: Path, new: NewNode, read: Callable[[str, Path], object]) -> str:
    """The inventory's text with the node.

    Raises UsageError, and InventoryError for what would not load, as `read` says.
    """
    table = tomllib.loads(text)
    clusters = table.get("clusters", {})
    known = clusters.get(new.cluster)
    if known is None and not new.new_cluster:
        listed = ", ".join(clusters) or "none"
        raise UsageError(
            f"--cluster {shown(new.cluster)}: {path} has no such cluster (it has {listed}); --product makes a new one"
        )
    if known is not None and new.new_cluster:
        raise UsageError(f"--product: the cluster {shown(new.cluster)} is in {path} already, and has its product")
    if known is not None and new.node in known.get("nodes", {}):
        raise UsageError(f"--node {shown(new.node)}: the cluster {shown(new.cluster)} has a node of that name already")
    place = ("clusters", new.cluster)
    added = "" if known is not None else f"[{format_key(place)}]\n{toml_text.dumps(new.new_cluster)}\n"
    added += f"[{format_key((*place, 'nodes', new.node))}]\n{toml_text.dumps(new.keys)}"
    changed = _inserted(text, added, _end_of(text, place))
    try:
        read(changed, path)
    except InventoryError as error:
        if any(problem.message.startswith("not TOML") for problem in error.problems):
            raise UsageError(
                f"{path}: the cluster {shown(new.cluster)} is written in braces, where no table can be added: "
                f"write [{format_key((*place, 'nodes'))}.NAME] as tables of their own"
            ) from None
        raise
    return changed


def _end_of(text: str, place: tuple[str, ...]) -> int:
    """The line behind the last one of a cluster's tables, from 0; without such a cluster, behind the last of all."""
    lines = text.splitlines()
    found = positions(text)
    last = max((line for key, (line, _) in found.items() if key[: len(place)] == place), default=len(lines))
    others = [line for key, (line, _) in found.items() if line > last and key[: len(place)] != place]
    if not others:
        return len(lines)
    at = min(others) - 1
    # What stands right above a table explains that one.
    while at > last and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith("#")):
        at -= 1
    return at


def _inserted(text: str, added: str, at: int) -> str:
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    before, after = "".join(lines[:at]), "".join(lines[at:])
    if before and not before.endswith("\n"):
        before += ending
    return f"{before}{ending if before else ''}{added.replace(chr(10), ending)}{after}"


def changed_bytes(data: bytes, path: Path, new: NewNode, read: Callable[[str, Path], object]) -> bytes:
    """The same for the file as it is on the disk, its mark in front included."""
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    return mark + with_node(data[len(mark) :].decode("utf-8"), path, new, read).encode("utf-8")


def roles_of(roles: Sequence[str]) -> list[str]:
    """Roles, each once, in order."""
    return list(dict.fromkeys(roles))

"""An inventory that was drawn up from elsewhere, as commented TOML: what cannot be used as it is, is switched off."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from checks.common.dataclass import dataclass
from reports.text import one_line
from scanner.errors import InventoryError
from scanner.inventory.products import Product
from scanner.inventory.reading.values import format_key
from scanner.inventory.settings.catalogue import Catalogue
from scanner.inventory.settings.setting import HOST, NAMES
from scanner.inventory.writing import toml_text

_WIDTH = 100
_UNKNOWN_HOST = "fill-in.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLogin:
    """How the machines are reached, as an inventory says it."""

    transport: str
    defaults: Mapping[str, object]
    """For [defaults.TRANSPORT]."""
    cluster: Mapping[str, object]
    of_asked: Mapping[str, object]
    """For the machine alone that the command line names."""
    about: tuple[str, ...] = ()
    """What is to be done before that works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the text is read with in the end: it has to load."""

    keys: Catalogue
    """All that there are."""
    read: Callable[[str, Path], object]
    """Raises InventoryError for a text that is none; of the file of this path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnNode:
    """One node."""

    name: str
    """What it should be called; it is made usable and unlike the others' where it is written."""
    host: str
    """Empty where nobody could say it: a blank to fill in."""
    roles: tuple[str, ...]
    keys: Mapping[str, object] = field(default_factory=dict)
    """Its other keys."""
    notes: tuple[str, ...] = ()
    """What stands above it; each is a paragraph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCluster:
    """One cluster."""

    name: str
    product: Product
    nodes: tuple[DrawnNode, ...]
    keys: Mapping[str, object] = field(default_factory=dict)
    installed: str = ""
    """A sentence on what is installed now."""
    blanks: tuple[str, ...] = ()
    """Further keys of the cluster that only people know the value of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """All of it."""

    head: tuple[str, ...]
    missing: tuple[str, ...] = ()
    """What could not be found out."""
    about_login: tuple[str, ...] = ()
    defaults: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By transport."""
    clusters: tuple[DrawnCluster, ...]


def drawn_text(drawn: Drawn, path: Path, reader: Reader) -> str:
    """The inventory's text; `path` is its file. It loads as it is.

    A node that would not (an address where Kerberos needs a name, say) is switched off, with the reason.
    """
    head = [*drawn.head, *(["What could not be found out:"] if drawn.missing else [])]
    parts = [_comment(head, [f"- {text}." for text in drawn.missing])]
    defaults = [f"[defaults.{transport}]\n{_pairs(keys)}" for transport, keys in drawn.defaults.items() if keys]
    if drawn.about_login and defaults:
        defaults[0] = _comment(drawn.about_login) + defaults[0]
    parts += defaults
    for cluster in drawn.clusters:
        table = _cluster_text(cluster, reader)
        base = "\n".join([*defaults, table])
        parts.append(table)
        for node in _named(cluster.nodes):
            parts.append(_node_text(node, cluster.name, base, lambda text: reader.read(text, path)))
    return "\n".join(parts)


def _cluster_text(cluster: DrawnCluster, reader: Reader) -> str:
    text = f"[{format_key(('clusters', cluster.name))}]\n{_pairs({'product': cluster.product.name, **cluster.keys})}"
    text += _comment([f"{cluster.installed} The version that you are going to.".strip()])
    text += f'#target = "{cluster.product.version_example}"\n'
    for key in reader.keys.cluster:
        if key.name in cluster.blanks:
            text += _comment([f"{key.doc} One of {', '.join(key.choices)}."])
            text += f"#{_pairs({key.name: key.default})}"
    return text


def _node_text(node: DrawnNode, cluster: str, base: str, read: Callable[[str], object]) -> str:
    pairs = {"host": node.host or _UNKNOWN_HOST, "roles": list(node.roles), **node.keys}
    text = f"[{format_key(('clusters', cluster, 'nodes', node.name))}]\n{_pairs(pairs)}"
    if not node.host:
        return _comment(node.notes) + _off(text)
    try:
        read(f"{base}\n{text}")
    except InventoryError as error:
        # The first says it: they are about this one table.
        why = f"Switched off, because it cannot be used as it is: {error.problems[0].message}."
        return _comment([*node.notes, why]) + _off(text)
    return _comment(node.notes) + text


def _off(text: str) -> str:
    return "".join(f"#{line}\n" for line in text.splitlines())


def _named(nodes: Sequence[DrawnNode]) -> Iterator[DrawnNode]:
    """The nodes under names that an inventory takes, each its own; and only with hosts that are some."""
    taken: set[str] = set()
    for number, node in enumerate(nodes, 1):
        usable = node.name if re.fullmatch(NAMES, node.name) else f"{node.roles[0]}-{number}"
        name, again = usable, 1
        while name in taken:
            again += 1
            name = f"{usable}-{again}"
        taken.add(name)
        yield replace(node, name=name, host=node.host if re.fullmatch(HOST, node.host) else "")


def _pairs(values: Mapping[str, object]) -> str:
    return toml_text.dumps(values) if values else ""


def _comment(paragraphs: Iterable[str], points: Iterable[str] = ()) -> str:
    """Comment lines; what a machine said of itself gets into them without its control characters."""
    lines: list[str] = []
    for text, indent in (*((text, "") for text in paragraphs), *((text, "  ") for text in points)):
        lines += textwrap.wrap(
            one_line(text), _WIDTH - 2, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    return "".join(f"# {line}\n" for line in lines)

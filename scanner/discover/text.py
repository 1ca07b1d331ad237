"""What was found out as an inventory in TOML: what is guessed says so, and what is not known is a blank."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from reports.text import one_line
from scanner.discover.model import FoundCluster, FoundNode
from scanner.errors import InventoryError
from scanner.inventory.from_options import Login
from scanner.inventory.load import parse_inventory
from scanner.inventory.products import Product
from scanner.inventory.reading.values import dotted
from scanner.inventory.settings.sections import CLUSTER
from scanner.inventory.settings.setting import HOST, NAMES, by_name
from scanner.inventory.writing import toml_text

_WIDTH = 100
_UNKNOWN_HOST = "fill-in.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the text comes from and where it goes."""

    command: str
    """What drew it up, as it can be typed."""
    day: date
    path: Path
    """Its file; only what relative paths are relative to."""


def inventory_text(found: FoundCluster, *, name: str, product: Product, login: Login, origin: Origin) -> str:
    """The inventory. What would not load as it is, an address where Kerberos needs a name say, is switched off."""
    origins = f"A {product.title} cluster, drawn up by `{origin.command}` on {origin.day.isoformat()}."
    advice = "What is guessed says so; read it, and fill in what is blank. Passwords never stand in here."
    then = f"Then: `preflight validate {origin.path} --connect` logs in everywhere, and `preflight scan {origin.path}`"
    head = [f"{origins} {advice}", f"{then} asks: may we go?"]
    if found.missing:
        head.append("What could not be found out:")
    parts = [_comment(head, [f"- {text}." for text in found.missing])]
    defaults = _pairs(login.defaults)
    about = login.about or ("How to log in, as on the command line.",)
    parts.append(f"{_comment(about)}[defaults.{login.transport}]\n{defaults}")
    keys = {"product": product.name, **login.cluster}
    cluster = f"[{dotted(('clusters', name))}]\n{_pairs(keys)}"
    installed = f"Installed on {found.asked}: {found.version}. " if found.version else ""
    cluster += _comment([f"{installed}The version that you are going to."])
    cluster += f'#target = "{product.version_example}"\n'
    for key in by_name(CLUSTER).values():
        if key.name in found.blanks:
            cluster += _comment([f"{key.doc} One of {', '.join(key.choices)}."])
            cluster += f"#{key.name} = {toml_text.dumps({'v': key.default})[4:]}"
    parts.append(cluster)
    base = "\n".join(parts[1:])
    own = {True: login.of_asked, False: {}}
    parts += [_node_text(node, name, base, origin, own[node.is_asked]) for node in _named(found.nodes)]
    return "\n".join(parts)


def _node_text(node: FoundNode, cluster: str, base: str, origin: Origin, own: Mapping[str, object]) -> str:
    pairs = {"host": node.host or _UNKNOWN_HOST, "roles": list(node.roles), **own}
    text = f"[{dotted(('clusters', cluster, 'nodes', node.name))}]\n{_pairs(pairs)}"
    if not node.host:
        return _comment(node.notes) + _off(text)
    try:
        parse_inventory(f"{base}\n{text}", origin.path)
    except InventoryError as error:
        # The first says it: they are about this one table.
        why = f"Switched off, because it cannot be used as it is: {error.problems[0].message}."
        return _comment([*node.notes, why]) + _off(text)
    return _comment(node.notes) + text


def _off(text: str) -> str:
    return "".join(f"#{line}\n" for line in text.splitlines())


def _named(nodes: Sequence[FoundNode]) -> Iterable[FoundNode]:
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
    for text in paragraphs:
        lines += textwrap.wrap(one_line(text), _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    for text in points:
        lines += textwrap.wrap(
            one_line(text), _WIDTH - 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    return "".join(f"# {line}\n" for line in lines)

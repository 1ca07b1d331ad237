"""The keys of an inventory as a page of tables, from their declarations."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.inventory.settings.catalogue import Catalogue
from scanner.inventory.settings.setting import Setting
from scanner.inventory.writing.tables import toml_value

_HEAD = """\
# Keys of an inventory

Every key there is, from the declarations that `preflight validate`, `preflight schema` and `preflight init` go by.
Those of `[defaults.WAY]` may stand in a cluster and in a node, too: the nearest counts.
"""
_KINDS = {
    "text": "text",
    "path": "path",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "texts": "list of texts",
    "date": "date",
    "scalar": "text or whole number",
}


def reference(known: Catalogue) -> str:
    """All tables, each with its keys, in Markdown."""
    return "\n".join([_HEAD, *(line for where, keys in known.sections.items() for line in _table(where, keys))])


def _table(where: str, keys: tuple[Setting, ...]) -> Iterator[str]:
    yield f"## `{where}`\n"
    yield "| key | takes | what it is for | left out |"
    yield "|---|---|---|---|"
    for key in keys:
        cells = (f"`{key.name}`", _takes(key), f"{key.doc}{_whose(key)}", _left_out(key))
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _takes(key: Setting) -> str:
    if key.choices:
        return ", ".join(f"`{choice}`" for choice in key.choices)
    if key.least is not None and key.most is not None:
        return f"{_KINDS[key.kind]}, {key.least:g} to {key.most:g}"
    if key.several:
        return "text, or a list of such"
    return _KINDS[key.kind] + (", or a list of such" if key.chain else "")


def _whose(key: Setting) -> str:
    """Who may have it, where that is not everybody."""
    roles = f" ({', '.join(key.roles)})" if key.roles else ""
    owners = [f"{product}{roles}" for product in key.products]
    return f" Of {' and '.join([*owners, *key.platforms])}." if owners or key.platforms else ""


def _left_out(key: Setting) -> str:
    if key.required:
        return "not possible"
    if key.otherwise:
        return key.otherwise
    return "" if key.default is None else f"`{toml_value(key.default)}`"

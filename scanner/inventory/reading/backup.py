"""Where a cluster's backups lie, from its table to the options of the nodes that look for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from checks.common.dataclass import dataclass
from scanner.inventory.model import Node
from scanner.inventory.products import Product
from scanner.inventory.reading.values import KeyPath, Problems, did_you_mean, read_keys, read_table, shown
from scanner.inventory.settings.setting import Setting, by_name

_LOOKING = {"app": ("application", "web"), "database": ("database", "database")}
_ROLES = ("web", "database")


@dataclass(frozen=True, slots=True)
class BackupTable:
    """What a cluster's [backup] amounts to."""

    nodes: tuple[Node, ...]
    """The cluster's nodes; those that look for a backup have `backup_app_path` or `backup_database_path`."""
    options: Mapping[str, str | int | bool] = field(default_factory=dict)
    """For the checks: `backup` where the table says anything, and each of its keys that is set, as `backup_NAME`."""


def read_backup(
    value: object,
    nodes: tuple[Node, ...],
    product: Product | None,
    keys: tuple[Setting, ...],
    place: KeyPath,
    problems: Problems,
) -> BackupTable:
    """Read [clusters.NAME.backup]; `value` is None where there is none. What cannot be used is noted."""
    if value is None:
        return BackupTable(nodes)
    table = read_table(value, place, problems)
    if table is None:
        return BackupTable(nodes)
    if product and not any(key.is_for(product.name) for key in keys):
        owners = dict.fromkeys(owner for key in keys for owner in key.products)
        problems.add(place, f"is a table of {' and '.join(owners)} only; leave it out here")
        return BackupTable(nodes)
    own = tuple(key for key in keys if product is None or key.is_for(product.name))
    values = read_keys(table, by_name(own), place, problems)
    options: dict[str, str | int | bool] = {"backup": True} if table else {}
    options |= {f"backup_{name}": item for name, item in values.items() if isinstance(item, str | int)}
    for kind, (what, role) in _LOOKING.items():
        path, named = values.get(f"{kind}_path"), values.get(f"{kind}_node")
        if not isinstance(path, str):
            continue
        if isinstance(named, str):
            looking = _named(named, nodes, (*place, f"{kind}_node"), problems)
        else:
            looking = [node.name for node in nodes if role in node.roles and node.transport != "tds"]
            if nodes and not looking:
                problems.add(
                    (*place, f"{kind}_path"),
                    f"no {role} node of this cluster can look for the {what}'s backup; name another in {kind}_node",
                )
        nodes = tuple(
            replace(node, options={**node.options, f"backup_{kind}_path": path}) if node.name in looking else node
            for node in nodes
        )
    return BackupTable(nodes, options)


def _named(name: str, nodes: Sequence[Node], place: KeyPath, problems: Problems) -> list[str]:
    node = next((node for node in nodes if node.name == name), None)
    if node is None:
        names = [node.name for node in nodes]
        advice = did_you_mean(name, names) or f"; there are {', '.join(names)}"
        problems.add(place, f"{shown(name)} is no node of this cluster{advice}")
    elif node.transport == "tds":
        problems.add(place, f"{shown(name)} is only asked for its SQL Server port, and cannot look at files")
    elif not set(_ROLES) & set(node.roles):
        problems.add(place, f"{shown(name)} has neither of the roles {' and '.join(_ROLES)}, and is not asked")
    else:
        return [name]
    return []

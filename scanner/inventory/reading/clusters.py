"""Clusters, from tables to the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.inventory.model import Cluster
from scanner.inventory.products import Product
from scanner.inventory.reading.backup import read_backup
from scanner.inventory.reading.connection import Layer, layer_of
from scanner.inventory.reading.nodes import (
    NOT_ON_WINDOWS,
    Surroundings,
    is_of_another_platform,
    read_nodes,
    read_version,
)
from scanner.inventory.reading.skip import Judges, read_skip
from scanner.inventory.reading.values import (
    KeyPath,
    Problems,
    did_you_mean,
    format_key,
    read_keys,
    read_name,
    read_table,
    shown,
    unknown_key,
)
from scanner.inventory.settings.acceptance import RULE
from scanner.inventory.settings.catalogue import TABLES, Catalogue
from scanner.inventory.settings.setting import Setting, by_name
from scanner.inventory.settings.transports import TRANSPORTS, keys_of
from scanner.secrets.discretion import NOT_SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all clusters are read with."""

    known: Catalogue
    """The products and the keys that there are."""
    defaults: Mapping[str, Layer]
    """[defaults.TRANSPORT] by transport."""
    checks: Callable[[], Judges]
    """What the checks are; asked where a cluster leaves one out."""
    folder: Path
    problems: Problems


def read_clusters(table: Mapping[str, object], context: Context) -> tuple[Cluster, ...]:
    """All of [clusters]. What cannot be used is noted in `context.problems`."""
    if not table:
        context.problems.add(("clusters",), "no cluster; add [clusters.NAME] with its product and its nodes")
    read = [_cluster(name, value, context) for name, value in table.items()]
    clusters = tuple(cluster for cluster in read if cluster is not None)
    _check_local(clusters, context.problems)
    return clusters


def _cluster(name: str, value: object, context: Context) -> Cluster | None:
    problems = context.problems
    place: KeyPath = ("clusters", name)
    read_name(name, place, problems)
    table = read_table(value, place, problems)
    if table is None:
        return None
    product = _product(table, place, context)
    transports = product.transports if product else tuple(TRANSPORTS)
    platform = product.platform if product else ""
    own = by_name(context.known.cluster, context.known.options)
    known = by_name(*(keys_of(transport, platform) for transport in transports)) | own
    _explain_strays(table, known, product, place, problems)
    usable = {key: entry for key, entry in table.items() if key in known}
    values = _of_product(read_keys(usable, known, place, problems), known, product, place, problems)
    layer = layer_of(place, table, values, {*own, *TABLES})
    surroundings = Surroundings(
        cluster=name,
        place=place,
        product=product,
        known=context.known,
        values=values,
        layer=layer,
        defaults=context.defaults,
        folder=context.folder,
        problems=problems,
    )
    nodes = read_nodes(table.get("nodes"), surroundings)
    _check_reach(layer, {node.transport for node in nodes}, problems)
    backup = read_backup(table.get("backup"), nodes, product, context.known.backup, (*place, "backup"), problems)
    return Cluster(
        name=name,
        product=product.name if product else "",
        nodes=backup.nodes,
        target=read_version(values, "target", place, product, problems),
        current=read_version(values, "current", place, product, problems),
        options={**_options(context.known, values, product), **backup.options},
        rules=_rules(table.get("rules", {}), (*place, "rules"), problems),
        owner=str(values.get("owner", "")).strip(),
        contact=str(values.get("contact", "")).strip(),
        site=str(values.get("site", "")),
        skip=read_skip(table["skip"], product, context.checks(), (*place, "skip"), problems) if "skip" in table else {},
    )


def _product(table: Mapping[str, object], place: KeyPath, context: Context) -> Product | None:
    known = context.known.products
    written = table.get("product")
    if written is None:
        context.problems.add((*place, "product"), f"missing; one of {', '.join(known)}")
    if not isinstance(written, str):
        return None
    found = known.get(written.strip())
    if found is None and written.strip():
        advice = did_you_mean(written, known)
        told = shown(written) if advice else NOT_SHOWN
        context.problems.add((*place, "product"), f"{told} is none of {', '.join(known)}{advice}")
    return found


def _explain_strays(
    table: Mapping[str, object],
    known: Mapping[str, Setting],
    product: Product | None,
    place: KeyPath,
    problems: Problems,
) -> None:
    for name, value in table.items():
        if name in known or name in TABLES:
            continue
        if is_of_another_platform(name, product):
            problems.add((*place, name), NOT_ON_WINDOWS)
            continue
        others = [transport for transport, keys in TRANSPORTS.items() if name in by_name(keys)]
        if others and product:
            ways = " or ".join(product.transports)
            problems.add(
                (*place, name), f"is a key of {' and '.join(others)}; nodes of {product.name} are reached over {ways}"
            )
            continue
        advice = ""
        if isinstance(value, dict) and ("host" in value or "roles" in value):
            advice = f"; a node is written as [{format_key((*place, 'nodes', name))}]"
        elif isinstance(value, dict) and ("product" in value or "nodes" in value):
            advice = f"; a name with dots needs quotes: [{format_key(('clusters', f'{place[-1]}.{name}'))}]"
        unknown_key(name, (*place, name), {*known, *TABLES}, problems, advice=advice)


def _of_product(
    values: Mapping[str, object],
    known: Mapping[str, Setting],
    product: Product | None,
    place: KeyPath,
    problems: Problems,
) -> dict[str, object]:
    kept = {}
    for name, value in values.items():
        owners = known[name].products
        if product and owners and product.name not in owners:
            problems.add((*place, name), f"is a key of {' and '.join(owners)} only; leave it out here")
        else:
            kept[name] = value
    return kept


def _options(known: Catalogue, values: Mapping[str, object], product: Product | None) -> dict[str, str | int | bool]:
    options: dict[str, str | int | bool] = {}
    for key in known.cluster:
        value = values.get(key.name, key.default)
        if product and product.name in key.products and isinstance(value, str | int | bool):
            options[key.name] = value
    return options


def _rules(value: object, place: KeyPath, problems: Problems) -> dict[str, Mapping[str, object]]:
    """The overrides as written. Whether there are such rules is known to those who hold the rules."""
    table = read_table(value, place, problems)
    rules: dict[str, Mapping[str, object]] = {}
    for rule_id, change in (table or {}).items():
        override = read_table(change, (*place, rule_id), problems)
        if override is None:
            continue
        rules[rule_id] = read_keys(override, by_name(RULE), (*place, rule_id), problems)
        if "reason" not in override:
            problems.add((*place, rule_id, "reason"), "missing; say why the vendor's rule is overridden")
    return rules


def _check_local(clusters: tuple[Cluster, ...], problems: Problems) -> None:
    """Refuse a second cluster's node on this machine. A cluster's own nodes are compared with each other before."""
    homes = [(cluster.name, node.name) for cluster in clusters for node in cluster.nodes if node.transport == "local"]
    for cluster, name in homes:
        if cluster != homes[0][0]:
            problems.add(
                ("clusters", cluster, "nodes", name, "transport"),
                f"is the same machine as node {'.'.join(homes[0])}; only one node can be the machine that preflight "
                "runs on",
            )


def _check_reach(layer: Layer, used: set[str], problems: Problems) -> None:
    """Refuse a connection key of the cluster that no node's transport has: it would do nothing, silently."""
    if not used or "" in used:
        return
    effective = by_name(*(TRANSPORTS[transport] for transport in used))
    for name in layer.values:
        if name not in effective:
            ways = " and ".join(sorted(used))
            problems.add((*layer.place, name), f"has no effect; all nodes of this cluster are reached over {ways}")

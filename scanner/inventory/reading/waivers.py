"""[[waivers]] and [[attestations]], from tables to the model; every name in them is held to what is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from checks.check import Check, ClusterCheck
from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attestation, Waiver
from checks.engine.evaluation import applies_to
from checks.scan import CONNECTIVITY
from scanner.inventory.model import Cluster
from scanner.inventory.reading.values import (
    KeyPath,
    Problems,
    UnquotedPart,
    did_you_mean,
    format_key,
    read_keys,
    shown,
    type_of,
)
from scanner.inventory.settings.acceptance import ATTESTATION, WAIVER
from scanner.inventory.settings.setting import Setting, by_name

LISTS: dict[str, tuple[Setting, ...]] = {"waivers": WAIVER, "attestations": ATTESTATION}
"""The lists by name, each with the keys of its tables."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the tables may name."""

    nodes: Mapping[str, Sequence[str]]
    """Names of nodes by name of cluster, those included that have a problem of their own."""
    clusters: Sequence[Cluster]
    """The clusters that could be read."""
    checks: Mapping[str, Check]
    """All checks, by id."""
    complete: bool
    """False where a plugin did not load: a check that is not known may be one of its."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What people answer for."""

    waivers: tuple[Waiver, ...] = ()
    attestations: tuple[Attestation, ...] = ()


def read_accepted(
    table: Mapping[str, object],
    around: Surveyed,
    problems: Problems,
    *,
    earlier: Accepted | None = None,
    file: str = "",
) -> Accepted:
    """The waivers and attestations in `table`. What cannot be used is noted in `problems`, and left out.

    `earlier` are those that come before, `file` names the file where that is not the inventory.
    """
    before = earlier or Accepted()
    origin = f"{file}: " if file else ""
    waivers = []
    for place, written, values in _items(table, "waivers", problems):
        scope = _scope(values, written, place, around, problems)
        if not ({"cluster", "node"} & set(written)):
            problems.add((*place, "cluster"), "missing; say which cluster or which node the waiver is for")
        if scope and scope[0] and set(values) >= {"check", "reason", "owner", "expires"}:
            rest = {name: value for name, value in values.items() if name not in ("cluster", "node")}
            cluster, node = scope
            waivers.append(Waiver(**rest, cluster=cluster, node=node, place=f"{origin}{format_key(place)}"))
        if values.get("check") == CONNECTIVITY:
            problems.add(
                (*place, "check"), "a node that could not be asked is an error, and no error can be waived; take it out"
            )
    attestations = []
    for place, written, values in _items(table, "attestations", problems):
        scope = _scope(values, written, place, around, problems)
        if _dated(values) and values["expires"] < values["date"]:
            problems.add((*place, "expires"), f"{values['expires']} is before the attestation's date, {values['date']}")
        if scope and set(values) >= {"statement", "by", "date", "expires"}:
            rest = {name: value for name, value in values.items() if name not in ("cluster", "node")}
            cluster, node = scope
            attestations.append(Attestation(**rest, cluster=cluster, node=node, place=f"{origin}{format_key(place)}"))
    _refuse_twins([(item.place, _waived(item)) for item in (*before.waivers, *waivers)], origin, problems)
    _refuse_twins([(item.place, _attested(item)) for item in (*before.attestations, *attestations)], origin, problems)
    return Accepted((*before.waivers, *waivers), (*before.attestations, *attestations))


def _items(
    table: Mapping[str, object], name: str, problems: Problems
) -> Iterator[tuple[KeyPath, Mapping[str, object], dict[str, Any]]]:
    """Each table of the list with its place, as written and as read."""
    value = table.get(name, [])
    if not isinstance(value, list):
        advice = "; two brackets each, as there may be many" if isinstance(value, dict) else ""
        problems.add((name,), f"expected tables, [[{name}]], found {type_of(value)}{advice}")
        return
    keys = by_name(LISTS[name])
    for number, written in enumerate(value, 1):
        place: KeyPath = (UnquotedPart(f"{name}[{number}]"),)
        if not isinstance(written, dict):
            problems.add(place, f"expected a table, [[{name}]], found {type_of(written)}")
            continue
        for key in keys.values():
            if key.required and key.name not in written:
                problems.add((*place, key.name), f"missing; {key.doc[0].lower()}{key.doc[1:].rstrip('.')}")
        yield place, written, read_keys(written, keys, place, problems)


def _scope(
    values: Mapping[str, Any], written: Mapping[str, object], place: KeyPath, around: Surveyed, problems: Problems
) -> tuple[str, str | None] | None:
    """The cluster ("" for none) and the node that are meant; None where that cannot be told."""
    known = len(problems.found)
    check = values.get("check", "")
    if check and check not in around.checks and around.complete:
        advice = did_you_mean(check, around.checks) or "; `preflight checks` lists those there are"
        problems.add((*place, "check"), f"there is no check {shown(check)}{advice}")
    cluster: str = values.get("cluster", "")
    if cluster and cluster not in around.nodes:
        advice = did_you_mean(cluster, around.nodes) or f"; there are: {', '.join(around.nodes)}"
        problems.add((*place, "cluster"), f"there is no cluster {shown(cluster)}{advice}")
    elif "node" in values:
        found = _node(values["node"], cluster, place, around, problems)
        if found:
            cluster, node = found
            _check_concern(check, cluster, node, place, around, problems)
            return found if len(problems.found) == known else None
    elif cluster and check:
        _check_concern(check, cluster, None, place, around, problems)
    refused = {"check", "cluster", "node"} & (set(written) - set(values))
    return None if refused or len(problems.found) > known else (cluster, None)


def _node(text: str, cluster: str, place: KeyPath, around: Surveyed, problems: Problems) -> tuple[str, str] | None:
    """The one node that `text`, NAME or CLUSTER.NAME, means."""
    pairs = [(owner, name) for owner, names in around.nodes.items() for name in names if cluster in ("", owner)]
    # A whole name comes first: names may hold dots.
    found = [pair for pair in pairs if pair[1] == text] or [pair for pair in pairs if f"{pair[0]}.{pair[1]}" == text]
    here = (*place, "node")
    if len(found) > 1:
        several = ", ".join(f"{owner}.{name}" for owner, name in found)
        problems.add(here, f"{shown(text)} is several nodes: {several}; write one of them, or set cluster")
    elif not found:
        names = [f"{owner}.{name}" if "." in text else name for owner, name in pairs]
        advice = did_you_mean(text, names) or (f"; there are: {', '.join(names[:30])}" if names else "")
        problems.add(here, f"there is no node {shown(text)}{f' in {cluster}' if cluster else ''}{advice}")
    return found[0] if len(found) == 1 else None


def _check_concern(
    check_id: str, cluster_name: str, node_name: str | None, place: KeyPath, around: Surveyed, problems: Problems
) -> None:
    """Refuse what can never meet a result: it would look like cover, and be none."""
    check = around.checks.get(check_id)
    cluster = next((cluster for cluster in around.clusters if cluster.name == cluster_name), None)
    if check is None or cluster is None or not cluster.product:
        return
    if check.clusters and cluster_name not in check.clusters:
        here = f"{check_id} is for {' and '.join(check.clusters)}, and not for {cluster_name}"
        problems.add((*place, "check"), here)
        return
    if check.products and cluster.product not in check.products:
        said = f"{check_id} is for {' and '.join(check.products)}, and {cluster_name} is a cluster of {cluster.product}"
        problems.add((*place, "check"), said)
    elif node_name is not None and isinstance(check, ClusterCheck):
        problems.add((*place, "node"), f"{check_id} judges the cluster as a whole; leave the node out")
    elif node_name is not None:
        roles = next((node.roles for node in cluster.nodes if node.name == node_name), ())
        if roles and not applies_to(check, cluster.product, roles, cluster.name):
            said = (
                f"{check_id} is for nodes with the role {' or '.join(check.roles)}; {node_name} has {', '.join(roles)}"
            )
            problems.add((*place, "node"), said)


def _dated(values: Mapping[str, Any]) -> bool:
    return all(isinstance(values.get(name), dt.date) for name in ("date", "expires"))


def _waived(item: Waiver) -> Hashable:
    return item.check, item.cluster, item.node, tuple(item.value.split())


def _attested(item: Attestation) -> Hashable:
    return item.check, item.cluster, item.node, tuple(item.statement.split())


def _refuse_twins(items: Sequence[tuple[str, Hashable]], origin: str, problems: Problems) -> None:
    first: dict[Hashable, str] = {}
    for place, meaning in items:
        twin = first.setdefault(meaning, place)
        if twin != place:
            problems.add((UnquotedPart(place.removeprefix(origin)),), f"says the same as {twin}; keep one")

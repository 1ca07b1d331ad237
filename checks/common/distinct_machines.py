"""Every node of a cluster is a machine of its own.

## What it checks
What each machine calls itself (its computer name and domain), against the other nodes of the same cluster: two nodes
that are one machine fail, whatever names or addresses they were reached by. A node that does not tell its name, or
tells one that another node has and not its domain, may be that machine: then this cannot be told. So it is where
neither has a domain, for nothing keeps the names of such machines apart.

## Why it matters
A machine that answers under two names is judged twice, and the node that should have been asked is not judged at all:
its old files, its other key, its missing update stay unseen behind a GO.

## How to fix it
Correct `host` of the nodes that are named: an address or an alias leads to another machine than was meant (a load
balancer's name, an old DNS entry, a jump host).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from checks.check import PHASES, ClusterCheck, ClusterView
from checks.common.computer_facts import ComputerName
from checks.common.sql_port_alone import is_sql_port_alone
from checks.engine.wording import count, enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined

EXPECTED = "a computer name of its own on every node"


def judge(view: ClusterView) -> Outcome:
    """Compare the names as far as they are known."""
    known = [(node.name, told) for node, told in view.with_fact(ComputerName)]
    homes: dict[tuple[str, str], list[str]] = {}
    for name, told in known:
        homes.setdefault((told.name.lower(), told.domain.lower()), []).append(name)
    observed = ", ".join(f"{name} {told.name}" for name, told in known)
    evidence: dict[str, Any] = {"computers": {name: {"name": told.name, "domain": told.domain} for name, told in known}}
    # A domain has each name once. Without one nothing sees to that: setup and cloned images have given two the same.
    shared = [(home[0].upper(), names) for home, names in homes.items() if home[1] and len(names) > 1]
    twice = [f"{enumerate_names(names)} are one machine, {home}" for home, names in shared]
    if twice:
        message = f"{'; '.join(twice)}: the inventory names it more than once, and another one not at all"
        return failed(message, expected=EXPECTED, observed=observed, **evidence)
    if len(view.nodes) == 1:
        return not_applicable("one node: nothing to compare", observed=observed)
    unknown = [
        (node.name, untold)
        for node in view.nodes
        if isinstance(untold := node.get(ComputerName), Unknown) and not node.absence and not is_sql_port_alone(node)
    ]
    if not known and all(untold.unasked for _, untold in unknown):
        return not_applicable("no node was asked for its computer name", observed=observed)
    reasons = [*group_by_reason((name, untold.reason) for name, untold in unknown), *_alike(known)]
    if reasons:
        message = f"whether all nodes are machines of their own cannot be told: {'; '.join(reasons)}"
        return undetermined(message, expected=EXPECTED, observed=observed, **evidence)
    message = f"{count(len(known), 'node is', 'nodes are')} {count(len(known), 'machine')}"
    return passed(message, expected=EXPECTED, observed=observed, **evidence)


def _alike(known: Sequence[tuple[str, ComputerName]]) -> list[str]:
    """Nodes of one name of which only some tell their domain: it may be the same, and so may the machine."""
    nodes: dict[str, list[tuple[str, ComputerName]]] = {}
    for name, told in known:
        nodes.setdefault(told.name.lower(), []).append((name, told))
    return [
        f"{enumerate_names([name for name, _ in same])} are {_many(same)} called {home.upper()}, and the domain of "
        f"{enumerate_names([name for name, told in same if not told.domain])} is not known"
        for home, same in nodes.items()
        if len(same) > 1 and not all(told.domain for _, told in same)
    ]


def _many(nodes: Sequence[object]) -> str:
    return "both" if len(nodes) == 2 else "all"


def of(product: str) -> ClusterCheck:
    """The check as a product has it."""
    return replace(_CHECK, products=(product,))


_CHECK = ClusterCheck(
    id="distinct-machines",
    title="Every node is a machine of its own",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation("Correct `host` of the nodes that are named: two of them lead to the same machine."),
    optional_facts=(ComputerName,),
    phases=dict.fromkeys(PHASES, "every node is a machine of its own"),
    references=("https://learn.microsoft.com/en-us/windows/win32/sysinfo/computer-names",),
    judge=judge,
)

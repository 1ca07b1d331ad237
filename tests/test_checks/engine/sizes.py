"""Nodes with a size, and checks of it, as the tests of the engine take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from checks.check import Check, ClusterCheck, ClusterInfo, ClusterView, NodeCheck, NodeView
from checks.engine.evaluation import GatheredCluster, Guard, evaluate, unguarded
from checks.facts import Contact, Unknown
from checks.outcome import Outcome, Remediation, Result, Severity
from checks.registry import PRODUCTS


@dataclass(frozen=True, slots=True)
class Size:
    free_gib: int


@dataclass(frozen=True, slots=True)
class Spare:
    free_gib: int


INFO = ClusterInfo("vault", "secret-server", definition=PRODUCTS[0])
OPEN_ENDED = replace(INFO, open_ended=True)
COMMON = {"title": "T", "severity": Severity.LOW, "doc": "d", "remediation": Remediation("Do it.")}
DOWN = "node unreachable: connection refused"
SILENT = Unknown(DOWN, unanswered=True)


def node_check(judge: Callable[[NodeView], Outcome], **changes: object) -> NodeCheck:
    fields = {"id": "size", "facts": (Size,), "judge": judge, **COMMON, **changes}
    return NodeCheck(**fields)  # type: ignore[arg-type]


def cluster_check(judge: Callable[[ClusterView], Outcome], **changes: object) -> ClusterCheck:
    fields = {"id": "match", "facts": (Size,), "judge": judge, **COMMON, **changes}
    return ClusterCheck(**fields)  # type: ignore[arg-type]


def view(name: str, size: object = Size(5), absence: str = "", roles: tuple[str, ...] = ("web",)) -> NodeView:
    return NodeView(cluster=INFO, name=name, host=name, roles=frozenset(roles), facts={Size: size}, absence=absence)


def down(name: str) -> NodeView:
    """One that was asked and did not answer."""
    contact = Contact(host=name, transport="winrm", failure="connection refused", asked=1, answered=0)
    return replace(view(name, SILENT, DOWN), facts={Size: SILENT, Contact: contact})


def judged(
    checks: Sequence[Check],
    *views: NodeView,
    info: ClusterInfo = INFO,
    guard: Callable[[], Guard] = unguarded,
) -> list[Result]:
    nodes = tuple(replace(one, cluster=info) for one in views)
    return list(evaluate(checks, [GatheredCluster(info, nodes, frozenset(node.name for node in nodes))], guard))

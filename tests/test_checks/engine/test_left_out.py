"""A check that the inventory leaves out of a cluster is not judged there, and says so; nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from checks.baseline.comparison import Scope, compare
from checks.baseline.drift import Difference
from checks.baseline.drift_rules import parse_drift_rules
from checks.baseline.snapshot import LEFT_OUT, FactKey, Snapshot, take_snapshot
from checks.check import ClusterCheck, ClusterInfo, ClusterView, NodeCheck, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Unknown
from checks.history.scan_comparison import PastRun, compare_with_history, entries_of
from checks.outcome import Outcome, Remediation, Result, Severity, Status, failed, passed
from checks.registry import PRODUCTS
from checks.scan import Verdict, coverage_of, verdict_of

WHY = "the hosters patch, ticket 4711"


@dataclass(frozen=True, slots=True)
class Patch:
    """A fact of the checks below."""

    level: int


RULES = parse_drift_rules('[patch]\n"level" = { compare = "exact", reason = "somebody patched" }\n')


def _never(_: NodeView | ClusterView) -> Outcome:
    raise AssertionError("a check that is left out must not be asked")


def _node(view: NodeView) -> Outcome:
    return passed("new enough") if view.require(Patch).level > 5 else failed("too old")


def _cluster(view: ClusterView) -> Outcome:
    levels = {patch.level for _, patch in view.with_fact(Patch)}
    return passed("the same") if len(levels) == 1 else failed("not the same")


def node_check(check_id: str = "patch-level") -> NodeCheck:
    return NodeCheck(
        id=check_id,
        title=check_id,
        severity=Severity.HIGH,
        doc="",
        remediation=Remediation("Patch it."),
        facts=(Patch,),
        judge=_node,
    )


def cluster_check(check_id: str = "patch-match") -> ClusterCheck:
    return ClusterCheck(
        id=check_id,
        title=check_id,
        severity=Severity.HIGH,
        doc="",
        remediation=Remediation("Patch them."),
        facts=(Patch,),
        judge=_cluster,
    )


CHECKS = (node_check(), cluster_check())


def cluster(skip: dict[str, str], *levels: int | Unknown) -> GatheredCluster:
    info = ClusterInfo("prod", "chef-backend", skip=skip, definition=PRODUCTS[1])
    facts: list[dict[type, object]] = [
        {Patch: level if isinstance(level, Unknown) else Patch(level)} for level in levels
    ]
    nodes = tuple(
        NodeView(cluster=info, name=f"n{at}", host=f"n{at}", roles=frozenset({"backend"}), facts=fact)
        for at, fact in enumerate(facts)
    )
    return GatheredCluster(info, nodes, frozenset(node.name for node in nodes))


def judged(skip: dict[str, str], *levels: int | Unknown) -> tuple[Result, ...]:
    return evaluate(CHECKS, [cluster(skip, *levels)])


def test_it_is_a_skip_with_the_reason_where_its_result_would_stand() -> None:
    rows = judged({"patch-level": WHY}, 3, 9)
    assert [(row.check, row.node, row.status, row.message, row.left_out) for row in rows] == [
        ("patch-level", "n0", Status.SKIP, f"left out: {WHY}", WHY),
        ("patch-level", "n1", Status.SKIP, f"left out: {WHY}", WHY),
        ("patch-match", None, Status.FAIL, "not the same", ""),
    ]
    (row,) = [row for row in judged({"patch-match": WHY}, 3, 9) if row.node is None]
    assert (row.status, row.left_out) == (Status.SKIP, WHY)


def test_the_check_itself_is_not_asked() -> None:
    forbidden = NodeCheck(
        id="patch-level",
        title="",
        severity=Severity.LOW,
        doc="",
        remediation=Remediation(""),
        judge=_never,
    )
    (row,) = evaluate([forbidden], [cluster({"patch-level": WHY}, 9)])
    assert row.status is Status.SKIP


def test_it_holds_for_its_own_cluster_alone() -> None:
    rows = evaluate(CHECKS, [cluster({"patch-level": WHY}, 3), cluster({}, 3)])
    assert [row.status for row in rows if row.check == "patch-level"] == [Status.SKIP, Status.FAIL]


def test_what_nobody_is_there_to_answer_can_be_left_out_too() -> None:
    info = ClusterInfo("prod", "secret-server", skip={"patch-level": WHY}, definition=PRODUCTS[0])
    check = NodeCheck(
        id="patch-level",
        title="",
        severity=Severity.LOW,
        doc="",
        remediation=Remediation(""),
        roles=("database",),
        judge=_node,
    )
    web = NodeView(cluster=info, name="web1", host="web1", roles=frozenset({"web"}))
    (row,) = evaluate([check], [GatheredCluster(info, (web,), frozenset({"web1"}))])
    assert (row.node, row.status, row.left_out) == (None, Status.SKIP, WHY)
    bare = GatheredCluster(ClusterInfo("prod", "secret-server", definition=PRODUCTS[0]), (web,), frozenset({"web1"}))
    assert [row.status for row in evaluate([check], [bare])] == [Status.ERROR]


def test_it_is_counted_apart_and_makes_no_go_by_itself() -> None:
    rows = judged({"patch-level": WHY, "patch-match": WHY}, 9, 9)
    found = coverage_of(rows)
    assert (found.planned, found.evaluated, found.not_applicable, found.left_out) == (3, 0, 0, 3)
    assert verdict_of(rows) is Verdict.UNKNOWN
    assert verdict_of(judged({"patch-level": WHY}, 3, 3)) is Verdict.GO
    assert verdict_of(judged({"patch-match": WHY}, 3, 3)) is Verdict.NO_GO


def snapshot(skip: dict[str, str], *levels: int | Unknown, checks: tuple[NodeCheck | ClusterCheck, ...]) -> Snapshot:
    gathered = cluster(skip, *levels)
    chosen = [("prod", node.name) for node in gathered.nodes]
    return take_snapshot([gathered], chosen, checks, evaluate(checks, [gathered]), RULES)


def scope(then: Snapshot, left_out: frozenset[str] = frozenset()) -> Scope:
    nodes = frozenset(then.nodes)
    return Scope(nodes=nodes, inventory=nodes, left_out={"prod": left_out})


KINDS = frozenset({"patch"})


def test_drift_is_silent_on_what_is_left_out_since_the_baseline() -> None:
    checks = (node_check(),)
    then = snapshot({}, 9, checks=checks)
    now = snapshot({"patch-level": WHY}, 3, checks=checks)
    found = compare(then, now, RULES, scope(then, KINDS))
    assert (found.facts, found.gaps) == ((), ())
    (row,) = found.checks
    assert (row.difference, row.new, row.message) == (Difference.SAME, LEFT_OUT, f"left out: {WHY}")


def test_what_could_not_be_read_then_and_is_left_out_now_is_no_gap() -> None:
    checks = (node_check(),)
    then = snapshot({}, Unknown("denied"), checks=checks)
    assert FactKey("prod", "n0", "patch") in then.unread
    now = snapshot({"patch-level": WHY}, Unknown("denied"), checks=checks)
    found = compare(then, now, RULES, scope(then, KINDS))
    assert (found.facts, found.gaps) == ((), ())
    assert [row.difference for row in found.checks] == [Difference.SAME]


def test_a_fact_that_another_check_reads_is_compared_all_the_same() -> None:
    then = snapshot({}, 9, 9, checks=CHECKS)
    now = snapshot({"patch-level": WHY}, 9, 3, checks=CHECKS)
    changed = [row.place.node for row in compare(then, now, RULES, scope(then, KINDS)).facts if row.old != row.new]
    assert changed == ["n1"]


@pytest.mark.parametrize(("level", "difference"), [(9, Difference.BETTER), (3, Difference.NOT_COMPARED)])
def test_what_was_left_out_when_approved_is_compared_once_it_is_approved(level: int, difference: Difference) -> None:
    checks = (node_check(),)
    then = snapshot({"patch-level": WHY}, 9, checks=checks)
    found = compare(then, snapshot({}, level, checks=checks), RULES, scope(then))
    (row,) = found.checks
    assert (row.old, row.difference) == (LEFT_OUT, difference)
    assert [fact.difference for fact in found.facts] == [Difference.NOT_COMPARED]


def run(day: int, rows: tuple[Result, ...]) -> PastRun:
    return PastRun(
        started=datetime(2026, 11, day, tzinfo=UTC),
        verdict="NO-GO",
        scope="",
        narrowed=False,
        partial=False,
        entries=entries_of(rows),
    )


def test_a_finding_that_is_left_out_is_not_resolved_but_not_looked_at_any_more() -> None:
    before, now = run(1, judged({}, 3)), run(2, judged({"patch-level": WHY}, 3))
    told = compare_with_history(now, [before])
    assert [(item.subject.check, item.now) for item in told.gone] == [("patch-level", None)]
    assert told.resolved == ()
    again = compare_with_history(run(3, judged({}, 3)), [now, before])
    (standing,) = again.standings
    assert (standing.subject.check, standing.new) == ("patch-level", False)

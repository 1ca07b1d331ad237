"""From what the nodes said to a snapshot of it, and from two snapshots to what changed. Nothing is contacted."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from checks.baseline.approval import EVERYTHING, Baseline, Part
from checks.baseline.comparison import Compared, Scope, compare
from checks.baseline.drift import Approval, Difference, Drift, differing
from checks.baseline.drift_rules import DriftRules
from checks.baseline.fact_paths import kind_name, kind_of, pattern_of, wholes
from checks.baseline.snapshot import SEPARATOR, Snapshot, check_states, take_snapshot
from checks.check import Check
from checks.engine.evaluation import GatheredCluster
from scanner import __version__
from scanner.clock import utc_now
from scanner.errors import UsageError
from scanner.files.packed.facts import ShelvedFacts
from scanner.files.packed.rows import ShelvedRows
from scanner.inventory.loaded import Loaded
from scanner.inventory.model import Inventory, NodeKey
from scanner.inventory.select import Selection
from scanner.loading.registry import known_drift_rules, load_registry
from scanner.run.job import ScanRequest
from scanner.run.judge import Judging
from scanner.secrets.last_door import without_secrets
from scanner.transports.answers import Circumstances, NodeResponse


def rules_of(inventory: Inventory) -> DriftRules:
    """How values are compared: as shipped, with the inventory's own decisions over it."""
    return known_drift_rules(inventory.own).with_overrides(inventory.drift_rules)


class Measuring:
    """All that is learnt, as named values, a cluster at a time; with how the checks end."""

    def __init__(self, job: ScanRequest, rules: DriftRules) -> None:
        self._job = job
        self._rules = rules
        self._judging = Judging(job, self._see)
        self._seen: dict[str, Snapshot] = {}
        """Each cluster's, but for its facts, which are packed."""
        self._facts = ShelvedFacts()

    def _see(self, cluster: GatheredCluster) -> None:
        part = without_secrets(take_snapshot((cluster,), self._job.chosen, self._job.checks, (), self._rules))
        self._facts.put(cluster.info.name, part.facts)
        self._seen[cluster.info.name] = replace(part, facts={})

    def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """See what the nodes of a cluster said."""
        self._judging.take(cluster, said)

    def end(self, asking: Circumstances) -> None:
        """All of them are seen."""
        self._judging.end(asking)

    def snapshot(self, today: date) -> Snapshot:
        """All of it, in inventory order, with how the checks end `today`."""
        seen = [self._seen[cluster.name] for cluster, _ in self._job.clusters]
        return Snapshot(
            {key: kinds for part in seen for key, kinds in part.nodes.items()},
            self._facts,
            {gap: reason for part in seen for gap, reason in part.unread.items()},
            dict(check_states(self._judging.scan(today).results)),
        )


def scope_of(selection: Selection, job: ScanRequest, *, some_checks: bool) -> Scope:
    """What of a baseline a run with this selection can be held against."""
    touched = selection.inventory.clusters
    whole = frozenset(
        cluster.name for cluster in touched if all((cluster.name, node.name) in job.chosen for node in cluster.nodes)
    )
    return Scope(
        nodes=job.chosen,
        inventory=frozenset((cluster.name, node.name) for cluster in touched for node in cluster.nodes),
        clusters=whole if selection.narrowed else None,
        narrowed=some_checks,
        left_out={cluster.name: _kinds_left_out(job.checks, cluster.skip) for cluster in touched},
    )


def _kinds_left_out(checks: Iterable[Check], skip: Collection[str]) -> frozenset[str]:
    """The kinds of facts that the left-out checks would read."""
    out = (check for check in checks if check.id in skip)
    return frozenset(kind_name(kind) for check in out for kind in check.facts + check.optional_facts)


def drift_since(
    baseline: Baseline,
    path: Path,
    job: ScanRequest,
    now: Snapshot,
    asking: Circumstances,
    rules: DriftRules,
    scope: Scope,
) -> Drift:
    """What changed since `baseline`, the content of the file at `path`, up to `now`."""
    found = compare(baseline.snapshot, now, rules, scope, lambda parts: ShelvedRows(map(without_secrets, parts)))
    done = Drift(
        tool_version=__version__,
        started=asking.started,
        finished=asking.finished,
        inventory=job.inventory_name,
        baseline=str(path),
        approvals=baseline.approvals,
        facts=found.facts,
        checks=found.checks,
        nodes=found.nodes,
        gaps=found.gaps,
        partial=not asking.complete,
        notices=(*job.notices, *asking.notices, *_override_notices(rules), *_version_notices(baseline, found)),
    )
    return without_secrets(done)


def _override_notices(rules: DriftRules) -> Iterable[str]:
    for pattern, rule in rules.overrides:
        how = f"{rule.compare} within {rule.tolerance}" if rule.tolerance else str(rule.compare)
        yield f"{pattern} is compared as the inventory says ({how}): {rule.reason}"


def _version_notices(baseline: Baseline, found: Compared) -> Iterable[str]:
    """What another version of preflight asks for is no change of a node, and is told as what it is."""
    others = sorted({row.tool for row in baseline.approvals} - {__version__})
    gaps = {gap.place for gap in found.gaps}
    unexplained = any(
        row.difference is Difference.NOT_COMPARED
        and gaps.isdisjoint(row.place._replace(path=part) for part in wholes(row.place.path))
        for row in differing(found.facts)
    )
    if others and unexplained:
        yield (
            f"the baseline was approved with preflight {', '.join(others)}, and this is {__version__}: what only one "
            "of them asks for is not compared until it is approved anew"
        )


def approval(by: str, reason: str, scope: str = EVERYTHING) -> Approval:
    """An approval of now."""
    return Approval(at=utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"), by=by, reason=reason, scope=scope, tool=__version__)


def split_nodes(names: Sequence[str], inventory: Inventory, baseline: Baseline) -> tuple[list[str], set[NodeKey]]:
    """`--node` values as those that the inventory has, and nodes that only the baseline has any more."""
    here = {(cluster.name, node.name) for cluster in inventory.clusters for node in cluster.nodes}
    left: list[str] = []
    gone: set[NodeKey] = set()
    for name in names:
        found = {
            (cluster, node)
            for cluster, node in baseline.snapshot.nodes.keys() - here
            if name in (node, f"{cluster}.{node}", f"{cluster}/{node}")
        }
        known = any(name in (node, f"{cluster}.{node}", f"{cluster}/{node}") for cluster, node in here)
        gone |= set() if known else found
        left += [name] if known or not found else []
    return left, gone


def part_of(
    names: Sequence[str],
    nodes: Collection[NodeKey],
    clusters: Collection[str],
    rules: DriftRules,
    then: Snapshot,
    own: Loaded | None = None,
) -> Part:
    """What `--update` names, on `nodes`: also what only `then`, the baseline, knows any more, to be taken out.

    Raises UsageError for a name that is neither a check nor a fact.
    """
    if not names:
        return Part(frozenset(nodes))
    checks, probes, _ = load_registry(own)
    by_id = {check.id: check for check in checks}
    left_facts = {part for place in then.facts for part in (kind_of(place.path), pattern_of(place.path))}
    left_checks = {subject.check for subject in then.checks} - by_id.keys()
    given = {kind for probe in probes for kind in probe.facts}
    facts: list[str] = []
    for name in names:
        check = by_id.get(name)
        if check:
            facts += [kind_name(kind) for kind in check.facts + check.optional_facts if kind in given]
        if not check and name in (*rules.kinds, *rules.fields) and rules.ignores(name):
            raise UsageError(f"--update {name}: this is never compared, so there is nothing to approve")
        if rules.knows(name) or name in left_facts:
            facts.append(name)
        elif not check and name not in left_checks:
            raise UsageError(
                f"--update {name}: neither a check nor a fact{_meant(name, [*by_id, *rules.kinds, *rules.fields])}"
            )
    return Part(
        frozenset(nodes),
        tuple(dict.fromkeys(facts)),
        frozenset(name for name in names if name in by_id or name in left_checks),
        frozenset(clusters),
    )


def _meant(name: str, known: Iterable[str]) -> str:
    if SEPARATOR in name:
        return "; name the fact alone, and the node with --node"
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else "; `preflight drift -v` names the facts"

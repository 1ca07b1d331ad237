"""Following a kept plan: the nodes are asked what shows the steps, and nothing that a scan would not ask."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.engine.left_out import judged_in
from checks.outcome import Result, Status
from checks.runbook.following import Followed, kind_of, left_behind, over, see, told
from checks.runbook.signs import SCAN, Seen, Sign, cannot_tell, done, list_of, not_done
from checks.scan import CONNECTIVITY, Verdict
from scanner.errors import UsageError
from scanner.files.plan import KeptPlan
from scanner.inventory.loaded import Loaded
from scanner.inventory.select import Selection, select
from scanner.loading.registry import load_registry
from scanner.probes.registry import select_probes
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan, gathered_clusters
from scanner.run.prepare import build_request
from scanner.transports.answers import Responses

ALL, NEXT = "all", "next"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class StepState:
    """One step, and what was seen of it."""

    step: Followed
    seen: Seen
    ended_by: str = ""
    """Number of the later step that ended it by design, where it is not done any more for that reason."""


def chosen(plan: KeptPlan, word: str, clusters: Sequence[str]) -> tuple[Followed, ...]:
    """The steps that `--check WORD` means, of `clusters` where any are named. Raises UsageError with what there is."""
    steps = [step for step in plan.steps if not clusters or step.cluster in clusters]
    if not steps:
        which = f" of {' and '.join(clusters)}" if clusters else ""
        raise UsageError(f"--check {word}: {plan.source} has no plan{which} that could be followed")
    if word in (ALL, NEXT):
        return tuple(step for step in steps if not step.is_back)
    found = [step for step in steps if word in (step.id, step.number)] or [step for step in steps if step.kind == word]
    if len(found) == 1:
        return tuple(found)
    if found:
        listed = ", ".join(step.id for step in found)
        raise UsageError(f"--check {word}: several steps are called so: {listed}; choose one")
    names = [word for step in steps for word in (step.id, step.number, step.kind)]
    close = difflib.get_close_matches(word, names, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    rows = [f"{step.id}  {step.title}" for step in steps]
    more = [f"and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    raise UsageError("\n".join([f"--check {word}: the plan has no such step{hint}", *rows[:_SHOWN], *more]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """Steps of one cluster, and what has to be asked for them."""

    cluster: str
    steps: tuple[Followed, ...]
    selection: Selection
    job: ScanRequest
    """One round trip per node for all of them; no node is chosen where no step has a sign."""
    scans: Mapping[str, ScanRequest]
    """Words of a SCAN to the scan that it means."""


def prepare_following(
    selection: Selection,
    cluster: str,
    steps: Sequence[Followed],
    *,
    parallel: int | None = None,
    timeout_s: float | None = None,
    strict: bool | None = None,
    engine: str | None = None,
    scheduler: str | None = None,
) -> Following:
    """What the nodes are asked for `steps`: a part of what a scan of this very inventory asks. Raises UsageError."""
    if not any(each.name == cluster for each in selection.inventory.clusters):
        raise UsageError(f"the plan is about {cluster}, which {selection.inventory.path} does not name")
    signs = [sign for step in steps for sign in step.signs]

    def prepared(sign: Sign | None) -> ScanRequest:
        want = sign.want if sign else {}
        target = str(want.get("target", ""))
        return build_request(
            select(selection.inventory, [cluster], (), {cluster: target} if target else {}),
            only=[str(one) for one in list_of(want.get("checks"))],
            without=[str(one) for one in list_of(want.get("without"))],
            parallel=parallel,
            timeout_s=timeout_s,
            strict=strict,
            engine=engine,
            scheduler=scheduler,
            phase=str(want.get("phase", "before")),
        )

    scans = {told(sign): prepared(sign) for sign in signs if sign.kind == SCAN}
    whole = prepared(None)
    wanted = {check.id for job in scans.values() for check in job.checks} | {CONNECTIVITY}
    named = {(cluster, node) for sign in signs for node in sign.nodes}
    chosen = whole.chosen if scans else whole.chosen & named
    also = _also(whole, [sign for sign in signs if sign.kind != SCAN], selection.inventory.own)
    job = replace(
        whole, checks=tuple(each for each in whole.checks if each.id in wanted), chosen=chosen, also=also, whole=False
    )
    # The same answers are judged for each scan: what else was asked changes nothing of what it says.
    return Following(
        cluster=cluster,
        steps=tuple(steps),
        selection=replace(select(selection.inventory, [cluster]), chosen=chosen),
        job=job,
        scans={words: replace(scan, also=also, whole=False) for words, scan in scans.items()},
    )


def _also(job: ScanRequest, signs: Iterable[Sign], own: Loaded) -> dict[str, tuple[type, ...]]:
    """Role to the facts that signs go by; those alone that a scan asks every node of the role for."""
    every = load_registry(own)[0]
    wanted: dict[str, set[type]] = {}
    for sign in signs:
        for name in sign.nodes:
            wanted.setdefault(name, set()).update(kind_of(sign).facts)
    found: dict[str, set[type]] = {}
    for cluster, info in job.clusters:
        would = {
            node.name: {
                kind for probe in select_probes(node, judged_in(every, info.skip), job.probes) for kind in probe.facts
            }
            for node in cluster.nodes
        }
        for node in cluster.nodes:
            for role in node.roles:
                kinds = wanted.get(node.name, set()) & would[node.name]
                alike = [other.name for other in cluster.nodes if role in other.roles]
                found.setdefault(role, set()).update(
                    kind for kind in kinds if all(kind in would[name] for name in alike)
                )
    return {role: tuple(sorted(kinds, key=lambda kind: kind.__name__)) for role, kinds in found.items()}


def standings(following: Following, collected: Responses, today: date) -> list[StepState]:
    """What was seen of each step, in the plan's order."""
    views: dict[str, NodeView] = {
        view.name: view for cluster in gathered_clusters(following.job, collected) for view in cluster.nodes
    }
    judged: dict[str, Seen] = {}

    def scanned(sign: Sign) -> Seen:
        words = told(sign)
        if words not in judged:
            judged[words] = _scan(following.scans[words], collected, today)
        return judged[words]

    seen = {step.id: see(step, views, scanned) for step in following.steps}
    left = {step.id: left_behind(step, views) for step in following.steps}
    ended = over(following.steps, {name: one.state for name, one in seen.items()}, left)
    return [StepState(step, seen[step.id], ended.get(step.id, "")) for step in following.steps]


def _scan(job: ScanRequest, collected: Responses, today: date) -> Seen:
    scan = build_scan(job, collected, today)
    words = _told_results(scan.results)
    if scan.verdict is Verdict.GO:
        return done("the scan says GO")
    if scan.verdict is Verdict.NO_GO:
        return not_done(f"the scan says NO-GO: {words}")
    return cannot_tell(f"the scan says UNKNOWN: {words or 'not enough was evaluated'}")


def _told_results(rows: Sequence[Result]) -> str:
    """What keeps a scan from a GO, the gravest kind alone."""
    for status in (Status.FAIL, Status.ERROR, Status.WARN, Status.SKIP):
        concerned = [row for row in rows if row.status is status]
        found = [f"{row.check}{f' on {row.node}' if row.node else ''}: {row.message}" for row in concerned]
        if found:
            more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
            return "; ".join(found[:3]) + more
    return ""

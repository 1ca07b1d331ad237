"""A whole scan in one line each: its verdict, what stands in the way, what it is about, what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.outcome import Result, Status
from checks.scan import ClusterVerdict, FailOn, Scan, Verdict, blocks
from reports.findings.grouping import Digest, Group, label
from reports.text import count, one_line

_IDS = 5
"""Checks that a headline names before it only counts."""


def verdict_line(scan: Scan) -> str:
    """The verdict and its counts, for the last line of a screen."""
    counts = (
        (sum(blocks(row, strict=scan.strict) for row in scan.results), "blocking"),
        (sum(row.status is Status.ERROR for row in scan.results), "undetermined"),
        (0 if scan.strict else sum(row.status is Status.WARN for row in scan.results), "warning"),
        (sum(row.status is Status.PASS for row in scan.results), "passed"),
    )
    told = ", ".join(f"{number} {word}" for number, word in counts if number)
    return f"{scan.verdict}{f': {told}' if told else ''}{', interrupted' if scan.partial else ''}"


def headline(scan: Scan, parts: Digest) -> str:
    """The verdict in one sentence, without the verdict's name; `parts` is the scan's digest."""
    said = []
    if parts.blockers:
        hit = [row for group in parts.blockers for row in group.results]
        said.append(f"{count(len(parts.blockers), 'blocker')} on {_subjects(hit)}")
    if parts.undetermined:
        rows = [row for group in parts.undetermined for row in group.results]
        more = sum(row.status is Status.ERROR for found in parts.folded.under.values() for row in found)
        follow = f", and {more} of whole clusters for that reason" if more else ""
        said.append(f"{count(len(rows), 'result')} could not be determined on {_subjects(rows)}{follow}")
    if parts.warnings:
        said.append(count(sum(len(group.results) for group in parts.warnings), "warning"))
    if scan.verdict is Verdict.UNKNOWN and not parts.undetermined:
        idle = "all that was evaluated is waived" if parts.waived else "nothing that matters was evaluated"
        said.append("no answer to rely on" if scan.partial else idle)
    if scan.partial:
        said.append("the run was interrupted and this is only what was finished")
    if not said:
        said.append("nothing stands in the way" + ("; read the notices" if scan.notices else ""))
    if parts.waived and scan.verdict is Verdict.GO:
        said.append(f"{count(sum(len(group.results) for group in parts.waived), 'finding')} waived")
    if parts.left_out:
        said.append(f"{count(len({(row.cluster, row.check) for row in _rows(parts.left_out)}), 'check')} left out")
    sentence = "; ".join(said)
    return sentence[0].upper() + sentence[1:] + "." + _undeclared(parts)


def alone_line(scan: Scan, parts: Digest) -> str:
    """What the selected nodes are by themselves, where only a part of the clusters was asked; empty where all were."""
    if scan.verdict is not Verdict.UNKNOWN or scan.partial:
        return ""
    folded = parts.folded  # of all results: nothing blocks where the verdict is UNKNOWN
    asked = [row for row in scan.results if row.node is not None]
    if not folded.stranded or folded.causes or folded.under or not asked:
        return ""
    names = list(dict.fromkeys(label(row) for row in asked))
    listed = ", ".join(names[:_IDS]) + (f" and {len(names) - _IDS} more" if len(names) > _IDS else "")
    passed = sum(row.status in (Status.PASS, Status.WARN) for row in asked)
    return f"{listed} alone: nothing stands in the way ({count(passed, 'result')}); the whole cluster was not asked"


def _undeclared(parts: Digest) -> str:
    ids = list(dict.fromkeys(one_line(row.check, 100) for row in _rows(parts.not_declared)))
    if not ids:
        return ""
    more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    return f" {count(len(ids), 'check')} not declared: {', '.join(ids[:_IDS])}{more}."


def told_clusters(scan: Scan) -> list[ClusterVerdict]:
    """The clusters with a verdict of their own; none where nothing is known of them but results."""
    return [judged for judged in scan.cluster_verdicts if judged.record.product]


def subject_line(judged: ClusterVerdict, phase: str = "before") -> str:
    """What a cluster's verdict is for: product, installed version and target, phase, and how many nodes answered."""
    record = judged.record
    installed = one_line(record.installed, 300) or ("version not known" if record.product else "")
    target = f"-> {one_line(record.target, 100)}" if record.target else ("no target" if record.product else "")
    if record.target_from == "command line":
        target += " (--target)"
    when = {"window": "in the window", "after": "after the window"}.get(phase, "")
    reached = f"{record.reached} of {count(record.nodes, 'node')} reached" if record.nodes else ""
    whole = " ".join(text for text in (one_line(record.title or record.product, 100), installed, target) if text)
    return ", ".join(text for text in (whole, when, reached) if text)


def coverage_line(scan: Scan) -> str:
    """How much of what was planned was looked at, in one line."""
    cover = scan.coverage
    return (
        f"{cover.evaluated} of {count(cover.planned, 'planned result')} evaluated; "
        f"{cover.not_applicable} not applicable, {cover.waived} waived, {cover.not_evaluated} not evaluated"
        + (f", {cover.not_declared} not declared" if cover.not_declared else "")
        + (f", {cover.left_out} left out" if cover.left_out else "")
    )


def exit_line(scan: Scan) -> str:
    """What the exit code follows, where that is not the verdict; else empty."""
    if scan.fail_on is FailOn.ANY or scan.partial:
        return ""
    what = {FailOn.ALL: "the cluster that is best off", FailOn.NEW: "what is new in the history"}[scan.fail_on]
    return f"exit code {scan.exit_code:d}, which follows {what} (--fail-on {scan.fail_on})"


def cost_line(scan: Scan) -> str:
    """What the scan cost, in one line."""
    reached = sum(1 for node in scan.nodes if node.reachable)
    used = [
        count(sum(node.connections for node in scan.nodes), "connection"),
        count(sum(node.commands for node in scan.nodes), "command"),
        count(sum(node.requests for node in scan.nodes), "HTTP request"),
    ]
    return f"{reached} of {count(len(scan.nodes), 'node')} reached; {', '.join(used)}; {seconds(elapsed_s(scan))}"


def elapsed_s(scan: Scan) -> float:
    """How long the scan took, in seconds."""
    return max(0.0, (scan.finished - scan.started).total_seconds())


def seconds(value: float) -> str:
    """A duration for readers."""
    return f"{value:.1f}s" if value < 120 else f"{int(value) // 60}m {int(value) % 60}s"


def _rows(groups: Iterable[Group]) -> Iterable[Result]:
    return (row for group in groups for row in group.results)


def _subjects(rows: Sequence[Result]) -> str:
    nodes = {(row.cluster, row.node) for row in rows if row.node is not None}
    clusters = {row.cluster for row in rows if row.node is None}
    parts = [count(len(nodes), "node")] if nodes else []
    if clusters:
        parts.append(count(len(clusters), "cluster"))
    return " and ".join(parts)

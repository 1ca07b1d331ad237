"""Results grouped by cause, and the words that every format shares, so that no two of them tell different stories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from checks.engine.acceptance.model import Attested, Expiry, scope
from checks.outcome import Result, Severity, Status
from checks.scan import CONNECTIVITY, ClusterVerdict, FailOn, Scan, Verdict, blocks
from reports.findings.folding import Folded, fold, stranded_rows
from reports.text import count, one_line

GRAVEST_FIRST = (Verdict.NO_GO, Verdict.UNKNOWN, Verdict.GO)
_WHOLE = "whole cluster"
_IDS = 5
"""Checks that a headline names before it only counts."""
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One cause, and all that it hit: results of one check with the same status and message."""

    check: str
    title: str
    severity: Severity
    status: Status
    message: str
    """As the check said it; not yet made visible."""
    results: tuple[Result, ...]

    def variants(self, read: Callable[[Result], str]) -> list[tuple[str, tuple[Result, ...]]]:
        """The distinct, non-empty values of a text over the results, each with those that have it."""
        found: dict[str, list[Result]] = {}
        for row in self.results:
            found.setdefault(read(row), []).append(row)
        return [(value, tuple(rows)) for value, rows in found.items() if value.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A scan's results, sorted by what a reader must do about them. Together the fields hold every result once, but for
    skips that are folded under a cause, too.
    """

    blockers: tuple[Group, ...]
    """Failures, and warnings where the scan is strict; the gravest first."""
    undetermined: tuple[Group, ...]
    """Causes, those without a result of their own (nodes that were not selected) last."""
    folded: Folded
    """What follows from them."""
    warnings: tuple[Group, ...]
    """Warnings where the scan is not strict."""
    not_evaluated: tuple[Group, ...]
    """Skips that count as not evaluated, such as those of an unreachable node."""
    waived: tuple[Group, ...]
    left_out: tuple[Group, ...]
    """What the inventory leaves out, each with the reason."""
    not_declared: tuple[Group, ...]
    """What is not judged because the inventory does not say what it would be judged by."""
    not_applicable: tuple[Group, ...]
    passed: tuple[Group, ...]


def digest(scan: Scan) -> Digest:
    """Sort and group a scan's results."""
    rest = [row for row in scan.results if not blocks(row, strict=scan.strict)]

    def having(status: Status) -> list[Result]:
        return [row for row in rest if row.status is status]

    skips = having(Status.SKIP)
    folded = fold(rest)
    stranded = [
        Group(
            check=rows[0].follows[0].partition(":")[0],
            title=title,
            severity=rows[0].severity,
            status=Status.ERROR,
            message=message,
            results=rows,
        )
        for title, message, rows in stranded_rows(folded)
    ]
    return Digest(
        blockers=grouped(row for row in scan.results if blocks(row, strict=scan.strict)),
        # A node that did not answer is the cause of what its cluster's checks could not tell: it comes first.
        undetermined=(
            *sorted(grouped(folded.causes), key=lambda group: group.check != CONNECTIVITY),
            *stranded,
        ),
        folded=folded,
        warnings=grouped(having(Status.WARN)),
        not_evaluated=grouped(row for row in skips if row.not_evaluated),
        waived=grouped(having(Status.WAIVED)),
        left_out=grouped(row for row in skips if row.left_out),
        not_declared=grouped(row for row in skips if row.not_declared and not row.left_out),
        not_applicable=grouped(
            row for row in skips if not row.not_evaluated and not row.left_out and not row.not_declared
        ),
        passed=grouped(having(Status.PASS)),
    )


def grouped(results: Iterable[Result]) -> tuple[Group, ...]:
    """Group by check, status, message and waiver; the gravest severity first, then in order of appearance."""
    found: dict[tuple[str, Status, str, str], list[Result]] = {}
    for row in results:
        found.setdefault((row.check, row.status, row.message, waiver_line(row)), []).append(row)
    groups = [
        Group(
            check=check,
            title=rows[0].title,
            severity=rows[0].severity,
            status=status,
            message=message,
            results=tuple(rows),
        )
        for (check, status, message, _), rows in found.items()
    ]
    return tuple(sorted(groups, key=lambda group: _RANK[group.severity]))


def by_status(results: Iterable[Result]) -> tuple[Group, ...]:
    """Group by check, status and message, in order of appearance."""
    return tuple(sorted(grouped(results), key=lambda group: list(Status).index(group.status)))


def owner_of(scan: Scan) -> Callable[[Result], str]:
    """Who answers for what a result is about, with how to reach them: the node's own owner before its cluster's."""
    clusters = {record.name: owner_line(record.owner, record.contact) for record in scan.clusters}
    nodes = {(node.cluster, node.node): owner_line(node.owner, node.contact) for node in scan.nodes}
    return lambda row: nodes.get((row.cluster, row.node or "")) or clusters.get(row.cluster, "")


def owner_line(owner: str, contact: str) -> str:
    """Who answers for something, and how to reach them; empty where neither is said."""
    return ", ".join(one_line(text, 200) for text in (owner, contact) if text)


def by_reason(groups: Iterable[Group]) -> list[tuple[str, tuple[Result, ...]]]:
    """Join the groups that have the same message, whatever the check: one reason, one entry.

    Who waives something, and until when, stands before the message, so that nothing cuts it off.
    """
    found: dict[str, list[Result]] = {}
    for group in groups:
        waived = waiver_line(group.results[0])
        found.setdefault(f"{waived}: {group.message}" if waived else group.message, []).extend(group.results)
    return [(message, tuple(rows)) for message, rows in found.items()]


def waiver_line(result: Result) -> str:
    """That somebody accepts a finding, who, until when and why, in one line; empty where nobody does."""
    told = waiver_text(result)
    return f"waived {told}" if told else ""


def waiver_text(result: Result) -> str:
    """The same, to stand beside the word "waived"."""
    waiver = result.waiver
    if waiver is None:
        return ""
    only = f', only while "{one_line(waiver.value, 100)}" is observed' if waiver.value else ""
    return f"by {one_line(waiver.owner, 100)} until {waiver.expires}{only} ({one_line(waiver.reason, 200)})"


def attested_line(heard: Attested) -> str:
    """What somebody vouches for, about what, and until when, in one line."""
    word = heard.attestation
    until = {
        Expiry.HOLDS: f"holds until {word.expires}",
        Expiry.ENDS_SOON: f"ends soon, on {word.expires}",
        Expiry.EXPIRED: f"EXPIRED on {word.expires}",
    }[heard.standing]
    about = f"{one_line(scope(word), 250)}: " if scope(word) else ""
    return f"{about}{one_line(word.statement, 500)} - {one_line(word.by, 100)} on {word.date}, {until}"


def label(result: Result) -> str:
    """What the result is about: `cluster/node`, or `cluster` for a cluster as a whole."""
    name = result.cluster if result.node is None else f"{result.cluster}/{result.node}"
    return one_line(name, 200) or "scan"


def affected_nodes(results: Sequence[Result], limit: int | None = None) -> str:
    """Where the results are, by cluster: `vault-prod: web1, web2; chef-prod: whole cluster`.

    `limit` is the number of names, and of clusters, after which the rest is only counted.
    """
    found: dict[str, dict[str, None]] = {}
    for row in results:
        name = _WHOLE if row.node is None else one_line(row.node, 100)
        found.setdefault(row.cluster, {})[name] = None
    whole = [one_line(cluster, 100) for cluster, names in found.items() if cluster and list(names) == [_WHOLE]]
    if len(whole) == len(found) > 1:
        return f"whole clusters {', '.join(_cut(whole, limit))}"
    shown = [
        f"{one_line(cluster, 100)}: {', '.join(_cut(list(names), limit))}" if cluster else "the scan itself"
        for cluster, names in found.items()
    ]
    more = len(shown) - limit if limit and len(shown) > limit else 0
    return "; ".join([*shown[:limit], f"{count(more, 'more cluster')}"] if more else shown)


def _cut(names: list[str], limit: int | None) -> list[str]:
    return names if limit is None or len(names) <= limit else [*names[:limit], f"{len(names) - limit} more"]


def checks_named(results: Iterable[Result]) -> str:
    """The checks of the results: one by its id, several counted and listed."""
    ids = list(dict.fromkeys(one_line(row.check, 100) for row in results))
    return ids[0] if len(ids) == 1 else f"{count(len(ids), 'check')}: {', '.join(ids)}"


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


def status_word(result: Result) -> str:
    """The status as readers see it; a skip says whether it was moot, missed or left out."""
    if result.left_out:
        return "left out"
    if result.not_declared:
        return "not declared"
    if result.status is Status.SKIP:
        return "not evaluated" if result.not_evaluated else "not applicable"
    return str(result.status)


def _rows(groups: Iterable[Group]) -> Iterable[Result]:
    return (row for group in groups for row in group.results)


def _subjects(rows: Sequence[Result]) -> str:
    nodes = {(row.cluster, row.node) for row in rows if row.node is not None}
    clusters = {row.cluster for row in rows if row.node is None}
    parts = [count(len(nodes), "node")] if nodes else []
    if clusters:
        parts.append(count(len(clusters), "cluster"))
    return " and ".join(parts)

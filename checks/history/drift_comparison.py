"""Comparisons with the baseline as runs of a history: what each one has to say, and what earlier ones say of it.

What differs is *there* like a scan's failure, what is as approved is *clear*, what was not compared is *blind*. Unlike
checks, some differences leave nothing behind when they end: a fact that had appeared is gone again, or approved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from checks.baseline.drift import Difference, Drift
from checks.baseline.fact_paths import wholes
from checks.baseline.snapshot import FactKey
from checks.history.model import FindingKey, ScanHistory
from checks.history.scan_comparison import Entry
from checks.outcome import Status

NODE = "node"
"""What a node that came, went or was not read is called; no check has that id."""
BELOW = ".*"
"""Behind a part of a path: all facts below it, which could not be read."""
AS_APPROVED = Entry(Status.PASS, judged=True, message="as approved")
"""What a run that looked at everything says of all that it does not name."""


def entries_of(drift: Drift) -> dict[FindingKey, Entry]:
    """What the comparison says of each fact, check and node; of values, only that they differ."""
    return dict(_entries(drift))


def _entries(drift: Drift) -> Iterator[tuple[FindingKey, Entry]]:
    for fact in drift.facts:
        yield FindingKey(fact.place.path, fact.place.cluster, fact.place.node), _entry(fact.difference)
    for check in drift.checks:
        yield (
            FindingKey(check.subject.check, check.subject.cluster, check.subject.node or None),
            _entry(check.difference, "worse than approved"),
        )
    for gap in drift.gaps:
        name = f"{gap.place.path}{BELOW}" if gap.place.path else NODE
        yield FindingKey(name, gap.place.cluster, gap.place.node), _entry(Difference.NOT_COMPARED)
    for node in drift.nodes:
        yield FindingKey(NODE, node.cluster, node.node), _entry(node.difference)


def _entry(difference: Difference, worse: str = "") -> Entry:
    if difference is Difference.NOT_COMPARED:
        return Entry(Status.ERROR, judged=False, message=str(difference))
    same = difference in (Difference.SAME, Difference.BETTER)
    return AS_APPROVED if same else Entry(Status.FAIL, judged=True, message=worse or str(difference))


def kept_of(drift: Drift, told: Iterable[FindingKey], asked: Collection[tuple[str, str]]) -> dict[FindingKey, Entry]:
    """What has to be recorded of a run that looked at everything, whose silence says that all else is as approved.

    Of facts that are as approved, those alone that earlier runs `told` otherwise. What leaves no trace when it ends is
    over where the run looked, and unknown where it could not. `asked` are its nodes.
    """
    said = {
        subject: entry
        for subject, entry in entries_of(drift).items()
        if entry != AS_APPROVED or "." not in subject.check
    }
    gaps = frozenset(gap.place for gap in drift.gaps)
    silent = ((subject, _silence(subject, gaps, asked)) for subject in told if subject not in said)
    return said | {subject: entry for subject, entry in silent if entry}


def _silence(subject: FindingKey, gaps: Collection[FactKey], asked: Collection[tuple[str, str]]) -> Entry | None:
    key = (subject.cluster, subject.node or "")
    if subject.check == NODE:
        return AS_APPROVED
    if "." not in subject.check or key not in asked:  # a check, or a node, that is not there any more
        return None
    unread = any(FactKey(*key, whole) in gaps for whole in wholes(subject.check))
    return _entry(Difference.NOT_COMPARED) if unread else AS_APPROVED


def worth_telling(history: ScanHistory, drift: Drift) -> ScanHistory:
    """The history without what only follows from something else in it: the facts and checks of a node that was lost."""
    lost = {(item.subject.cluster, item.subject.node) for item in history.resolved if item.subject.check == NODE}
    lost |= {(gap.place.cluster, gap.place.node) for gap in drift.gaps if not gap.place.path}

    def stands(subject: FindingKey, status: Status) -> bool:
        if status is not Status.ERROR or subject.check == NODE or subject.check.endswith(BELOW):
            return True
        return "." not in subject.check and (subject.cluster, subject.node) not in lost

    return replace(
        history,
        standings=tuple(item for item in history.standings if stands(item.subject, item.status)),
        resolved=tuple(item for item in history.resolved if stands(item.subject, item.was)),
        gone=tuple(item for item in history.gone if stands(item.subject, item.was)),
        trend=(),
    )

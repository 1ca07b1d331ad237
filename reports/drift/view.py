"""Drift as a document: each difference once, with all the nodes that have it, and why something was not compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from checks.baseline.comparison import Compared
from checks.baseline.drift import DRIFTED, CheckRow, Difference, Drift, DriftVerdict, FactRow, by_node
from checks.baseline.fact_paths import wholes
from checks.history.drift_comparison import BELOW, NODE
from checks.history.model import FindingKey
from reports import lists
from reports.document import Change, Document, Line, Named, NodeFacts, Reason, Section, Shown, Turn
from reports.drift.wording import WORDS, advice, approved, headline, node_line, places, said, sides
from reports.findings.history_text import history_line, teller_of
from reports.text import count, one_line, truncate

Where = Sequence[tuple[str, str]]
Past = Callable[[Iterable[str], Where], tuple[str, ...]]
"""What earlier runs say of facts, checks or nodes at these places."""

_TONES = {DriftVerdict.NO_DRIFT: "go", DriftVerdict.DRIFT: "no-go", DriftVerdict.UNKNOWN: "unknown"}
_STATUS = {
    Difference.CHANGED: "warn",
    Difference.APPEARED: "waived",
    Difference.DISAPPEARED: "fail",
    Difference.NOT_COMPARED: "error",
    Difference.SAME: "pass",
    Difference.BETTER: "pass",
}
"""The scan has colours for these."""
_GRAVITY = ("fail", "warn", "waived", "error", "pass")
_CHECK = "check "
"""Before the ids of checks where facts are listed, too."""
_MOST_PLACES = 12
_MOST = 40
"""Entries of a section that fit a message."""
_MOST_AT_ONCE = 60
_MOST_FACTS = 6_000
"""Facts that the page lists in full; beyond that only those that are not as approved."""
_APPROVALS = 5
_EVERYWHERE = Shown.TERMINAL | Shown.FILE | Shown.PAGE


def view(drift: Drift, shown: Shown) -> Document:
    """The document, with the sections that are for `shown`."""
    history = history_line(drift)
    return Document(
        kind="drift",
        verdict=str(drift.verdict),
        tone=_TONES[drift.verdict],
        headline=headline(drift),
        inventory=drift.inventory,
        against=drift.baseline,
        started=drift.started,
        finished=drift.finished,
        version=drift.tool_version,
        partial=drift.partial,
        exit_code=drift.exit_code,
        history=history,
        advice=advice(drift),
        small="; ".join(approved(drift)[:1]) or "no approval",
        closing=((("history", history),), (("", advice(drift)),)),
        counts=tuple(
            (status, WORDS[kind], number) for kind, status in _STATUS.items() if (number := drift.counts[kind])
        ),
        sections=tuple(made for on, make in _sections(drift) if on & shown for made in make()),
    )


def changed(found: Compared) -> tuple[Section, ...]:
    """What a baseline holds otherwise than the one before."""
    return (
        *_differences(found.facts, _no_past),
        *lists.listed("moved", "Nodes", (Line(text=node_line(row)) for row in found.nodes), counted=False),
        *_turns("worse", "Checks", found.checks, Difference.CHANGED, _no_past),
        *_turns("better", "Checks that pass now", found.checks, Difference.BETTER, _no_past),
    )


def _sections(drift: Drift) -> Iterable[tuple[Shown, Callable[[], Iterable[Section]]]]:
    past = _past(drift)
    moved = [Line(text=node_line(row), history=past([NODE], [(row.cluster, row.node)])) for row in drift.nodes]
    better = partial(_turns, "better", "Checks that pass now", drift.checks, Difference.BETTER)
    worse = partial(_turns, "worse", "Checks that are worse than approved", drift.checks, Difference.CHANGED)
    told = approved(drift)
    return (
        (_EVERYWHERE, lambda: _differences(drift.differing, past)),
        (Shown.TERMINAL, lambda: lists.listed("moved", "Nodes", moved, counted=False)),
        (Shown.FILE | Shown.PAGE, lambda: lists.listed("moved", "Nodes", moved, most=_MOST)),
        (_EVERYWHERE, lambda: worse(past)),
        (_EVERYWHERE, lambda: _uncompared(drift, past)),
        (Shown.TALKING, lambda: better(_no_past)),
        (Shown.FILE | Shown.PAGE, lambda: better(past)),
        (Shown.VERBOSE, lambda: _same(drift)),
        (Shown.TALKING | Shown.FILE | Shown.PAGE, lambda: lists.changed(drift, most=_MOST)),
        (Shown.TALKING | Shown.FILE | Shown.PAGE, lambda: lists.notices(drift.notices)),
        (Shown.PLAIN, lambda: _approvals(_latest(told))),
        (Shown.VERBOSE | Shown.PAGE, lambda: _approvals(told)),
        (Shown.PAGE, lambda: _facts(drift)),
    )


def _approvals(lines: Iterable[str]) -> Iterable[Section]:
    return lists.listed("approvals", "Baseline", (Line(text=line) for line in lines), counted=False)


def _latest(approvals: list[str]) -> list[str]:
    """The latest approvals and the first one, which was of everything."""
    if len(approvals) <= _APPROVALS:
        return approvals
    between = count(len(approvals) - _APPROVALS, "approval")
    return [*approvals[: _APPROVALS - 1], f"{between} between", approvals[-1]]


def _differences(rows: Iterable[FactRow], past: Past) -> Iterable[Section]:
    """The facts that differ, those with the same difference joined, in order of appearance."""
    found: dict[tuple[str, Difference, str, str, str], list[tuple[str, str]]] = {}
    for row in rows:
        if row.difference in DRIFTED:
            old, new = sides(row)
            key = (row.place.path, row.difference, old, new, one_line(row.note, 300))
            found.setdefault(key, []).append((row.place.cluster, row.place.node))
    entries = tuple(
        Change(
            name=path,
            word=WORDS[difference],
            status=_STATUS[difference],
            note=note,
            old=old,
            new=new,
            where=partial(places, where),
            history=past([path], where),
        )
        for (path, difference, old, new, note), where in found.items()
    )
    if entries:
        yield Section(
            key="differences",
            title="Differences",
            count=len(entries),
            entries=entries,
            most=_MOST,
            most_at_once=_MOST_AT_ONCE,
        )


def _turns(key: str, title: str, rows: Iterable[CheckRow], difference: Difference, past: Past) -> Iterable[Section]:
    """The checks with this difference, those with the same one for the same reason joined."""
    found: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    for row in rows:
        if row.difference is difference:
            about = (row.subject.check, one_line(row.old or "new", 100), one_line(row.new or "gone", 100), row.message)
            found.setdefault(about, []).append((row.subject.cluster, row.subject.node))
    entries = tuple(
        Turn(check=check, old=old, new=new, message=message, where=partial(places, where), history=past([check], where))
        for (check, old, new, message), where in found.items()
    )
    if entries:
        yield Section(key=key, title=title, count=len(entries), entries=entries, most=_MOST)


def _uncompared(drift: Drift, past: Past) -> Iterable[Section]:
    """Why something was not compared, each reason once."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for gap in drift.gaps:
        what = found.setdefault(gap.reason, {}).setdefault((gap.place.cluster, gap.place.node), [])
        what += [gap.place.path] if gap.place.path else []
    gaps = {gap.place for gap in drift.gaps}
    for row in drift.differing:
        if row.difference is Difference.NOT_COMPARED and gaps.isdisjoint(
            row.place._replace(path=part) for part in wholes(row.place.path)
        ):
            found.setdefault(row.note, {}).setdefault(row.place[:2], []).append(row.place.path)
    for check in drift.checks:
        if check.difference is Difference.NOT_COMPARED:
            reason = check.message.removeprefix("not evaluated: ")
            known = found.get(reason, {}).get(check.subject[:2])
            if known != []:  # a node that is wholly out of reach needs no list of checks
                where = found.setdefault(reason, {}).setdefault(check.subject[:2], [])
                where.append(f"{_CHECK}{check.subject.check}")
    entries = []
    for reason, missed in found.items():
        names = tuple(dict.fromkeys(path for paths in missed.values() for path in paths))
        entries.append(
            Reason(
                text=reason,
                where=partial(places, tuple(missed)),
                names=names,
                history=past(_historical(names), tuple(missed)),
            )
        )
    if entries:
        yield Section(
            key="causes",
            title="Not compared",
            count=len(entries),
            entries=tuple(entries),
            most=_MOST,
            most_at_once=_MOST_AT_ONCE,
        )


def _same(drift: Drift) -> Iterable[Section]:
    entries = tuple(
        Named(name=one_line(str(row.place), 400), text=one_line(said(row.new).replace("\n", "; "), 200), good=True)
        for row in drift.facts
        if row.difference is Difference.SAME
    )
    if entries:
        yield Section(key="same", title="As approved", count=len(entries), entries=entries)


def _facts(drift: Drift) -> Iterable[Section]:
    """Every node with its facts, those that are not as approved first."""
    everything = len(drift.facts) <= _MOST_FACTS
    lost = {gap.place[:2] for gap in drift.gaps}
    told = by_node(drift.facts)
    found = []
    for place in sorted({*told, *lost}):
        rows = told.get(place, ())
        moved = [row for row in rows if row.difference is not Difference.SAME]
        statuses = {_STATUS[row.difference] for row in rows} | ({"error"} if place in lost else set())
        status = next((status for status in _GRAVITY if status in statuses), "error")
        listed = [*moved, *(row for row in rows if row.difference is Difference.SAME)] if everything else moved
        found.append(
            NodeFacts(
                status=status,
                word="as approved" if status == "pass" else "not compared" if status == "error" else "drift",
                cluster=one_line(place[0], 100),
                name=one_line(place[1], 100),
                told=_summary(rows),
                rows=tuple(_fact(row) for row in listed),
            )
        )
    yield Section(key="facts", count=len(drift.facts), entries=tuple(found))


def _summary(rows: Sequence[FactRow]) -> str:
    missed = sum(row.difference is Difference.NOT_COMPARED for row in rows)
    same = sum(row.difference is Difference.SAME for row in rows)
    parts = ((len(rows) - missed - same, "not as approved"), (missed, "not compared"), (same, "as approved"))
    return ", ".join(f"{number} {word}" for number, word in parts if number) or "nothing to compare"


def _fact(row: FactRow) -> Change:
    old, new = sides(row) if row.difference is not Difference.SAME else (said(row.old), said(row.new))
    if row.difference is Difference.NOT_COMPARED:
        old, new = said(row.old), row.note
    return Change(
        name=one_line(row.place.path, 400),
        word=WORDS[row.difference],
        status=_STATUS[row.difference],
        note=row.note,
        old=truncate(old, 300),
        new=truncate(new, 300),
        where=partial(places, ()),
    )


def _past(drift: Drift) -> Past:
    tell = teller_of(drift.history)

    def past(names: Iterable[str], where: Where) -> tuple[str, ...]:
        found: dict[str, dict[tuple[str, str], None]] = {}
        for name in names:
            for cluster, node in where:
                if told := tell(FindingKey(name, cluster, node or None)):
                    found.setdefault(told, {})[cluster, node] = None
        # Where it holds is said where that is not everywhere.
        return tuple(
            told if len(those) == len(where) else f"{told} ({places(tuple(those), _MOST_PLACES)})"
            for told, those in found.items()
        )

    return past if drift.history and drift.history.last else _no_past


def _no_past(_names: Iterable[str], _where: Where) -> tuple[str, ...]:
    return ()


def _historical(names: Iterable[str]) -> list[str]:
    """Under which names a history keeps what was not compared."""
    kept: list[str] = []
    for name in names:
        if name.startswith(_CHECK):
            kept.append(name.removeprefix(_CHECK))
        else:
            kept += [f"{name}{BELOW}", *([name] if "." in name else [])]
    return kept or [NODE]

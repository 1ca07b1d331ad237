"""Comparisons with the baseline as runs of a history: what leaves no trace is kept in sight, nothing is told twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from checks.baseline.drift import CheckRow, Difference, Drift, FactRow, GapRow, NodeRow
from checks.baseline.snapshot import CheckKey as Judged
from checks.baseline.snapshot import FactKey
from checks.history.drift_comparison import AS_APPROVED, NODE, entries_of, kept_of, worth_telling
from checks.history.model import FindingKey, ScanHistory
from checks.history.scan_comparison import PastRun, compare_with_history

FIRST = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
ASKED = {("vault", "web1"), ("vault", "web2")}
SAME = Difference.SAME


def fact(path: str, difference: Difference, node: str = "web1") -> FactRow:
    return FactRow(place=FactKey("vault", node, path), difference=difference)


def lost(path: str = "", node: str = "web1") -> GapRow:
    return GapRow(FactKey("vault", node, path), "why")


def run(*facts: FactRow, **more: Any) -> Drift:
    return Drift(
        tool_version="0",
        started=FIRST,
        finished=FIRST,
        inventory="i",
        baseline="b",
        approvals=(),
        facts=(fact("a.x", SAME), *facts),
        checks=more.pop("checks", ()),
        **more,
    )


def history(*nights: Drift, asked: set[tuple[str, str]] = ASKED) -> ScanHistory:
    """What the last night's report says, the nights before being recorded as the product records them."""
    past: list[PastRun] = []
    for number, drift in enumerate(nights):
        told = {subject for night in past for subject, entry in night.entries.items() if entry != AS_APPROVED}
        entries = kept_of(drift, told, asked)
        past.append(
            PastRun(
                started=FIRST + timedelta(days=number),
                verdict="",
                scope="",
                narrowed=False,
                partial=False,
                entries=entries,
                silence=AS_APPROVED,
            )
        )
    return worth_telling(compare_with_history(past[-1], reversed(past[:-1])), nights[-1])


def since(found: ScanHistory) -> list[tuple[str, int, int, bool]]:
    return [(item.subject.check, item.since.day, item.runs, item.new) for item in found.standings]


APPEARED = fact("list[a].x", Difference.APPEARED)


def test_a_fact_that_appeared_is_told_since_when() -> None:
    found = history(run(), run(), run(APPEARED), run(APPEARED))
    assert since(found) == [("list[a].x", 3, 2, False)]
    assert not found.standings[0].open_start, "the runs before looked, and did not have it"
    assert history(run(APPEARED), run(APPEARED)).standings[0].open_start


def test_what_leaves_no_trace_is_resolved_and_not_lost_from_sight() -> None:
    found = history(run(), run(APPEARED), run())
    assert [(item.subject.check, item.was.value, item.message, item.since.day) for item in found.resolved] == [
        ("list[a].x", "fail", "appeared", 2)
    ]
    assert found.gone == ()
    assert since(history(run(), run(APPEARED), run(), run(APPEARED))) == [("list[a].x", 4, 1, True)]


def test_what_comes_and_goes_flaps() -> None:
    found = history(run(), run(APPEARED), run(), run(APPEARED))
    assert [(item.subject.check, item.changes, item.runs) for item in found.flapping] == [("list[a].x", 3, 4)]
    assert history(run(), run(APPEARED), run()).flapping == ()


def test_a_night_that_could_not_look_ends_nothing() -> None:
    for gap in (lost(), lost("list")):
        blind = run(gaps=(gap,))
        found = history(run(), run(APPEARED), blind)
        assert "list[a].x" not in {item.subject.check for item in (*found.resolved, *found.gone)}
        assert ("list[a].x", 2, 2, False) in since(history(run(), run(APPEARED), blind, run(APPEARED)))


def test_a_lost_node_is_one_line_and_one_when_it_is_back() -> None:
    def missed(name: str, node: str) -> CheckRow:
        return CheckRow(
            subject=Judged("vault", node, name),
            difference=Difference.NOT_COMPARED,
            old="pass",
            new="error",
            message="why",
        )

    rows = (fact("a.x", Difference.NOT_COMPARED), fact("a.y", Difference.NOT_COMPARED))
    down = run(*rows, gaps=(lost(),), checks=(missed("disk-space", "web1"), missed("clock-skew", "")))
    whole = run(fact("a.y", SAME))
    assert since(history(whole, down)) == [("clock-skew", 2, 1, True), (NODE, 2, 1, True)]
    assert since(history(whole, down, down)) == [("clock-skew", 2, 2, False), (NODE, 2, 2, False)]
    back = run(
        fact("a.y", SAME),
        checks=tuple(
            CheckRow(subject=Judged("vault", node, name), difference=SAME, old="pass", new="pass", message="")
            for name, node in (("disk-space", "web1"), ("clock-skew", ""))
        ),
    )
    found = history(whole, down, back)
    assert found.standings == ()
    assert {item.subject for item in found.resolved} == {
        FindingKey("clock-skew", "vault", None),
        FindingKey(NODE, "vault", "web1"),
    }


def test_a_part_that_could_not_be_read_has_a_name_that_no_check_has() -> None:
    found = history(run(), run(gaps=(lost("pending-reboot"),)))
    assert since(found) == [("pending-reboot.*", 2, 1, True)]


def test_a_new_node_is_over_when_it_is_approved_and_one_that_left_is_not_looked_at() -> None:
    new = run(nodes=(NodeRow("vault", "web2", Difference.APPEARED),))
    assert [item.subject.check for item in history(run(), new, run()).resolved] == [NODE]
    changed = run(fact("a.x", Difference.CHANGED, "web2"))
    left = run(nodes=(NodeRow("vault", "web2", Difference.DISAPPEARED),))
    found = history(run(), changed, left, asked={("vault", "web1")})
    assert [(item.subject.check, item.subject.node) for item in found.gone] == [("a.x", "web2")]
    assert since(found) == [(NODE, 3, 1, True)]


def test_of_what_is_as_approved_nothing_is_kept_unless_it_was_told_otherwise() -> None:
    assert kept_of(run(), (), ASKED) == {}
    name = FindingKey("a.x", "vault", "web1")
    assert kept_of(run(), [name], ASKED) == {name: AS_APPROVED}
    assert entries_of(run()) == {name: AS_APPROVED}, "a run that looked at a part says of each fact that it looked"

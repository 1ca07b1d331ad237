"""What is waived no longer counts; what no longer is, or never could be, says so."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.engine.acceptance.model import Expiry, Waiver, standing
from checks.engine.acceptance.waivers import Use, apply, use_of
from checks.outcome import Result, Status
from checks.scan import Verdict, coverage_of, verdict_of
from tests.test_checks.engine.acceptance.made import row, waiver

TODAY = date(2026, 11, 21)
PAST = date(2026, 11, 20)


def judged(result: Result, *waivers: Waiver, today: date = TODAY) -> Result:
    (found,) = apply([result], waivers, today, whole=True).results
    return found


@pytest.mark.parametrize("status", ["fail", "warn"])
def test_a_finding_is_waived_with_all_that_is_known_of_it(status: str) -> None:
    accepted = waiver()
    assert judged(row(status), accepted) == replace(row(status), status=Status.WAIVED, waiver=accepted)


def test_a_waived_failure_is_no_no_go_and_a_waiver_alone_is_no_go_either() -> None:
    (waived, passed) = apply([row("fail"), row("pass", "web2")], [waiver()], TODAY, whole=True).results
    assert verdict_of([row("fail"), passed]) is Verdict.NO_GO
    assert verdict_of([waived, passed]) is Verdict.GO
    assert verdict_of([judged(row("warn"), waiver()), passed], strict=True) is Verdict.GO
    assert verdict_of([waived]) is Verdict.UNKNOWN
    assert verdict_of([waived, row("error", "web2")]) is Verdict.UNKNOWN
    cover = coverage_of([waived, passed])
    assert (cover.waived, cover.evaluated) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        waiver(node="web2"),
        waiver(cluster="test"),
        waiver(check="sizes"),
    ],
)
def test_it_reaches_no_further_than_it_says(other: Waiver) -> None:
    assert judged(row("fail"), other) == row("fail")
    assert judged(row("fail", None), waiver()) == row("fail", None)


def test_a_clusters_waiver_covers_all_nodes_and_the_cluster_itself() -> None:
    rows = [row("fail"), row("warn", "web2"), row("fail", None)]
    found = apply(rows, [waiver(node=None)], TODAY, whole=True).results
    assert {item.status for item in found} == {Status.WAIVED}


def test_the_last_day_is_the_last_on_which_it_holds() -> None:
    assert judged(row("fail"), waiver(expires=TODAY)).status is Status.WAIVED
    found = judged(row("fail"), waiver(expires=PAST))
    assert found.status is Status.FAIL
    assert found.message == "it is too big; a waiver by Ada expired on 2026-11-20"
    assert found.waiver is None


def test_an_expired_one_is_told_to_a_quiet_run_too() -> None:
    (told,) = apply([row("warn")], [waiver(expires=PAST)], TODAY, whole=False).reminders
    assert told == "waivers[1] (size on prod.web1, Ada) expired on 2026-11-20, and what it covered counts again"
    # Somebody else still accepts the same: then nothing counts again.
    both = apply([row("warn")], [waiver(expires=PAST), waiver(node=None)], TODAY, whole=False)
    assert both.results[0].status is Status.WAIVED
    assert both.reminders == ("waivers[1] (size on prod.web1, Ada) expired on 2026-11-20",)


def test_a_value_makes_it_hold_for_that_alone() -> None:
    assert judged(row("fail"), waiver(value="too big")).status is Status.WAIVED
    assert judged(row("fail", observed=" too\n\tbig "), waiver(value="too big")).status is Status.WAIVED
    for observed in ("too bigger", "Too big", "", "too"):
        found = judged(row("fail", observed=observed), waiver(value="too big"))
        assert found.status is Status.FAIL
        assert found.message == 'it is too big; a waiver by Ada is void: it holds only while "too big" is observed'
    (told,) = apply([row("warn")], [waiver(value="small")], TODAY, whole=False).reminders
    assert told == 'waivers[1] (size on prod.web1, Ada) is void: it holds only while "small" is observed'


@pytest.mark.parametrize(("expires", "soon"), [(date(2026, 12, 5), True), (date(2026, 12, 6), False)])
def test_fourteen_days_before_its_end_it_warns(expires: date, soon: bool) -> None:
    applied = apply([row("fail")], [waiver(expires=expires)], TODAY, whole=True)
    (found,) = applied.results
    assert found.status is Status.WAIVED
    assert found.message.endswith("the waiver by Ada ends on 2026-12-05") == soon
    assert bool(applied.reminders) == soon
    # It is advice, and no warning that --strict counts.
    assert verdict_of([found, row("pass", "web2")], strict=True) is Verdict.GO


def test_of_several_the_one_that_lasts_longest_holds() -> None:
    long, short = waiver(node=None, owner="Bob"), waiver(expires=TODAY)
    for pair in ((long, short), (short, long)):
        found = judged(row("fail"), *pair)
        assert found.waiver == long
        assert "ends" not in found.message
        assert apply([row("fail")], pair, TODAY, whole=True).reminders == ()


def test_what_could_not_be_determined_cannot_be_waived() -> None:
    found = judged(row("error"), waiver())
    assert (found.status, found.waiver, found.not_evaluated) == (Status.ERROR, None, True)
    assert found.message.endswith("a waiver by Ada does not help: what could not be determined cannot be waived")
    assert judged(row("error"), waiver(expires=PAST)) == row("error")


@pytest.mark.parametrize("result", [row("pass"), row("skip"), row("skip", missed=True)])
def test_nothing_else_changes(result: Result) -> None:
    assert judged(result, waiver()) == result


def test_one_that_is_good_for_nothing_is_told_where_all_was_looked_at() -> None:
    for rows in ([row("pass")], [row("skip")], []):
        (told,) = apply(rows, [waiver()], TODAY, whole=True).notices
        assert told == "waivers[1] (size on prod.web1, Ada) waives nothing here; take it out"
        assert apply(rows, [waiver()], TODAY, whole=False).notices == ()
    (told,) = apply([row("pass")], [waiver(expires=PAST)], TODAY, whole=True).notices
    assert "expired on 2026-11-20 and waives nothing here" in told
    for rows in ([row("error")], [row("skip", missed=True)], [row("pass"), row("error", "web2")]):
        assert apply(rows, [waiver(node=None)], TODAY, whole=True).notices == ()


@pytest.mark.parametrize(
    ("rows", "value", "use"),
    [
        ([row("pass"), row("fail", "web2")], "", Use.NEEDED),
        ([row("waived")], "too big", Use.NEEDED),
        ([row("waived"), row("pass", "web2")], "small", Use.VOID),
        ([row("pass"), row("skip", "web2")], "", Use.MOOT),
        ([row("pass"), row("error", "web2")], "", Use.UNTOLD),
        ([row("fail", check="other")], "", Use.ABSENT),
    ],
)
def test_what_one_is_good_for(rows: list[Result], value: str, use: Use) -> None:
    assert use_of(waiver(node=None, value=value), rows) is use


ROWS = st.lists(
    st.builds(
        row,
        st.sampled_from(list(Status)),
        st.sampled_from(["web1", "web2", None]),
        st.sampled_from(["size", "other"]),
        st.sampled_from(["too big", "odd"]),
    ),
    max_size=6,
)
WAIVERS = st.lists(
    st.builds(
        waiver,
        st.sampled_from(["web1", None]),
        st.dates(date(2026, 1, 1), date(2027, 1, 1)),
        st.sampled_from(["", "odd"]),
    ),
    max_size=4,
)


@given(ROWS, WAIVERS)
def test_no_waiver_makes_anything_of_what_is_no_finding(rows: list[Result], waivers: list[Waiver]) -> None:
    applied = apply(rows, waivers, TODAY, whole=True)
    for before, after in zip(rows, applied.results, strict=True):
        if before.status not in (Status.FAIL, Status.WARN):
            assert after.status is before.status
        elif after.status is not before.status:
            assert after.status is Status.WAIVED
            assert after.waiver
            assert standing(after.waiver.expires, TODAY) is not Expiry.EXPIRED
            assert after.waiver.value in ("", after.observed)
            assert after.waiver.node in (None, after.node)
            assert after.check == after.waiver.check
        assert after.message.startswith(before.message)


@given(ROWS, WAIVERS)
def test_each_result_finds_the_waivers_that_cover_it(rows: list[Result], waivers: list[Waiver]) -> None:
    """One result after the other, with those that are about it alone, comes to the same."""
    alone = [
        apply([each], [one for one in waivers if use_of(one, [each]) is not Use.ABSENT], TODAY, whole=False).results
        for each in rows
    ]
    assert apply(rows, waivers, TODAY, whole=False).results == tuple(each for (each,) in alone)


def test_many_waivers_take_as_much_longer_as_there_are_more_of_them() -> None:
    def steps(number: int) -> int:
        rows = [row("fail", f"web{each}") for each in range(number)]
        waivers = [waiver(f"web{each}") for each in range(number)]
        taken = 0

        def count(*_: object) -> None:
            nonlocal taken
            taken += 1

        sys.setprofile(count)
        try:
            applied = apply(rows, waivers, TODAY, whole=True)
        finally:
            sys.setprofile(None)
        assert all(each.status is Status.WAIVED for each in applied.results)
        return taken

    assert steps(400) < 5 * steps(100)

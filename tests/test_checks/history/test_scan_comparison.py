"""What earlier runs say of the present one, a letter for each run: what was planted comes out, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.history.model import TREND_RUNS, ClosedFinding, FindingAge, FindingKey, ScanHistory
from checks.history.scan_comparison import (
    FLAPPING_CHANGES,
    FLAPPING_RUNS,
    Entry,
    PastRun,
    compare_with_history,
    entries_of,
)
from checks.outcome import Result, Severity, Status

FIRST = datetime(2026, 11, 1, 2, 15, tzinfo=UTC)
LETTERS = {
    "p": Entry(Status.PASS, judged=True),
    "n": Entry(Status.SKIP, judged=True),
    "w": Entry(Status.WARN, judged=True, message="it is tight"),
    "f": Entry(Status.FAIL, judged=True, message="it is broken"),
    "v": Entry(Status.WAIVED, judged=True),
    "e": Entry(Status.ERROR, judged=False, message="not read"),
    "s": Entry(Status.SKIP, judged=False),
}
DISK = FindingKey("disk-space", "vault", "web1")
OTHER = FindingKey("windows-version", "vault", "web1")


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


def told(letters: str, subject: FindingKey = DISK) -> list[PastRun]:
    """A run a night, oldest first. A dot: the run did not plan to look. Upper case: the run was narrowed."""
    return [
        PastRun(
            started=day(number),
            verdict="GO",
            scope="--node web1" if letter.isupper() else "",
            narrowed=letter.isupper(),
            partial=False,
            entries={OTHER: LETTERS["p"]} | ({} if letter == "." else {subject: LETTERS[letter.lower()]}),
        )
        for number, letter in enumerate(letters)
    ]


def seen(letters: str, subject: FindingKey = DISK) -> ScanHistory:
    *earlier, present = told(letters, subject)
    return compare_with_history(present, reversed(earlier))


def standing(letters: str) -> FindingAge:
    (found,) = seen(letters).standings
    assert found.subject == DISK
    return found


@pytest.mark.parametrize(
    ("letters", "since", "runs", "new", "before"),
    [
        ("pf", 1, 1, True, "pass"),
        ("nf", 1, 1, True, "skip"),
        ("pff", 1, 2, False, "fail"),
        ("pfff", 1, 3, False, "fail"),
        ("fpff", 2, 2, False, "fail"),
        # Nights without a look neither end nor start it.
        ("pfef", 1, 2, False, "fail"),
        ("pfsf", 1, 2, False, "fail"),
        ("pf.f", 1, 2, False, "fail"),
        ("pef", 2, 1, True, "pass"),
        ("pesf", 3, 1, True, "pass"),
        # It got worse or better, was waived, came out of its waiver: the same finding.
        ("pwf", 1, 2, False, "warn"),
        ("pfw", 1, 2, False, "fail"),
        ("pfvvf", 1, 4, False, "waived"),
        ("pfv", 1, 2, False, "fail"),
        # A narrowed run counts where it looked, and not where it could not.
        ("pFf", 1, 2, False, "fail"),
        ("fPf", 2, 1, True, "pass"),
        ("fEf", 0, 2, False, "fail"),
    ],
)
def test_since_when_a_finding_is_there(letters: str, since: int, runs: int, new: bool, before: str) -> None:
    found = standing(letters)
    assert (found.since, found.runs, found.new, found.before) == (day(since), runs, new, before)


@pytest.mark.parametrize(
    ("letters", "since", "runs", "new", "before"),
    [
        ("pe", 1, 1, True, "pass"),
        ("fe", 1, 1, True, "fail"),
        ("pee", 1, 2, False, "pass"),
        ("pse", 1, 2, False, "pass"),
        ("pepe", 3, 1, True, "pass"),
        ("feFe", 3, 1, True, "fail"),
        ("fEe", 2, 1, True, "fail"),
    ],
)
def test_since_when_something_cannot_be_told(letters: str, since: int, runs: int, new: bool, before: str) -> None:
    found = standing(letters)
    assert (found.status, found.since, found.runs, found.new, found.before) == ("error", day(since), runs, new, before)


@pytest.mark.parametrize(("letters", "open_start"), [("ff", True), ("eff", True), ("pff", False), ("ee", True)])
def test_a_finding_as_old_as_the_history_may_be_older(letters: str, open_start: bool) -> None:
    assert standing(letters).open_start is open_start


def test_a_finding_on_what_nobody_planned_to_look_at_before_is_new() -> None:
    assert standing("..f").new
    assert standing("..e").new
    assert not standing(".ff").new


@pytest.mark.parametrize("letters", ["pp", "fn", "fs", "ps", ".fp"])
def test_what_is_no_finding_has_no_standing(letters: str) -> None:
    assert seen(letters).standings == ()


@pytest.mark.parametrize("present", ["f", "e", "p"])
def test_the_first_run_says_nothing_of_change(present: str) -> None:
    found = seen(present)
    assert (found.last, found.standings, found.resolved, found.gone, found.flapping) == (None, (), (), (), ())
    assert len(found.trend) == 1


@pytest.mark.parametrize(
    ("letters", "was", "since", "runs", "message"),
    [
        ("pfp", "fail", 1, 1, "it is broken"),
        ("pffn", "fail", 1, 2, "it is broken"),
        ("pfwp", "warn", 1, 2, "it is tight"),
        ("pfvp", "waived", 1, 2, ""),
        ("pfep", "fail", 1, 1, "it is broken"),
        ("pfesp", "fail", 1, 1, "it is broken"),
        ("pep", "error", 1, 1, "not read"),
        ("peep", "error", 1, 2, "not read"),
        ("pf.p", "fail", 1, 1, "it is broken"),
    ],
)
def test_what_was_resolved(letters: str, was: str, since: int, runs: int, message: str) -> None:
    (found,) = seen(letters).resolved
    assert (found.was, found.since, found.runs, found.message) == (was, day(since), runs, message)
    assert found.now in ("pass", "skip")


@pytest.mark.parametrize("letters", ["pp", "ps", "fe", "fs", "f.", "ff", "fpp", "pP", "epp", "psp", "fE", "pEp", "v."])
def test_what_was_not_resolved(letters: str) -> None:
    """Not looked at, still there, resolved before: none of that is news."""
    assert seen(letters).resolved == ()


def test_what_is_not_looked_at_any_more_is_told_once() -> None:
    (gone,) = seen("pf.").gone
    assert gone == ClosedFinding(
        subject=DISK, was=Status.FAIL, message="it is broken", since=day(1), open_start=False, runs=1, now=None
    )
    assert seen("pfe.").gone[0].was is Status.FAIL
    assert seen("pf..").gone == ()
    assert seen("pp.").gone == ()


def test_a_narrowed_or_interrupted_run_takes_nothing_away() -> None:
    *earlier, present = told("pff.")
    for less in (replace(present, partial=True), replace(present, scope="--check x", narrowed=True)):
        found = compare_with_history(less, reversed(earlier))
        assert (found.gone, found.resolved) == ((), ())


def test_a_narrowed_or_interrupted_run_finds_nothing_undetermined() -> None:
    *earlier, present = told("ppe")
    for less in (replace(present, partial=True), replace(present, scope="--node x", narrowed=True)):
        assert compare_with_history(less, reversed(earlier)).standings == ()
    found = compare_with_history(replace(told("ppf")[-1], partial=True), reversed(earlier))
    assert [item.new for item in found.standings] == [True]


def test_nightly_runs_without_one_check_are_held_against_their_like() -> None:
    """--skip-check is a selection, and yet the run means to see everything else."""
    runs = [replace(run, scope="--skip-check x") for run in told("pfe.")]
    found = compare_with_history(runs[-1], reversed(runs[:-1]))
    assert [ended.was for ended in found.gone] == ["fail"]
    assert len(found.trend) == 4


@pytest.mark.parametrize(
    ("letters", "changes"),
    [
        ("pfpf", 3),
        ("pfpfp", 4),
        ("pwpfp", 4),
        ("pfefvf", 0),
        ("pfp", 0),
        ("ppff", 0),
        ("pepepep", 0),
        ("pvpvpv", 0),
        ("npnpnp", 0),
        ("pfpf" + "f" * 9, 0),
    ],
)
def test_flapping(letters: str, changes: int) -> None:
    found = seen(letters)
    assert [item.changes for item in found.flapping] == ([changes] if changes else [])
    assert FLAPPING_CHANGES == 3


def test_a_node_that_comes_and_goes_is_flapping() -> None:
    """Elsewhere an error is no finding of the check; that a node does not answer is what connectivity is about."""
    (found,) = seen("pepep", FindingKey("connectivity", "vault", "web1")).flapping
    assert found.changes == 4


def test_the_trend_counts_whole_runs_of_the_same_kind() -> None:
    found = seen("pFwefs")
    assert [(point.fail, point.error, point.warn, point.not_evaluated, point.passed) for point in found.trend] == [
        (0, 0, 0, 0, 2),
        (0, 0, 1, 0, 1),
        (0, 1, 0, 0, 1),
        (1, 0, 0, 0, 1),
        (0, 0, 0, 1, 1),
    ]
    assert [point.started for point in seen("p" * 50).trend] == [day(number) for number in range(50 - TREND_RUNS, 50)]


def test_no_more_runs_are_read_than_matter() -> None:
    *earlier, present = told("p" * 200)
    left = iter(reversed(earlier))
    compare_with_history(present, left)
    assert len(list(left)) == 199 - max(TREND_RUNS - 1, FLAPPING_RUNS)


def test_a_long_row_is_followed_to_its_start() -> None:
    found = standing("p" + "f" * 300)
    assert (found.since, found.runs, found.open_start) == (day(1), 300, False)


@given(st.text("pnwfvesPFE.", min_size=1, max_size=14))
def test_nothing_is_told_twice_or_made_up(letters: str) -> None:
    found = seen(letters)
    present = letters[-1]
    subjects = [item.subject for item in found.standings]
    subjects += [item.subject for item in (*found.resolved, *found.gone)]
    assert len(subjects) == len(set(subjects))
    if found.last:
        assert [item.subject for item in found.standings] == ([DISK] if present in "wfveF" else [])
    for item in found.standings:
        # From its start on, nobody saw the subject clear; and just before its start somebody did, if anybody looked.
        since = (item.since - FIRST).days
        clear = "pnP"
        if present in "wfvF":
            assert not set(letters[since:]) & set(clear)
            before = [letter for letter in letters[:since] if letter not in ".esE"]
            assert bool(before) is not item.open_start
            assert not before or before[-1] in clear
            assert item.runs == sum(letter in "wfvF" for letter in letters) - sum(
                letter in "wfvF" for letter in letters[:since]
            )
    for ended in found.resolved:
        assert present in "pnP"
        assert letters[:-1].strip(".")
        assert ended.since < day(len(letters) - 1)


def test_results_become_entries() -> None:
    def row(status: Status, *, missed: bool = False) -> Result:
        return Result(
            check="c",
            title="t",
            severity=Severity.LOW,
            cluster="vault",
            node=None,
            status=status,
            message="m",
            not_evaluated=missed,
        )

    for status, missed, judged in (
        (Status.PASS, False, True),
        (Status.ERROR, True, False),
        (Status.ERROR, False, False),
        (Status.SKIP, False, True),
        (Status.SKIP, True, False),
    ):
        assert entries_of([row(status, missed=missed)]) == {FindingKey("c", "vault", None): Entry(status, judged, "m")}


def marks(*runs: PastRun) -> list[str]:
    """The strip of the cluster's verdicts, oldest on the left."""
    *earlier, present = runs
    return [point.verdict for point in compare_with_history(present, reversed(earlier)).by_cluster["vault"]]


def night(number: int, letters: str, *, verdict: str = "GO", strict: bool = False, check: str = "") -> PastRun:
    subjects = [FindingKey(check or f"check-{place}", "vault", "web1") for place in range(len(letters))]
    return PastRun(
        started=day(number),
        verdict=verdict,
        scope="",
        narrowed=False,
        partial=False,
        entries={subject: LETTERS[letter] for subject, letter in zip(subjects, letters, strict=True)},
        strict=strict,
    )


def test_the_strip_shows_a_warning_as_the_run_counted_it() -> None:
    strict = night(1, "pw", verdict="NO-GO", strict=True)
    assert marks(night(0, "pw"), strict, night(2, "pp", strict=True), night(3, "pe", verdict="UNKNOWN")) == [
        "GO",
        "NO-GO",
        "GO",
        "UNKNOWN",
    ]


def test_the_strip_has_no_go_where_the_nodes_answered_and_people_alone_vouch_for_the_rest() -> None:
    entries = {
        FindingKey("connectivity", "vault", "web1"): LETTERS["p"],
        FindingKey("disk", "vault", "web1"): LETTERS["v"],
    }
    waived = replace(night(0, "p"), entries=entries)
    attested = replace(night(1, "p"), entries={FindingKey("attestations", "vault", None): LETTERS["w"]})
    assert marks(waived, attested, night(2, "p")) == ["UNKNOWN", "UNKNOWN", "GO"]


def test_the_strip_has_no_go_in_a_strict_night_that_failed_for_what_no_result_shows() -> None:
    assert marks(night(0, "pp", verdict="NO-GO", strict=True), night(1, "pp", strict=True)) == ["UNKNOWN", "GO"]


def test_a_finding_is_new_where_a_run_that_looked_did_not_tell_of_it() -> None:
    """Silence is news where an earlier run asked the same, or asked everything; from a part nothing follows."""
    assert standing("..f").new
    narrowed, present = told("Pf")
    assert compare_with_history(present, [replace(narrowed, entries={})]).standings[0].new is False
    assert compare_with_history(present, [replace(narrowed, entries={}, narrowed=False)]).standings[0].new is True

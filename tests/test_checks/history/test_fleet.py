"""How clusters stand through the nights: what a run may say of them, how long that holds, and what was not made."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from checks.history.fleet import Fleet, Row, fleet, recorded_verdict
from checks.history.kept import Kept, Word, WordKind
from checks.history.model import FindingAge, FindingKey
from checks.outcome import Status
from checks.scan import Verdict
from tests.test_reports.dashboard.fleets import FIRST, kept, past


def seen(*histories: Kept, night: float, nights: int = 30) -> Fleet:
    """Seen at 12:15 after that night."""
    return fleet(histories, FIRST + timedelta(days=night, hours=10), nights)


def only(found: Fleet) -> Row:
    (row,) = found.rows
    return row


def marks(row: Row) -> str:
    letters = {"go": "G", "no-go": "N", "unknown": "U", "missed": "-", "": "."}
    return "".join(letters[night.mark] for night in row.nights)


def test_a_cluster_has_its_nights_its_verdict_and_since_when() -> None:
    row = only(seen(kept({"vault": "GGGGGGGNNUNN"}), night=11, nights=12))
    assert marks(row) == "GGGGGGGNNUNN"
    assert (row.said.verdict, row.since, row.row_of, row.open_start) == (
        Verdict.NO_GO,
        FIRST + timedelta(days=10),
        2,
        False,
    )
    assert (row.last_go, row.last_good) == (FIRST + timedelta(days=6), FIRST + timedelta(days=11))
    assert row.stale == ""
    ((finding,),) = [row.findings]
    assert (finding.standing.subject.check, finding.standing.since) == ("disk-space", FIRST + timedelta(days=7))
    assert finding.new


def test_a_finding_is_new_for_a_week() -> None:
    line = "GGGGGG" + "N" * 9
    assert [f.new for f in only(seen(kept({"vault": line[:13]}), night=12)).findings] == [True]
    assert [f.new for f in only(seen(kept({"vault": line}), night=14)).findings] == [False]
    assert [f.new for f in only(seen(kept({"vault": "NNNN"}), night=3)).findings] == [False], "it may be older"


def test_a_go_after_which_a_run_is_missing_is_none() -> None:
    found = seen(kept({"vault": "G" * 20}), night=22)
    row = only(found)
    assert row.stale == "no run since; 3 were due"
    assert marks(row).endswith("GG---")
    assert found.verdict is Verdict.UNKNOWN
    assert [beat.overdue for beat in found.beats] == [True]
    assert seen(kept({"vault": "G" * 20}), night=19).verdict is Verdict.GO


def test_a_no_go_stays_one_however_old() -> None:
    assert seen(kept({"vault": "G" * 19 + "N"}), night=29).verdict is Verdict.NO_GO


def test_without_a_rhythm_a_verdict_is_old_after_a_week() -> None:
    assert only(seen(kept({"vault": "G.G"}), night=8)).stale == ""
    assert only(seen(kept({"vault": "G.G"}), night=10)).stale == "older than 7 days"


def test_a_night_that_was_missed_is_told_though_runs_go_on() -> None:
    found = seen(kept({"vault": "GGGGG.GGGG", "chef": "GGGGG.GGGG"}), night=9, nights=10)
    assert {marks(row) for row in found.rows} == {"GGGGG-GGGG"}
    (beat,) = found.beats
    assert (beat.missed, beat.overdue) == ((date(2026, 3, 7),), False)


def test_each_job_has_a_rhythm_of_its_own() -> None:
    """One line of cron for each cluster, over one inventory: that one died is not hidden by the other."""
    vault = [past(n, {"vault": "G"}, scope="--cluster vault") for n in range(20)]
    chef = [
        past(n, {"chef": "G"}, scope="--cluster chef", started=past(n, {}).started.replace(hour=3)) for n in range(15)
    ]
    found = seen(kept({}, further=[*vault, *chef]), night=19)
    stale = {row.name: row.stale for row in found.rows}
    assert stale == {"vault": "", "chef": "no run since; 5 were due"}
    assert [(beat.asked, beat.overdue) for beat in found.beats] == [
        ("--cluster vault", False),
        ("--cluster chef", True),
    ]


def test_a_job_that_another_one_took_over_is_not_missed() -> None:
    old = [past(n, {"vault": "G"}, scope="--skip-check disk-space") for n in range(10)]
    new = [past(n, {"vault": "G"}) for n in range(10, 24)]
    found = seen(kept({}, further=[*old, *new]), night=23)
    assert only(found).stale == ""
    assert [beat.overdue for beat in found.beats] == [False, False]


@pytest.mark.parametrize(
    "other",
    [
        {"phase": "after"},
        {"targets": ("vault=10.0",)},
        {"scope": "--skip-check disk-space"},
        {"strict": True},
        {"scope": "--node n1"},
        {"scope": "--check connectivity"},
    ],
)
def test_a_run_with_other_options_does_not_answer_tonights_question(other: dict[str, Any]) -> None:
    at = FIRST + timedelta(days=9, hours=7)
    by_hand = past(9, {"vault": "G"}, started=at, **other)
    row = only(seen(kept({"vault": "NNNNNNNNNN"}, further=[by_hand]), night=9, nights=10))
    assert row.said.verdict is Verdict.NO_GO
    assert marks(row) == "N" * 10
    assert row.last_go is None


def test_the_last_run_of_a_day_with_the_usual_options_tells_how_things_are() -> None:
    mended = past(9, {"vault": "G"}, started=FIRST + timedelta(days=9, hours=7))
    row = only(seen(kept({"vault": "NNNNNNNNNN"}, further=[mended]), night=9, nights=10))
    assert (row.said.verdict, marks(row)) == (Verdict.GO, "NNNNNNNNNG")


def test_a_cluster_that_left_the_inventory_leaves_the_page() -> None:
    both = kept({"old": "GGGG", "vault": "GGGGGG"})
    assert [row.name for row in seen(both, night=5).rows] == ["vault"]
    partial = [past(5, {"vault": "G"}, partial=True), past(6, {"vault": "G"}, scope="--cluster vault")]
    assert [row.name for row in seen(kept({"old": "GGGGG", "vault": "GGGGG"}, further=partial), night=6).rows] == [
        "old",
        "vault",
    ]


def test_clusters_of_the_same_name_are_several() -> None:
    found = seen(kept({"vault": "GGGG"}), kept({"vault": "GGGN"}, source="oslo.db"), night=3)
    assert [(row.source, row.said.verdict) for row in found.rows] == [
        ("preflight.db", Verdict.GO),
        ("oslo.db", Verdict.NO_GO),
    ]


def test_words_that_end_soon_or_have_ended_are_told() -> None:
    def word(day: int) -> Word:
        return Word(
            kind=WordKind.WAIVER,
            check="disk-space",
            cluster="vault",
            node=None,
            by="Ada",
            said="why",
            expires=date(2026, 3, 1) + timedelta(days=day),
        )

    found = seen(kept({"vault": "GGGG"}, words=[word(90), word(33), word(2), word(34)]), night=3)
    assert [word.expires.isoformat() for _, word in found.words] == ["2026-03-03", "2026-04-03", "2026-04-04"]


def test_flapping_is_told() -> None:
    (flaps,) = only(seen(kept({"vault": "GNGNGN"}), night=5)).flapping
    assert (flaps.subject.check, flaps.changes) == ("disk-space", 5)


@pytest.mark.parametrize(
    ("said", "strict", "verdict"),
    [
        ({("connectivity", Status.PASS), ("disk-space", Status.PASS)}, False, Verdict.GO),
        ({("connectivity", Status.PASS), ("disk-space", Status.SKIP)}, False, Verdict.UNKNOWN),
        ({("disk-space", Status.PASS), ("x", Status.WARN)}, False, Verdict.GO),
        ({("disk-space", Status.PASS), ("x", Status.WARN)}, True, Verdict.NO_GO),
        ({("disk-space", Status.PASS), ("x", Status.ERROR)}, False, Verdict.UNKNOWN),
        ({("attestations", Status.WARN)}, False, Verdict.UNKNOWN),
    ],
)
def test_a_verdict_that_was_not_recorded_follows_from_the_statuses(
    said: set[tuple[str, Status]], strict: bool, verdict: Verdict
) -> None:
    assert recorded_verdict(said, strict=strict) is verdict


def test_nothing_recorded_is_unknown() -> None:
    assert seen(night=0).verdict is Verdict.UNKNOWN


def test_the_same_data_make_the_same_fleet() -> None:
    history = kept({"vault": "GNGU", "chef": "GGGG"})
    now: datetime = FIRST + timedelta(days=4)
    assert fleet([history], now, 30) == fleet([replace(history)], now, 30)


def test_a_row_of_one_and_of_several() -> None:
    row = only(seen(kept({"vault": "G"}), night=0))
    assert (row.row_of, row.since, row.open_start) == (1, FIRST, True)
    row = only(seen(kept({"vault": "GGN"}), night=2))
    assert (row.row_of, row.since, row.open_start) == (1, FIRST + timedelta(days=2), False)


def test_each_cluster_has_its_own_findings_words_and_flapping() -> None:
    def word(cluster: str) -> Word:
        return Word(
            kind=WordKind.WAIVER,
            check="disk-space",
            cluster=cluster,
            node=None,
            by="Ada",
            said="why",
            expires=date(2026, 3, 9),
        )

    history = kept({"vault": "GNGN", "chef": "GGNN"}, words=[word("vault"), word("chef"), word("")])
    for row in seen(history, night=3).rows:
        assert {finding.standing.subject.cluster for finding in row.findings} == {row.name}
        assert {flaps.subject.cluster for flaps in row.flapping} == ({"vault"} if row.name == "vault" else set())
        assert [word.cluster for word in row.words] == [row.name, ""]


@pytest.mark.parametrize(
    ("line", "further", "good"),
    [
        ("GGU", (), 1),
        ("GNU", (), 1),
        ("GG", (past(2, {"vault": "G"}, partial=True),), 1),
        ("UU", (), None),
    ],
)
def test_a_good_run_reached_all_and_came_to_a_verdict(line: str, further: tuple[Any, ...], good: int | None) -> None:
    row = only(seen(kept({"vault": line}, further=further), night=2))
    assert row.last_good == (None if good is None else FIRST + timedelta(days=good))


def test_a_verdict_is_old_after_a_week_and_a_finding_new_until_then() -> None:
    week = FIRST + timedelta(days=7)
    assert only(fleet([kept({"vault": "G"})], week, 30)).stale == ""
    assert only(fleet([kept({"vault": "G"})], week + timedelta(seconds=1), 30)).stale == "older than 7 days"
    line = kept({"vault": "GN"})
    for hours, new in ((23, True), (24, False)):
        (finding,) = only(fleet([line], week + timedelta(hours=hours), 30)).findings
        assert finding.new is new


def test_what_nobody_plans_has_no_beat_and_what_was_replaced_long_ago_has_none() -> None:
    assert seen(kept({"vault": "G..G"}), night=3).beats == ()
    old = [past(n, {"vault": "G"}, scope="--skip-check disk-space") for n in range(10)]
    new = [past(n, {"vault": "G"}) for n in range(10, 24)]
    replaced = kept({}, further=[*old, *new])
    assert [beat.asked for beat in seen(replaced, night=23, nights=15).beats] == ["--skip-check disk-space", ""]
    assert [beat.asked for beat in seen(replaced, night=23, nights=14).beats] == [""]


@pytest.mark.parametrize(
    ("other", "covered"),
    [
        ({}, True),
        ({"scope": "--cluster vault --skip-check disk-space"}, True),
        ({"scope": "--cluster vault", "phase": "after"}, True),
        ({"scope": "--cluster vault", "partial": True, "phase": "after"}, False),
        ({"scope": "--node n1"}, False),
        ({"scope": "--cluster vault --check disk-space"}, False),
        ({"command": "drift", "scope": "--cluster vault", "phase": "after"}, False),
    ],
)
def test_what_looks_at_all_of_it_may_have_taken_over(other: dict[str, Any], covered: bool) -> None:
    old = [past(n, {"vault": "G"}, scope="--cluster vault") for n in range(10)]
    new = [past(n, {"vault": "G"}, **other) for n in range(10, 24)]
    found = seen(kept({}, further=[*old, *new]), night=23)
    beats = {(beat.command, beat.asked): beat for beat in found.beats}
    assert beats["scan", "--cluster vault"].overdue is not covered


def test_a_day_on_which_only_something_else_was_asked_shows_that() -> None:
    by_hand = past(4, {"vault": "N"}, phase="after")
    row = only(seen(kept({"vault": "GGGG.GG"}, further=[by_hand]), night=6, nights=7))
    assert marks(row) == "GGGGNGG"
    assert row.said.verdict is Verdict.GO


def _with_own(history: Kept, status: Status, cluster: str = "") -> Kept:
    """The history, whose latest scan has a finding of its own."""
    latest = history.latest[-1]
    standing = FindingAge(
        subject=FindingKey("plugin-x", cluster, None),
        status=status,
        since=FIRST,
        open_start=True,
        runs=1,
        new=False,
        before=None,
    )
    past_of_it = replace(latest.history, standings=(*latest.history.standings, standing))
    return replace(history, latest=(*history.latest[:-1], replace(latest, history=past_of_it)))


@pytest.mark.parametrize(
    ("status", "cluster", "told"),
    [
        (Status.ERROR, "", True),
        (Status.FAIL, "", True),
        (Status.WAIVED, "", False),
        (Status.ERROR, "vault", False),
    ],
)
def test_what_is_wrong_with_the_last_scan_itself_belongs_to_no_cluster(
    status: Status, cluster: str, told: bool
) -> None:
    history = _with_own(kept({"vault": "GGNG"}), status, cluster)
    assert [finding.standing.subject.check for _, finding in seen(history, night=3).loose] == ["plugin-x"] * told
    # A comparison with a baseline, or a scan of a part, is no later scan; one of everything is.
    for further, still in (
        (past(3.5, {}, command="drift"), told),
        (past(3.5, {"vault": "G"}, scope="--node n1"), told),
        (past(3.5, {"vault": "G"}), False),
    ):
        later = replace(history, runs=(*history.runs, further))
        assert bool(seen(later, night=3).loose) is still


def test_the_options_of_a_run_say_what_it_asked() -> None:
    run = past(0, {}, scope="--cluster vault --skip-check disk-space --skip-check clock-skew --node n1")
    assert run.series == ("before", (), "--skip-check disk-space --skip-check clock-skew", False)
    assert (run.whole, run.every_cluster) == (False, False)
    plain = past(0, {}, scope="--skip-check disk-space --skip-check clock-skew")
    assert (plain.whole, plain.every_cluster) == (True, True)
    assert past(0, {}, scope="--skip-check a --check b").whole is False
    asked = past(0, {}, phase="after", targets=("vault=11.8.000001",), strict=True, scope="--node n1").asked
    assert asked == "--phase after --target vault=11.8.000001 --strict --node n1"

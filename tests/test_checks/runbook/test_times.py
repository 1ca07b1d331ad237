"""How long a plan takes, and whether it fits: what is known, at its bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.engine.upgrade_path import UpgradePath
from checks.runbook.model import (
    NO_FIGURE,
    Command,
    Estimate,
    Part,
    Proof,
    Refusal,
    Runbook,
    RunbookSet,
    Schedule,
    Step,
    Stretch,
)
from checks.runbook.times import names_of, scheduled, with_own, with_times
from checks.runbook.writer import RunbookWriter, Sizes, Written
from checks.scan import Verdict


def schedule(window_s: int | None, known_s: int, back_s: int, *unknown: str) -> Schedule:
    stretch = Stretch(chapter=2, title="Hop", known_s=known_s, unknown=unknown, steps=3)
    return Schedule(window_s=window_s, stretches=(stretch,), back_s=back_s, back_unknown=())


@pytest.mark.parametrize(
    ("found", "fits", "turn_back_s"),
    [
        (schedule(None, 60, 60), None, None),
        (schedule(60, 60, 60), True, 0),
        (schedule(60, 61, 0), False, None),
        (schedule(60, 0, 61), False, 0),
        (schedule(60, 30, 20), True, 40),
        # What is not known may be long, and what is too long already gets no shorter by it.
        (schedule(60, 30, 20, "2.3"), None, 40),
        (schedule(60, 61, 20, "2.3"), False, 40),
        (schedule(60, 30, 0), True, None),
    ],
)
def test_a_plan_fits_only_if_both_ways_do_and_all_is_known(
    found: Schedule, fits: bool | None, turn_back_s: int | None
) -> None:
    assert (found.fits, found.turn_back_s) == (fits, turn_back_s)


def step(name: str, *commands: Command, seconds: int | None = None, title: str = "", no_return: bool = False) -> Step:
    takes = NO_FIGURE if seconds is None else Estimate(seconds, "told", "vendor")
    return Step(id=name, title=title or name, commands=commands, takes=takes, no_return=no_return)


def plan(*parts: tuple[Step, ...], back: tuple[Step, ...] = (), verdict: Verdict = Verdict.GO) -> Runbook:
    return Runbook(
        cluster="c",
        product="secret-server",
        path=UpgradePath(current="1", target="2", hops=()),
        verdict=verdict,
        blockers=(),
        warnings=(),
        waived=(),
        parts=tuple(Part(f"Part {number}", steps) for number, steps in enumerate(parts, 1)),
        way_back=(),
        troubles=(),
        steps_back=back,
    )


WRITER = RunbookWriter(
    write=lambda *_: Written(parts=()),
    sizes=lambda _: Sizes(database=150 * 10**6, folders={"web1": 999_999, "web2": 10**9, "web3": 1}),
)
DUMP, VERIFY = Command(text="BACKUP DATABASE [a]", language="sql"), Command(text="RESTORE VERIFYONLY", language="sql")


def copy(where: str, *more: str) -> Command:
    return Command(text=" ".join(["robocopy", '"C:\\ss"', '"D:\\b"', *more, "/R:2"]), where=where)


@pytest.mark.parametrize(
    ("commands", "seconds", "basis"),
    [
        ((DUMP,), 2, "the database (150.0 MB), 150.0 MB in all"),
        ((DUMP, VERIFY), 3, "the database (150.0 MB), 300.0 MB in all"),
        ((copy("web1", "/E"),), 1, "the application's folder (999999 bytes), 999999 bytes in all"),
        ((copy("web3", "/E"),), 1, "the application's folder (1 byte), 1 byte in all"),
        ((copy("web2", "/E"), copy("web1", "/E")), 11, "the application's folder (1.0 GB), "),
        ((copy("web9", "/E"),), None, "not known: no size of the application's folder was read"),
        # One part of which the size is not known leaves the whole untold.
        ((DUMP, copy("web9", "/E")), None, "not known: no size of the application's folder was read"),
        # What only lists, or takes single files, moves nothing of note; nor does a word in another language.
        ((copy("web2", "/E", "/L"),), None, NO_FIGURE.basis),
        ((copy("web2"),), None, NO_FIGURE.basis),
        ((replace(DUMP, language="cmd"),), None, NO_FIGURE.basis),
        ((Command(text="ALTER DATABASE [a] SET MULTI_USER", language="sql"),), None, NO_FIGURE.basis),
        ((Command(text='robocopy "C:\\TMS" "D:\\b-TMS" /E', where="web2"),), None, NO_FIGURE.basis),
        (
            (Command(text='robocopy "C:\\TMS" "D:\\b" /E /XF connectionStrings.config', where="web2"),),
            None,
            NO_FIGURE.basis,
        ),
    ],
)
def test_a_step_takes_as_long_as_what_it_moves(commands: tuple[Command, ...], seconds: int | None, basis: str) -> None:
    bare = step("back-up", *commands)
    proven = Step(id="prove", title="Prove", proof=Proof("it shows", commands))
    for one in (bare, proven):
        ((found,),) = (part.steps for part in with_times(plan((one,)), (), WRITER).parts)
        assert found.takes.seconds == seconds
        assert basis in found.takes.basis


def test_times_begin_with_the_window_and_the_point_of_no_return_is_the_first() -> None:
    gate = (step("gate", seconds=1_000, no_return=True), step("asked"))
    hop = (step("stop", seconds=10), step("wait"), step("upgrade", seconds=20, no_return=True))
    after = (step("again", seconds=40, no_return=True), step("prove"))
    found = scheduled(plan(gate, hop, after), 100).schedule
    assert found
    assert [(one.chapter, one.known_s, one.unknown, one.steps) for one in found.stretches] == [
        (2, 30, ("2.2",), 3),
        (3, 40, ("3.2",), 2),
    ]
    assert (found.known_s, found.unknown) == (70, ("2.2", "3.2"))
    assert (found.no_return, found.no_return_s) == ("2.3", 10)
    late = scheduled(plan(gate, (step("stop", seconds=10),), after), 100).schedule
    assert late
    assert (late.no_return, late.no_return_s) == ("3.1", 10)
    none = scheduled(plan(gate, hop[:2]), None).schedule
    assert none
    assert (none.no_return, none.no_return_s) == ("", 0)


def test_of_several_ways_back_the_longest_counts_and_what_each_of_them_takes() -> None:
    back = (
        step("a", seconds=10, title="Back to 9.1.000001: stop"),
        step("b", title="Back to 9.1.000001: restore"),
        step("c", seconds=30, title="Back to 10.9.000005: stop"),
        step("d", seconds=5, title="The other site: stop"),
        step("e", seconds=50, title="Back to where it was"),
    )
    found = scheduled(plan((), back=back), 100).schedule
    assert found
    # The last two are no hop's: whichever hop failed, they are taken.
    assert (found.back_s, found.back_unknown) == (85, ())
    shorter = scheduled(plan((), back=(*back[:2], *back[3:])), 100).schedule
    assert shorter
    assert (shorter.back_s, shorter.back_unknown) == (65, ("R2",))


@pytest.mark.parametrize(
    ("window_s", "strict", "verdict"),
    [(9, True, Verdict.NO_GO), (9, False, Verdict.GO), (10, True, Verdict.GO), (None, True, Verdict.GO)],
)
def test_what_does_not_fit_is_a_no_go_only_with_strict(window_s: int | None, verdict: Verdict, *, strict: bool) -> None:
    whole = plan((), (step("upgrade", seconds=10),))
    assert scheduled(whole, window_s, strict=strict).verdict is verdict


def test_ones_own_figures_are_by_number_by_name_or_by_cluster_and_the_most_exact_counts() -> None:
    whole = plan((step("ask"),), (step("stop"), step("upgrade")), back=(step("restore"), step("stop")))
    assert with_own(whole, {}) == whole
    found = with_own(whole, {"stop": 1, "2.1": 2, "c.2.2": 3, "upgrade": 4, "R1": 5})
    assert [[one.takes.seconds for one in part.steps] for part in found.parts] == [[None], [2, 3]]
    assert [one.takes.seconds for one in found.steps_back] == [5, 1]
    assert found.parts[1].steps[0].takes.origin == "yours"
    assert found.parts[0].steps[0].takes == NO_FIGURE
    for name in ("1.1", "c.2.2", "stop", "R2", "c.R1"):
        assert name in names_of(whole)


NO = Refusal(cluster="c", product="secret-server", reason="none", instead="none", verdict=Verdict.NO_GO)


@pytest.mark.parametrize(
    ("verdicts", "partial", "verdict", "code"),
    [
        ((), False, Verdict.UNKNOWN, 3),
        ((Verdict.GO,), False, Verdict.GO, 0),
        ((Verdict.GO,), True, Verdict.UNKNOWN, 3),
        ((Verdict.GO, Verdict.UNKNOWN), False, Verdict.UNKNOWN, 3),
        ((Verdict.UNKNOWN, Verdict.NO_GO, Verdict.GO), False, Verdict.NO_GO, 1),
        ((Verdict.NO_GO,), True, Verdict.NO_GO, 1),
    ],
)
def test_the_gravest_plan_is_the_verdict_of_all(
    verdicts: tuple[Verdict, ...], verdict: Verdict, code: int, *, partial: bool
) -> None:
    plans = tuple(replace(NO, verdict=one) if one is Verdict.NO_GO else plan((), verdict=one) for one in verdicts)
    found = RunbookSet(
        inventory="i", tool_version="1", asked=datetime(2026, 1, 1, tzinfo=UTC), plans=plans, partial=partial
    )
    assert (found.verdict, found.exit_code) == (verdict, code)

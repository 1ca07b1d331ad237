"""Whatever a plugin's check or reader does, the scan ends with its own verdict, and says who did what."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

from checks.check import ClusterCheck, ClusterInfo, NodeCheck, NodeView
from checks.engine.evaluation import GatheredCluster, Guard, evaluate
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Result, Severity, Status, passed
from scanner.plugins import GROUP, load_plugins
from scanner.plugins.foreign import Allowance, ForeignCodeError, many_calls
from scanner.probes.probe import Answer, Probe
from scanner.run.facts import read_facts
from scanner.run.judge import _guard
from scanner.transports.answers import NodeResponse

posix = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")


class OwnInterrupt(KeyboardInterrupt):
    """What a plugin may make of it."""


class MuteError(Exception):
    """Not even its message can be had."""

    def __str__(self) -> str:
        raise ValueError


def leave() -> None:
    raise SystemExit(0)


def interrupt() -> None:
    raise OwnInterrupt


def recurse() -> None:
    recurse()


def exhaust() -> None:
    raise MemoryError


def close() -> None:
    raise GeneratorExit


def advise() -> None:
    int("9" * 10_000)


def spin() -> None:
    while True:
        with contextlib.suppress(Exception):  # as careless code swallows whatever it can
            time.sleep(0.01)


MISDEEDS: list[tuple[Callable[[], None], str]] = [
    (leave, "SystemExit: 0"),
    (interrupt, "OwnInterrupt"),
    (recurse, "RecursionError: maximum recursion depth exceeded"),
    (exhaust, "MemoryError"),
    (close, "GeneratorExit"),
    (advise, "ValueError: a number with thousands of digits"),
]
INFO = ClusterInfo("vault", "secret-server")
SEEN = NodeView(cluster=INFO, name="web1", host="web1", roles=frozenset({"web"}))


def judged(misdeed: Callable[[], None], guard: Callable[[], Guard] = _guard) -> list[Result]:
    """A check of a node and one of a cluster that do it, each before one that passes."""

    def judge(_: object) -> Outcome:
        misdeed()
        return passed("fine")

    def check(kind: Callable[..., NodeCheck | ClusterCheck], name: str, does: object) -> NodeCheck | ClusterCheck:
        return kind(
            id=name, title=name, severity=Severity.LOW, doc="", remediation=Remediation("x"), products=(), judge=does
        )

    checks = [
        check(kind, f"{kind.__name__.lower()}-{name}", does)
        for kind in (NodeCheck, ClusterCheck)
        for name, does in (("bad", judge), ("good", lambda _: passed("fine")))
    ]
    return list(evaluate(checks, [GatheredCluster(INFO, (SEEN,), frozenset({"web1"}))], guard))


@pytest.mark.parametrize(("misdeed", "told"), MISDEEDS)
def test_a_check_ends_nothing_but_itself(misdeed: Callable[[], None], told: str) -> None:
    results = judged(misdeed)
    assert [row.status for row in results] == [Status.ERROR, Status.PASS] * 2
    for row in results[::2]:
        assert f"the check itself failed, which is a defect of it: {told}" in row.message
        assert "set_int_max" not in row.message


@pytest.mark.parametrize(("misdeed", "told"), MISDEEDS)
def test_a_reader_ends_nothing_but_itself(misdeed: Callable[[], None], told: str) -> None:
    def read(_: Answer) -> str:
        misdeed()
        return ""

    facts = read_facts(_said("x"), (_probe(read, str), _probe(lambda _: 1, int)))
    found = facts[str]
    assert isinstance(found, Unknown)
    assert "probe odd: " in found.reason
    assert told in found.reason
    assert "set_int_max" not in found.reason
    assert facts[int] == 1


@pytest.mark.parametrize(("misdeed", "told"), MISDEEDS)
def test_a_plugin_that_loads_oddly_is_an_error(
    misdeed: Callable[[], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda _: misdeed)
    loaded = load_plugins((), [EntryPoint("odd", "odd:offer", GROUP)])
    assert [row.status for row in loaded.failures] == [Status.ERROR]
    assert told in loaded.failures[0].message


def test_an_exception_that_cannot_be_shown_is_named() -> None:
    def read(_: Answer) -> str:
        raise MuteError

    found = read_facts(_said("x"), (_probe(read, str),))[str]
    assert isinstance(found, Unknown)
    assert found.reason == "probe odd: unreadable answer, MuteError"


def test_the_users_interrupt_is_the_users() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Allowance().call(interrupted)


@posix
def test_what_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Allowance.__init__, "__defaults__", (0.2,))
    results = judged(spin)
    assert [row.status for row in results] == [Status.ERROR, Status.ERROR, Status.ERROR, Status.PASS]
    assert "ended after 0.2 s without a result" in results[0].message
    assert "not begun: what was judged before it had taken 0.2 s" in results[1].message

    facts = read_facts(_said("x"), (_probe(lambda _: spin(), str),))
    assert facts[str] == Unknown("probe odd: reading its answer ended after 0.2 s without a result")


@posix
def test_a_pattern_that_never_ends_is_ended() -> None:
    pattern = foreign_pattern()
    with pytest.raises(ForeignCodeError, match="ended after"):
        Allowance(0.2).call(lambda: pattern("a" * 200 + "!"))


def test_a_long_line_is_refused_unread() -> None:
    found = read_facts(_said("ok\n" + "x" * 40_000), (_probe(lambda _: "read", str),))[str]
    assert found == Unknown("probe odd: unreadable answer, a line of 40,000 characters")


def foreign_pattern() -> Callable[[str], object]:
    import re

    return re.compile("(a+)+$").match


def _probe(reader: Callable[[Answer], object], kind: type) -> Probe:
    return Probe(id="odd", language="sh", purpose="", script="true", readers=((kind, reader),))


def _said(output: str) -> NodeResponse:
    return NodeResponse(cluster="vault", node="web1", host="web1", transport="ssh", answers={"odd": Answer(output, 0)})


@posix
def test_the_timers_signal_is_taken_once_for_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGALRM)
    taken: list[object] = []
    setting = signal.signal

    def take(number: int, what: Callable[..., None]) -> object:
        taken.append(what)
        return setting(number, what)

    monkeypatch.setattr(signal, "signal", take)
    with many_calls():
        for _ in range(100):
            assert Allowance().call(lambda: 1) == 1
        with pytest.raises(ForeignCodeError, match=r"ended after 0\.05 s"):
            Allowance(0.05).call(lambda: time.sleep(60))
        assert len(taken) == 1, "to take it and to give it back for each check costs more than most checks"
    assert taken[1:] == [before], "and it is given back"
    assert signal.getsignal(signal.SIGALRM) is before
    with pytest.raises(ForeignCodeError, match=r"ended after 0\.05 s"):
        Allowance(0.05).call(lambda: time.sleep(60))
    assert signal.getsignal(signal.SIGALRM) is before, "nor does a call by itself keep it"


@posix
def test_the_timers_signal_is_given_back_whatever_ends_the_calls() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(ZeroDivisionError), many_calls():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGALRM) is before
    with many_calls(), many_calls():
        assert Allowance().call(lambda: 1) == 1
    assert signal.getsignal(signal.SIGALRM) is before

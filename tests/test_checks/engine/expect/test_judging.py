"""Expectations held against what nodes said: kept, broken, and not to be told."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from checks.baseline.drift_rules import DriftRules
from checks.baseline.fact_paths import flatten, kind_name
from checks.check import ClusterInfo, ClusterView, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.engine.expect.judging import check_of
from checks.engine.expect.model import Expectation, Kind
from checks.engine.expect.observation import Observation, observation_kind
from checks.facts import Unknown
from checks.outcome import Result, Status

INFO = ClusterInfo("chef", "chef-backend")


def expectation(
    kind: Kind, subject: str = "it", *, same: bool = False, warns: bool = False, **wants: Any
) -> Expectation:
    return Expectation(id="own", title="It is so", kind=kind, subject=subject, wants=wants, same=same, warns=warns)


def seen(gaps: dict[str, str] | None = None, **found: str) -> Observation:
    items = {item.replace("_", "-"): text for item, text in found.items()}
    return observation_kind("own")(items, gaps or {})


def judged(wanted: Expectation, *said: Observation | Unknown) -> Result:
    kind = observation_kind("own")
    nodes = tuple(
        NodeView(cluster=INFO, name=f"node-{number}", host="h", roles=frozenset({"backend"}), facts={kind: one})
        for number, one in enumerate(said, 1)
    )
    results = evaluate([check_of(wanted)], [GatheredCluster(INFO, nodes, frozenset(node.name for node in nodes))])
    assert wanted.same or len(results) == len(said)
    return results[-1]


KEPT: list[tuple[Expectation, Observation]] = [
    (expectation("file"), seen(exists="yes")),
    (expectation("file", exists=False), seen(exists="no")),
    (expectation("file", max_mode="0640"), seen(exists="yes", mode="0600")),
    (expectation("file", mode="640"), seen(exists="yes", mode="0640")),
    (expectation("file", least="5", most="9"), seen(exists="yes", size="7")),
    (expectation("file", lacks=("x",)), seen(exists="yes", lacks_1="no")),
    (expectation("registry", name="Start", value="4"), seen(exists="yes", value="4")),
    (expectation("registry", name="Length", least="14"), seen(exists="yes", value="15")),
    (expectation("registry", name="Protocols", matches=("^TLS",)), seen(exists="yes", value="SSL\nTLS1.2")),
    (expectation("service", running=False), seen(exists="no")),
    (expectation("service", enabled=True), seen(exists="yes", state="inactive (dead)", running="no", enabled="yes")),
    (expectation("package", installed=False), seen(installed="no")),
    (expectation("package", version=">=2"), seen(installed="yes", version="2.1", manager="rpm")),
    (expectation("port", listening=False), seen(listening="no")),
    (expectation("port", address="127.0.0.1"), seen(listening="yes", addresses="127.0.0.1")),
    (expectation("command", exit=3), seen(exit="3")),
    (expectation("command", exit=127), seen(exit="127")),
    (expectation("sql", value="0"), seen(rows="1", value="0")),
    (expectation("sql", rows=0), seen(rows="0")),
]
KEPT_ON_THE_EDGE: list[tuple[Expectation, Observation]] = [
    (expectation("sql"), seen(rows="3")),
    (expectation("file", least="7", most="7"), seen(exists="yes", size="7")),
    (expectation("registry", name="Length", least="14", most="14"), seen(exists="yes", value="14")),
    (expectation("registry", name="N", contains=("b",), lacks=("x",)), seen(exists="yes", value="abc")),
    (expectation("sql", contains=("b",), lacks=("x",), matches_not=("^b",)), seen(rows="1", value="abc")),
    (expectation("command", lacks=("x",), matches=("^a",)), seen(exit="0", lacks_1="no", matches_1="yes")),
]
BROKEN: list[tuple[Expectation, Observation, str]] = [
    (expectation("file"), seen(exists="no"), "file it: does not exist"),
    (expectation("file", exists=False), seen(exists="yes"), "exists"),
    (expectation("file", max_mode="0640"), seen(exists="yes", mode="0644"), "mode is 0644, expected at most 0640"),
    (expectation("file", mode="0600"), seen(exists="yes", mode="4600"), "mode is 4600, expected 0600"),
    (expectation("file", owner="root"), seen(exists="yes", owner="bob"), "owner is bob, expected root"),
    (expectation("file", most="9"), seen(exists="yes", size="10"), "size is 10, expected at most 9"),
    (expectation("file", contains=("x",)), seen(exists="yes", contains_1="no"), "does not have 'x' in it"),
    (expectation("file", matches_not=("x",)), seen(exists="yes", matches_not_1="yes"), "has a line that matches 'x'"),
    (expectation("registry", name="Start", value="4"), seen(exists="yes", value="40"), "the value is 40, expected 4"),
    (expectation("registry", name="Start", value="4"), seen(exists="no"), "does not exist"),
    (expectation("registry", name="Length", least="14"), seen(exists="yes", value="many"), "is no number but 'many'"),
    (
        expectation("registry", name="L", least="9007199254740993"),
        seen(exists="yes", value="9007199254740992"),
        "the value",
    ),
    (expectation("service"), seen(exists="no"), "there is no such service"),
    (
        expectation("service"),
        seen(exists="yes", state="active (exited)", running="no"),
        "does not run (active (exited))",
    ),
    (expectation("service", exists=False), seen(exists="yes", running="no"), "the service exists"),
    (expectation("package"), seen(installed="no"), "is not installed"),
    (
        expectation("package", version=">=2"),
        seen(installed="yes", version="1.9, 2.1", manager="rpm"),
        "version 1.9, exp",
    ),
    (expectation("port", listening=False), seen(listening="yes", addresses="::"), "somebody listens"),
    (
        expectation("port", address="127.0.0.1"),
        seen(listening="yes", addresses="127.0.0.1, ::"),
        "listens on ::, expected",
    ),
    (expectation("command"), seen(exit="1"), "ended with 1, expected 0"),
    (expectation("command", version=">=2"), seen(exit="0", version="1.5"), "version 1.5, expected >=2"),
    (expectation("sql", value="0"), seen(rows="1", value="3"), "the value is 3, expected 0"),
    (expectation("sql", rows=0), seen(rows="2"), "the number of rows is 2, expected 0"),
]
BROKEN_ON_THE_EDGE: list[tuple[Expectation, Observation, str]] = [
    (expectation("registry", name="L", least="14"), seen(exists="yes", value="13"), "is 13, expected at least 14"),
    (expectation("registry", name="L", most="14"), seen(exists="yes", value="15"), "is 15, expected at most 14"),
    (expectation("registry", name="N", contains=("x",)), seen(exists="yes", value="abc"), "does not have 'x' in it"),
    (expectation("registry", name="N", lacks=("b",)), seen(exists="yes", value="abc"), "has 'b' in it"),
    (expectation("sql", matches=("^b",)), seen(rows="1", value="abc"), "has no line that matches '^b'"),
    (expectation("sql", matches=("^b",)), seen(rows="1", value=""), "has no line that matches '^b'"),
    (expectation("command", contains=("x",)), seen(exit="0", contains_1="no"), "what it prints does not have 'x' in"),
    (expectation("package", installed=False), seen(installed="yes", version="1.2"), "package it: is installed, 1.2"),
    (expectation("service", running=True), seen(exists="no"), "there is no such service"),
    (expectation("service", enabled=False, running=True), seen(exists="no"), "there is no such service"),
    (expectation("port"), seen(listening="no"), "nobody listens"),
]
UNTOLD: list[tuple[Expectation, Observation | Unknown, str]] = [
    (expectation("file"), Unknown("the answer is cut off"), "the answer is cut off"),
    (expectation("file"), seen({"exists": "denied"}), "whether exists cannot be told: denied"),
    (expectation("file", sha256="0" * 64), seen({"sha256": "denied"}, exists="yes"), "SHA-256 cannot be told: denied"),
    (expectation("file", mode="0600"), seen(exists="yes"), "mode cannot be told: the node did not say"),
    (expectation("file", lacks=("x",)), seen(exists="yes"), "cannot be told"),
    (expectation("service", enabled=True), seen({"enabled": "its unit is static"}, exists="yes"), "its unit is static"),
    (expectation("package", version=">1"), seen({"version": "none on record"}, installed="yes"), "none on record"),
    (expectation("command"), seen(exit="127"), "did not run (exit 127, not found)"),
    (expectation("command", version=">1"), seen({"version": "there is none"}, exit="0"), "there is none"),
    (expectation("sql", value="0"), seen({"rows": "login failed"}), "login failed"),
    (expectation("sql", value="0"), seen({"value": "it gave 2 rows"}, rows="2"), "it gave 2 rows"),
]


@pytest.mark.parametrize(("wanted", "said"), [*KEPT, *KEPT_ON_THE_EDGE])
def test_what_is_as_expected_passes(wanted: Expectation, said: Observation) -> None:
    assert judged(wanted, said).status is Status.PASS


@pytest.mark.parametrize(("wanted", "said", "message"), [*BROKEN, *BROKEN_ON_THE_EDGE])
def test_what_is_not_fails_and_says_how_it_is(wanted: Expectation, said: Observation, message: str) -> None:
    result = judged(wanted, said)
    assert result.status is Status.FAIL
    assert message in result.message
    assert result.expected
    assert result.observed


@pytest.mark.parametrize(("wanted", "said", "message"), UNTOLD)
def test_what_nobody_could_say_is_an_error(wanted: Expectation, said: Observation | Unknown, message: str) -> None:
    result = judged(wanted, said)
    assert result.status is Status.ERROR
    assert message in result.message


@pytest.mark.parametrize("said", [*(row[1] for row in KEPT), *(row[1] for row in BROKEN)], ids=str)
@pytest.mark.parametrize("wanted", [row[0] for row in KEPT], ids=lambda one: f"{one.kind}-{'-'.join(one.wants)}")
def test_nothing_passes_of_which_an_item_is_missing(wanted: Expectation, said: Observation) -> None:
    """Every item that the judgement rests on, taken away in turn."""
    if judged(wanted, said).status is not Status.PASS:
        return
    needed = [item for item in said.found if item in wanted.items() and item not in ("state", "manager")]
    idle = {"port": ("addresses",), "package": ("version",), "file": (), "service": ("enabled", "running")}
    for item in needed:
        left = observation_kind("own")({name: text for name, text in said.found.items() if name != item})
        if judged(wanted, left).status is Status.PASS:
            assert item in idle.get(wanted.kind, ()), (item, wanted)


@pytest.mark.parametrize(
    ("wanted", "said", "message"),
    [
        (
            expectation("file", mode="0600"),
            seen({"exists": "denied"}),
            "file it: whether exists cannot be told: denied",
        ),
        (expectation("file", exists=False, mode="0600"), seen(exists="yes", mode="0644"), "file it: exists"),
        (expectation("file", mode="0600", owner="root"), seen(exists="no"), "file it: does not exist"),
        (
            expectation("registry", name="N", value="4"),
            seen({"exists": "denied"}),
            "registry it, value N: whether exists cannot be told: denied",
        ),
        (
            expectation("registry", name="N", value="4", exists=False),
            seen(exists="yes", value="3"),
            "registry it, value N: exists",
        ),
        (expectation("package", version="<2"), seen({"installed": "denied"}), "whether is installed cannot be told"),
        (expectation("port", address="::1"), seen({"listening": "denied"}), "whether somebody listens cannot be told"),
    ],
)
def test_what_is_not_there_is_asked_no_further(wanted: Expectation, said: Observation, message: str) -> None:
    result = judged(wanted, said)
    assert message in result.message
    assert "; " not in result.message


def test_what_a_command_printed_is_shown_beside_what_is_wrong_with_it() -> None:
    wanted = expectation("command", contains=("x",), lacks=("y",))
    kind = observation_kind("own")
    result = judged(wanted, kind({"exit": "0", "contains-1": "no"}, {"lacks-1": "cut off"}, "a\nb"))
    assert result.status is Status.FAIL
    assert result.message == (
        "command it: what it prints does not have 'x' in it: a b; whether it has 'y' in it cannot be told: cut off"
    )
    result = judged(expectation("command"), kind({"exit": "127"}, {}, "sh: it: not found"))
    assert result.message == "command it: the command did not run (exit 127, not found): sh: it: not found"


@pytest.mark.parametrize(
    ("wanted", "said", "observed"),
    [
        (expectation("sql"), seen(rows="3"), "3 rows"),
        (expectation("sql", rows=3), seen(rows="3"), "the number of rows 3"),
        (expectation("sql", value="9"), seen(rows="1", value="9"), "the value 9"),
        (expectation("package"), seen(installed="yes", version="1.2"), "is installed, 1.2"),
        (expectation("package", version="1.2"), seen(installed="yes", version="1.2"), "is installed; version 1.2"),
        (expectation("file", owner="x" * 200), seen(exists="yes", owner="x" * 200), f"exists; owner {'x' * 200}"),
        (
            expectation("file", owner="x" * 201),
            seen(exists="yes", owner="x" * 201),
            f"exists; owner {'x' * 199}…",
        ),
        (expectation("service", enabled=True), seen(exists="yes", running="no", enabled="yes"), "starts by itself"),
    ],
)
def test_what_was_observed_is_told_in_short(wanted: Expectation, said: Observation, observed: str) -> None:
    result = judged(wanted, said)
    assert (result.status, result.observed) == (Status.PASS, observed)


def test_a_breach_stands_beside_what_cannot_be_told() -> None:
    wanted = expectation("file", mode="0600", sha256="0" * 64)
    result = judged(wanted, seen({"sha256": "denied"}, exists="yes", mode="0644"))
    assert result.status is Status.FAIL
    assert "mode is 0644" in result.message
    assert "denied" in result.message


def test_it_may_be_a_warning_alone() -> None:
    assert judged(expectation("file", warns=True), seen(exists="no")).status is Status.WARN


class TestSameOnAllNodes:
    wanted = expectation("file", same=True)
    one, two = seen(exists="yes", sha256="1" * 64), seen(exists="yes", sha256="2" * 64)

    def test_alike(self) -> None:
        assert judged(self.wanted, self.one, self.one).status is Status.PASS

    def test_the_outlier_is_named_with_what_it_has(self) -> None:
        result = judged(self.wanted, self.one, self.one, self.two)
        assert result.status is Status.FAIL
        assert "node-3 differs from node-1 and node-2" in result.message
        assert "2222" in result.message

    def test_only_what_differs_is_told_and_all_of_it_is_observed(self) -> None:
        wanted = expectation("file", same=True, owner="root", sha256="1" * 64)
        said = [seen(exists="yes", owner="root", sha256=digit * 64) for digit in "112"]
        result = judged(wanted, *said)
        one, two = f"{'1' * 16}…", f"{'2' * 16}…"
        assert f"node-3 differs from node-1 and node-2: node-1 and node-2: sha256 {one}; node-3: sha256 {two}" in (
            result.message
        )
        assert result.observed == (
            f"node-1 and node-2: exists yes, owner root, sha256 {one}; node-3: exists yes, owner root, sha256 {two}"
        )

    def test_one_that_is_unknown_keeps_it_from_passing(self) -> None:
        assert judged(self.wanted, self.one, Unknown("cut off"), self.one).status is Status.ERROR

    def test_a_proven_difference_stands(self) -> None:
        assert judged(self.wanted, self.one, Unknown("cut off"), self.two).status is Status.FAIL

    def test_one_that_could_not_say_it_is_no_difference_and_no_pass(self) -> None:
        result = judged(self.wanted, self.one, seen({"sha256": "denied"}, exists="yes"), self.one)
        assert result.status is Status.ERROR
        assert "node-2: sha256 cannot be compared: denied" in result.message

    def test_alike_and_yet_not_as_expected(self) -> None:
        wanted = expectation("file", same=True, mode="0600")
        said = seen(exists="yes", mode="0644")
        assert "node-1 and node-2: mode is 0644" in judged(wanted, said, said).message

    def test_it_is_nowhere(self) -> None:
        assert judged(self.wanted, seen(exists="no"), seen(exists="no")).status is Status.FAIL

    def test_a_single_node_has_none_to_be_compared_with(self) -> None:
        assert judged(self.wanted, self.one).status is Status.SKIP


def test_it_concerns_the_clusters_that_it_is_for() -> None:
    wanted = Expectation(id="own", title="t", kind="file", subject="/x", clusters=("other",))
    view = NodeView(cluster=INFO, name="n", host="h", roles=frozenset({"backend"}))
    assert evaluate([check_of(wanted)], [GatheredCluster(INFO, (view,), frozenset({"n"}))]) == ()


def test_each_has_a_kind_of_fact_of_its_own_that_can_be_pickled() -> None:
    kind = observation_kind("time-sync")
    assert kind is observation_kind("time-sync") is not observation_kind("time")
    assert kind_name(kind) == "expect-time-sync"
    fact = kind({"exists": "yes", "mode": "0600"}, {}, "shown")
    assert pickle.loads(pickle.dumps((kind, fact))) == (kind, fact)
    assert pickle.loads(pickle.dumps(Observation)) is Observation
    assert flatten(fact, {})["expect-time-sync.found[mode]"] == "0600"


def test_drift_compares_all_of_it_but_what_is_there_to_be_shown() -> None:
    rules = DriftRules(fields={}, keys={}).with_kinds([observation_kind("time-sync")])
    assert not rules.ignores("expect-time-sync.found[mode]")
    assert rules.ignores("expect-time-sync.shown")


def test_a_view_of_no_nodes_says_so() -> None:
    check: Any = check_of(expectation("file", same=True))
    assert check.judge(ClusterView(INFO, ())).status is Status.ERROR

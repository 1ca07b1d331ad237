from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.check import ClusterInfo
from checks.engine.rules import Rule, RuleSet
from checks.engine.upgrade_path import (
    FRONTEND_PATH,
    STRATEGIES,
    NoPath,
    PlanError,
    UpgradePath,
    path_to,
    remarks,
    route,
    target_of,
)
from checks.registry import PRODUCTS
from checks.versions import VersionError, parse_secret_server, parse_version
from scanner.rule_data import load_rules

VAULT = load_rules("secret-server")
CHEF = load_rules("chef-backend")
PARSE = {product.name: product.parse for product in PRODUCTS}


def hops(product: str, rules: RuleSet, current: str | None, target: str) -> list[str]:
    return [hop.version for hop in path_to(PARSE[product], rules, current, target).hops]


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [
        ("8.3.000000", "11.7.000049", ["8.4.000004", "9.1.000001", "10.9.000005", "11.7.000049"]),
        ("8.4.000004", "11.7.000049", ["9.1.000001", "10.9.000005", "11.7.000049"]),
        ("9.1.000000", "10.0.000000", ["9.1.000001", "10.0.000000"]),
        ("9.1.000001", "10.9.000005", ["10.9.000005"]),
        ("10.9.000005", "10.9.000006", ["10.9.000006"]),
        ("8.3.000000", "8.4.000005", ["8.4.000005"]),
        ("10.9.000004", "10.9.000006", ["10.9.000005", "10.9.000006"]),
        ("11.7.000049", "11.7.000049", []),
        ("12.3.000024", "11.7.000049", []),
    ],
)
def test_secret_server_stops_at_each_stone_that_is_ahead(current: str, target: str, expected: list[str]) -> None:
    assert hops("secret-server", VAULT, current, target) == expected


def test_an_unknown_source_may_need_every_stone() -> None:
    expected = ["8.4.000004", "9.1.000001", "10.9.000005", "11.7.000049"]
    assert hops("secret-server", VAULT, None, "11.7.000049") == expected
    assert hops("secret-server", VAULT, None, "9.1.000001") == ["8.4.000004", "9.1.000001"]


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [
        ("2.0.30", "2.3.16", ["2.3.16"]),
        ("2.0.30", "3.1.1", ["2.3.16", "3.1.1"]),
        ("2.1.0", "3.1.1", ["3.1.1"]),
        ("1.4.6", "3.1.1", ["2.3.16", "3.1.1"]),
        ("1.4.6", "2.3.16", ["2.3.16"]),
    ],
)
def test_chef_backend_stops_at_2_3_16(current: str, target: str, expected: list[str]) -> None:
    assert hops("chef-backend", CHEF, current, target) == expected


def test_each_stop_knows_the_rule_that_asks_for_it() -> None:
    path = path_to(parse_secret_server, VAULT, "10.8.000004", "11.7.000049")
    assert [hop.stone.id if hop.stone else None for hop in path.hops] == ["stone-10.9.000005", None]


def test_the_order_of_the_data_does_not_matter() -> None:
    turned = RuleSet(tuple(reversed(VAULT.rules)))
    assert hops("secret-server", turned, "8.3.000000", "11.7.000049")[:2] == ["8.4.000004", "9.1.000001"]


def test_a_stone_beyond_the_target_is_no_stop() -> None:
    rules = VAULT.with_overrides({"stone-10.9.000005": {"target": "", "reason": "rehearsal"}})
    assert hops("secret-server", rules, "10.0.000001", "10.5.000000") == ["10.5.000000"]


def test_malformed_versions_are_refused() -> None:
    with pytest.raises(VersionError):
        path_to(parse_secret_server, VAULT, "8.9", "11.7.000049")


@pytest.mark.parametrize(
    ("target", "text"),
    [(None, "no target version: set `target` in the inventory, or --target prod=VERSION"), ("11.7", "six digits")],
)
def test_a_target_that_cannot_be_used_says_why(target: str | None, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        target_of(ClusterInfo("prod", "secret-server", target=target, definition=PRODUCTS[0]))


@pytest.mark.parametrize(
    ("current", "target", "strategies"),
    [
        ("1.1.2", "1.4.6", ["rolling"]),
        ("1.4.6", "2.3.16", ["downtime"]),
        ("2.1.0", "2.3.16", ["rolling"]),
        ("2.0.30", "3.1.1", ["by-index 5.4.1", "by-index 5.6.16"]),
        ("1.4.6", "3.1.1", ["downtime", "by-index 5.6.16"]),
        ("0.8.0", "3.1.1", ["downtime", "by-index 5.6.16"]),
        ("2.3.16", "3.1.1", ["by-index 5.6.16"]),
        ("3.0.0", "3.1.1", ["rolling"]),
    ],
)
def test_each_step_of_chef_says_how_it_is_taken(current: str, target: str, strategies: list[str]) -> None:
    path = route(parse_version, CHEF, current, target)
    assert isinstance(path, UpgradePath)
    assert [hop.strategy.requires if hop.strategy else None for hop in path.hops] == strategies


@pytest.mark.parametrize(
    ("product", "rules", "current", "target", "reason", "instead"),
    [
        ("chef-backend", CHEF, "0.9.0", "2.2.0", "no document of the vendor's covers 0.9.0 to 2.2.0", "support"),
        ("chef-backend", CHEF, "3.1.1", "4.0.0", "no document of the vendor's covers 3.1.1 to 4.0.0", "support"),
        ("chef-backend", CHEF, "0.9.0", "1.4.6", "no document of the vendor's covers 0.9.0 to 1.4.6", "support"),
        ("chef-backend", CHEF, "3.1.1", "2.3.16", "older than what is installed, 3.1.1", "restored backup"),
        ("chef-backend", CHEF, "2.3.16", "2.3.16", "nothing to do", "--phase after"),
        ("secret-server", VAULT, "7.0.000005", "11.7.000049", "no documented self-service upgrade", "support"),
    ],
)
def test_where_there_is_no_way_it_says_why_and_what_to_do(
    product: str, rules: RuleSet, current: str, target: str, reason: str, instead: str
) -> None:
    found = route(PARSE[product], rules, current, target)
    assert isinstance(found, NoPath)
    assert reason in found.reason
    assert instead in found.instead


def test_each_hop_knows_what_is_asked_for_there_and_only_there() -> None:
    path = route(parse_secret_server, VAULT, "9.0.000000", "11.7.000049")
    assert isinstance(path, UpgradePath)
    asked = {hop.version: {rule.id for rule in hop.requirements} for hop in path.hops}
    assert "integrated-pipeline" not in asked["9.1.000001"]
    assert {"integrated-pipeline", "dotnet-48", "sql-server-2012"} <= asked["10.9.000005"]
    assert "windows-2008r2" in asked["9.1.000001"]
    assert not any("stone" in rule_id for ids in asked.values() for rule_id in ids)


def test_a_stop_may_need_a_stop_of_its_own() -> None:
    rules = _rules(_stone("a", "5.0", target=">=6.0"), _stone("b", "3.0", target="==5.0"))
    assert hops("chef-backend", rules, "1.0", "7.0") == ["3.0", "5.0", "7.0"]
    assert hops("chef-backend", rules, "1.0", "5.5") == ["5.5"]


def test_the_gravest_strategy_counts() -> None:
    light, grave = (
        replace(_stone(name, "1.0"), requires=name, current=">=1.0", target=">=1.0") for name in ("rolling", "downtime")
    )
    for rules in (_rules(light, grave), _rules(grave, light)):
        assert path_to(parse_version, rules, "1.0", "2.0").hops[0].strategy == grave


WAY = {"target": ">=1.0", "current": ">=1.0"}


def told(*rules: Rule, current: str = "1.0", target: str = "2.0", index: str = "") -> list[str]:
    known = _rules(*(replace(rule, effect="warn") for rule in rules))
    path = route(parse_version, known, current, target, index)
    assert isinstance(path, UpgradePath), path
    # As grave as a failure, what is told of a way is that there is none.
    grave = route(parse_version, _rules(*rules), current, target, index)
    found = [text for _, text in remarks(known, path, index)]
    assert found[:1] == ([grave.reason] if isinstance(grave, NoPath) else [])
    return found


@pytest.mark.parametrize(
    ("requires", "index", "said"),
    [
        ("rolling", "", False),
        ("rolling", "1.0", False),
        ("downtime", "9.0", True),
        ("by-index 5.6.16", "", True),
        ("by-index 5.6.16", "5.6.15", True),
        ("by-index 5.6.16", "5.6.16", False),
        ("by-index 5.6.16", "6.0.0", False),
        ("by-index 5.6.16", "no version", True),
        ("by-index", "", True),
        ("by-index", "1.0", False),
    ],
)
def test_that_a_step_can_be_taken_node_by_node_goes_without_saying(requires: str, index: str, said: bool) -> None:
    found = told(_stone("way", requires, **WAY), index=index)
    assert found == (["1.0 to 2.0: a stop"] if said else [])


@pytest.mark.parametrize(
    ("target", "current", "said"),
    [
        ("", "", True),
        (">=2.0", "", True),
        (">=3.0", "", False),
        ("", "<2.0", True),
        ("", ">=2.0", False),
        (">=2.0", ">=2.0", False),
        (">=3.0", "<2.0", False),
    ],
)
def test_a_note_is_told_of_the_steps_that_it_concerns(target: str, current: str, said: bool) -> None:
    way = _stone("way", "rolling", **WAY)
    assert told(way, _stone("note", "note", target, current)) == (["1.0 to 2.0: a stop"] if said else [])


def test_a_strategy_is_told_of_its_own_steps() -> None:
    stop = _stone("stop", "2.0", target=">=3.0")
    grave = _stone("grave", "downtime", target=">=3.0", current=">=2.0")
    light = _stone("light", "rolling", **WAY)
    assert told(light, grave, stop, target="3.0") == ["2.0 to 3.0: a stop"]
    assert told(light, grave, _stone("too", "downtime", target="<3.0"), stop, target="3.0") == [
        "2.0 to 3.0: a stop",
        "1.0 to 2.0: a stop",
    ]


@pytest.mark.parametrize(("current", "allowed"), [("2.1", True), ("2.1.1rc1", True), ("2.0", False), ("2.1rc1", False)])
def test_a_floor_is_what_has_to_be_installed_already(current: str, allowed: bool) -> None:
    rules = _rules(_stone("floor", ">=2.1", target=">=3.0"), _stone("way", "rolling", **WAY))
    found = route(parse_version, rules, current, "3.0")
    assert isinstance(found, UpgradePath) is allowed
    if isinstance(found, NoPath):
        assert (found.reason, found.rule) == ("a stop", rules.rules[0])
        assert "support" in found.instead
    assert isinstance(route(parse_version, rules, current, "2.9"), UpgradePath)


@pytest.mark.parametrize(("current", "installed"), [("2.0", True), ("2.0.0", True), ("2.1", False)])
def test_only_what_is_installed_is_nothing_to_do(current: str, installed: bool) -> None:
    found = route(parse_version, _rules(), current, "2.0")
    assert isinstance(found, NoPath)
    assert found.installed is installed
    assert found.rule is None


def test_a_target_is_taken_as_it_is_meant() -> None:
    info = ClusterInfo("prod", "secret-server", target=" 11.7.000049 ", definition=PRODUCTS[0])
    assert target_of(info) == "11.7.000049"


def _stone(rule_id: str, requires: str, target: str = "", current: str = "") -> Rule:
    return Rule(
        id=rule_id,
        check="stepping-stone",
        target=target,
        requires=requires,
        text="a stop",
        source="a document",
        current=current,
    )


def _rules(*rules: Rule) -> RuleSet:
    return RuleSet(rules)


VERSIONS = st.tuples(st.integers(0, 6), st.integers(0, 3)).map(lambda pair: f"{pair[0]}.{pair[1]}")
BOUNDS = st.one_of(st.just(""), st.tuples(st.sampled_from([">=", "<", ">", "<="]), VERSIONS).map("".join))
STONES = st.builds(_stone, st.uuids().map(str), VERSIONS, target=BOUNDS, current=BOUNDS)
FLOORS = st.builds(_stone, st.uuids().map(str), VERSIONS.map(lambda v: f">={v}"), target=BOUNDS)
WAYS = st.builds(_stone, st.uuids().map(str), st.sampled_from(STRATEGIES), target=BOUNDS, current=BOUNDS)
RULES = st.lists(st.one_of(STONES, FLOORS, WAYS), max_size=8).map(lambda rules: _rules(*rules))


def _asks_between(rules: RuleSet, low: str, stop: str, high: str) -> bool:
    return any(
        rule.requires == stop and rule.applies_from(low) and rule.applies_to(high)
        for rule in rules.rules
        if rule.requires[:1].isdigit()
    )


@given(RULES, VERSIONS, VERSIONS)
def test_a_path_ends_at_the_target_and_only_climbs(rules: RuleSet, current: str, target: str) -> None:
    found = route(parse_version, rules, current, target)
    if isinstance(found, NoPath):
        assert found.reason
        assert found.instead
        return
    stops = [parse_version(text) for text in (current, *(hop.version for hop in found.hops))]
    assert all(one < two for one, two in itertools.pairwise(stops))
    assert found.hops[-1].version == target


@given(RULES, VERSIONS, VERSIONS)
def test_every_step_is_allowed_and_no_stop_can_be_left_out(rules: RuleSet, current: str, target: str) -> None:
    found = route(parse_version, rules, current, target)
    if isinstance(found, NoPath):
        return
    stops = [current, *(hop.version for hop in found.hops)]
    stones = {rule.requires for rule in rules.rules if rule.requires[:1].isdigit()}
    pairs = [(low, high) for at, low in enumerate(stops) for high in stops[at + 1 :]]
    for low, high in pairs:
        between = {s for s in stones if parse_version(low) < parse_version(s) < parse_version(high)}
        known = {parse_version(stop) for stop in stops}
        assert all(parse_version(s) in known for s in between if _asks_between(rules, low, s, high))
    for stop in stops[1:-1]:
        asked = (
            _asks_between(rules, low, stop, high)
            for low, high in pairs
            if parse_version(low) < parse_version(stop) < parse_version(high)
        )
        assert any(asked), f"{stop} could be left out"


@given(RULES, st.one_of(STONES, FLOORS, WAYS), VERSIONS, VERSIONS)
def test_one_more_rule_never_makes_a_path_less_safe(rules: RuleSet, more: Rule, current: str, target: str) -> None:
    before = path_to(parse_version, rules, current, target)
    after = path_to(parse_version, _rules(*rules.rules, more), current, target)
    assert {parse_version(hop.version) for hop in before.hops} <= {parse_version(hop.version) for hop in after.hops}
    if more.requires in STRATEGIES:
        pairs = zip(before.hops, after.hops, strict=True)
        assert all(_gravity(one.strategy) <= _gravity(two.strategy) for one, two in pairs)
    elif isinstance(route(parse_version, rules, current, target), NoPath) and before.hops:
        # A stop may open a way of documented steps; a floor never does.
        assert more.requires[:1].isdigit() or isinstance(
            route(parse_version, _rules(*rules.rules, more), current, target), NoPath
        )


def _gravity(rule: Rule | None) -> int:
    return -1 if rule is None else STRATEGIES.index(rule.requires)


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [
        ("11.1.3", "15.10.12", ["12.3.0", "12.17.15", "15.10.12"]),
        ("12.3.0", "14.16.19", ["12.17.15", "14.16.19"]),
        ("12.17.14", "12.17.15", ["12.17.15"]),
        ("12.17.15", "15.10.12", ["15.10.12"]),
        ("12.2.0", "12.3.0", ["12.3.0"]),
    ],
)
def test_frontends_have_stops_of_their_own(current: str, target: str, expected: list[str]) -> None:
    path = path_to(parse_version, CHEF, current, target, FRONTEND_PATH)
    assert [hop.version for hop in path.hops] == expected
    assert all(hop.stone is None or hop.stone.url for hop in path.hops)


def test_what_the_frontends_stop_at_is_nothing_that_backends_are_held_to() -> None:
    asked = [rule.check for hop in path_to(parse_version, CHEF, "2.0.30", "3.1.1").hops for rule in hop.requirements]
    assert "chef-frontend-version" in asked
    assert FRONTEND_PATH not in asked

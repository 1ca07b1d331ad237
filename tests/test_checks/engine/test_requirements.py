"""What the vendor asks for on the way to the target, each with the first version that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from packaging.version import Version

from checks.check import ClusterInfo, NodeView, ProductView
from checks.engine.requirements import (
    ApplicableRule,
    Requirements,
    check_version,
    requirements,
    satisfied,
    stops_to,
    unseen,
    violation,
)
from checks.engine.rules import Rule, RuleSet
from checks.engine.ways_out import UNSEEN
from checks.outcome import Outcome, Remediation, Status
from checks.versions import Installed


def rule(rule_id: str, target: str, requires: str, effect: str = "fail", check: str = "size") -> Rule:
    return Rule(
        id=rule_id,
        check=check,
        target=target,
        requires=requires,
        text=f"size {requires}",
        source="a page",
        effect=effect,
    )


STONE = rule("stone", ">=5.0", "3.0", check="stepping-stone")
SMALL, LARGE = rule("small", ">=2.0", ">=1"), rule("large", ">=5.0", ">=4")
RULES = RuleSet((STONE, SMALL, LARGE, rule("other", "", ">=9", check="weight")))


def node(version: str | None, target: str | None = "6.0", rules: RuleSet = RULES) -> NodeView:
    found = Installed(version=version, read=version is not None, problem="" if version else "denied")
    product = ProductView(name="it", read_installed=lambda _: found)
    info = ClusterInfo("prod", "it", target=target, rules=rules, definition=product)
    return NodeView(cluster=info, name="web1", host="web1", roles=frozenset({"web"}))


def due(version: str | None, target: str = "6.0") -> list[tuple[str, str]]:
    needs = requirements(node(version, target), "size")
    assert isinstance(needs, Requirements)
    return [(one.rule.id, one.hop) for one in needs.due]


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("1.0", [("small", "3.0"), ("large", "6.0")]),
        ("3.0", [("small", "6.0"), ("large", "6.0")]),
        # What is needed in any case is told of the target, not of a stop that may not be on the way.
        (None, [("small", "6.0"), ("large", "6.0")]),
        ("6.0", [("small", "6.0"), ("large", "6.0")]),
        ("7.0", [("small", "6.0"), ("large", "6.0")]),
    ],
)
def test_each_rule_is_due_at_the_first_version_that_asks_for_it(
    version: str | None, found: list[tuple[str, str]]
) -> None:
    assert due(version) == found


def test_a_stop_that_an_unknown_version_may_need_is_held_to_its_own_rules() -> None:
    only_there = RuleSet((STONE, rule("there", "==3.0", ">=2")))
    needs = requirements(node(None, rules=only_there), "size")
    assert isinstance(needs, Requirements)
    assert [(one.rule.id, one.hop) for one in needs.due] == [("there", "3.0")]
    assert isinstance(requirements(node("4.0", rules=only_there), "size"), Outcome)


@pytest.mark.parametrize(
    ("current", "stops"),
    [("1.0", ["3.0", "6.0"]), ("3.0", ["6.0"]), ("6.0", ["6.0"]), ("7.0", ["6.0"]), (None, ["6.0", "3.0"])],
)
def test_the_stops_whose_rules_hold(current: str | None, stops: list[str]) -> None:
    assert stops_to(node("1.0").cluster, current, "6.0") == stops


@pytest.mark.parametrize(("target", "told"), [(None, "no target version"), ("soon", "cannot be used")])
def test_without_a_target_nothing_can_be_told(target: str | None, told: str) -> None:
    found = requirements(node("1.0", target), "size")
    assert isinstance(found, Outcome)
    assert found.status is Status.ERROR
    assert told in found.message


def test_where_nothing_is_asked_for_it_says_so_and_what_was_switched_off() -> None:
    found = requirements(node("1.0", "1.5"), "size")
    assert isinstance(found, Outcome)
    assert (found.status, found.message) == (Status.SKIP, "no known requirement for an upgrade to 1.5")
    off = RULES.with_overrides(
        {"small": {"off": True, "reason": "hosted"}, "other": {"off": True, "reason": "no scales"}}
    )
    found = requirements(node("1.0", "2.0", off), "size")
    assert isinstance(found, Outcome)
    assert found.message == (
        "no known requirement for an upgrade to 2.0 (rule small overridden in the inventory: hosted)"
    )


def needs(*rules: Rule, hop: str = "6.0") -> Requirements:
    return Requirements("6.0", tuple(ApplicableRule(one, hop) for one in rules))


@pytest.mark.parametrize(
    ("version", "status", "message"),
    [
        ("4", Status.PASS, "size 4"),
        ("5rc1", Status.PASS, "size 5rc1"),
        ("3", Status.FAIL, "size 3, but 6.0 needs size >=4; it stops"),
        ("4rc1", Status.FAIL, "size 4rc1, but 6.0 needs size >=4; it stops"),
    ],
)
def test_a_version_is_held_to_every_rule(version: str, status: Status, message: str) -> None:
    found = check_version(needs(SMALL, LARGE), Version(version), f"size {version}", consequence="it stops")
    assert (found.status, found.message) == (status, message)


def test_what_a_failure_leads_to_is_told_of_failures_alone() -> None:
    light = replace(LARGE, effect="warn")
    found = check_version(needs(light), Version("3"), "size 3", consequence="it stops")
    assert (found.status, found.message) == (Status.WARN, "size 3, but 6.0 asks for size >=4")
    assert check_version(needs(LARGE), Version("3"), "size 3").message == "size 3, but 6.0 needs size >=4"


def test_a_rule_that_is_not_understood_is_an_error_and_no_pass() -> None:
    found = check_version(needs(SMALL, replace(LARGE, requires="large")), Version("5"), "size 5")
    assert found.status is Status.ERROR
    assert "rule large: requires = 'large' is no version specifier" in found.message


@pytest.mark.parametrize(("hop", "way"), [("6.0", "6.0"), ("3.0", "3.0, on the way to 6.0,")])
@pytest.mark.parametrize(
    ("effect", "verb", "broken", "hidden"),
    [("fail", "needs", Status.FAIL, Status.ERROR), ("warn", "asks for", Status.WARN, Status.WARN)],
)
def test_a_breach_names_the_version_that_asks(
    hop: str, way: str, effect: str, verb: str, broken: Status, hidden: Status
) -> None:
    one = replace(LARGE, effect=effect, override="we know")
    (asked,) = needs(one, hop=hop).due
    all_of_it = needs(one, hop=hop)
    note = "(rule large overridden in the inventory: we know)"
    found = violation(asked, "size 3", all_of_it)
    assert (found.status, found.message) == (broken, f"size 3, but {way} {verb} size >=4 {note}")
    assert (found.expected, found.observed, found.remediation) == ("size >=4", "size 3", None)
    own = Remediation("Make it larger.")
    assert violation(asked, "size 3", all_of_it, own).remediation == own
    met = satisfied(asked, "size 4", all_of_it)
    assert (met.status, met.message, met.expected, met.observed) == (
        Status.PASS,
        f"size 4 {note}",
        "size >=4",
        "size 4",
    )
    dark = unseen(asked, "not seen", all_of_it)
    assert (dark.status, dark.message) == (hidden, f"not seen; {hop} {verb} size >=4 {note}")
    assert dark.remediation == (UNSEEN if effect == "warn" else None)
    assert {tuple(each.evidence) for each in (found, met, dark)} == {("target", "rules")}


def test_the_evidence_says_who_asks_for_what_and_where() -> None:
    one = replace(SMALL, url="https://a", override="we know")
    assert needs(one, LARGE, hop="3.0").evidence == {
        "target": "6.0",
        "rules": [
            {
                "id": "small",
                "requires": ">=1",
                "at": "3.0",
                "source": "a page",
                "confidence": "documented",
                "url": "https://a",
                "override": "we know",
            },
            {"id": "large", "requires": ">=4", "at": "3.0", "source": "a page", "confidence": "documented"},
        ],
    }


def test_a_product_reads_versions_its_own_way(cluster: Callable[..., ClusterInfo]) -> None:
    assert "11.7.000049" in stops_to(cluster(), "9.0.000000", "11.7.000049")

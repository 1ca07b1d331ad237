from __future__ import annotations

from dataclasses import replace

import pytest

from checks.engine.rules import RuleError, RuleSet, parse_rules

ROW = {
    "id": "sql",
    "check": "sql-server-version",
    "target": ">=10.7.000000",
    "requires": ">=11.0",
    "text": "SQL Server 2012",
    "source": "the upgrade page",
}


def toml(**changes: str) -> str:
    rows = {**ROW, **changes}
    return "[[rule]]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())


def one(**changes: str) -> RuleSet:
    return parse_rules(toml(**changes))


def test_a_rule_is_read_with_its_defaults() -> None:
    rule = one().rules[0]
    assert (rule.effect, rule.confidence, rule.override, rule.off) == ("fail", "documented", None, False)


@pytest.mark.parametrize(
    ("version", "applies"), [("10.6.000027", False), ("10.7.000000", True), ("10.10.000001", True), ("9.1.1", False)]
)
def test_the_target_decides_whether_a_rule_applies(version: str, *, applies: bool) -> None:
    assert one().rules[0].applies_to(version) is applies


def test_a_version_before_its_release_is_one_all_the_same() -> None:
    """Nobody is let off a rule by a release candidate."""
    rule = parse_rules(toml(target=">=2.0", current="<3.0")).rules[0]
    assert rule.applies_to("2.1.0rc1")
    assert rule.applies_from("2.1.0rc1")
    assert not rule.applies_to("2.0.0rc1")


def test_an_empty_specifier_is_any_version() -> None:
    rule = one(target="").rules[0]
    assert rule.applies_to("1.0")
    assert rule.applies_from("99.0")


@pytest.mark.parametrize("confidence", ["contradictory", "inferred", "general"])
def test_what_is_not_documented_may_warn_and_never_fail(confidence: str) -> None:
    assert one(confidence=confidence, effect="warn").rules[0].effect == "warn"
    with pytest.raises(RuleError, match="may warn, never fail"):
        one(confidence=confidence)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"effect": "explode"}, "sql.effect"),
        ({"confidence": "sure"}, "sql.confidence"),
        ({"target": "10.7 or so"}, "sql.target"),
        ({"current": "old"}, "sql.current"),
        ({"colour": "red"}, "unknown key colour"),
    ],
)
def test_data_that_makes_no_sense_names_the_rule_and_the_key(changes: dict[str, str], text: str) -> None:
    with pytest.raises(RuleError, match=text):
        one(**changes)


@pytest.mark.parametrize("key", list(ROW))
def test_a_rule_that_lacks_a_key_says_which(key: str) -> None:
    lines = [line for line in toml().splitlines() if not line.startswith(f"{key} ")]
    with pytest.raises(RuleError, match=f"{key} is missing"):
        parse_rules("\n".join(lines))


@pytest.mark.parametrize(("text", "reason"), [("[[rule", "no TOML"), (toml() + "off = true", "unknown key off")])
def test_a_file_that_cannot_be_used_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RuleError, match=reason):
        parse_rules(text)


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(RuleError, match=r"sql\.requires: expected a string"):
        parse_rules(toml().replace('">=11.0"', "11"))


@pytest.mark.parametrize(
    ("requires", "changed", "text"),
    [
        (">=11.0", "2012 or so", "no version specifier such as '>=11.0'"),
        (">=11.0", "11.0", "no version specifier"),
        ("9.1.000001", ">=9.1.000001", "expected a version such as '9.1.000001'"),
        ("9.1.000001", "9.1", "has to be written like '9.1.000001'"),
        ("2.3.16", "v2", "expected a version"),
        ("integrated", "classic", "knows 'integrated' alone"),
        ("note", ">=1.0", "knows 'note' alone"),
    ],
)
def test_an_override_asks_for_the_same_kind_of_thing(requires: str, changed: str, text: str) -> None:
    with pytest.raises(RuleError, match=text):
        one(requires=requires).with_overrides({"sql": {"requires": changed, "reason": "x"}})


@pytest.mark.parametrize(
    ("requires", "changed"), [(">=11.0", ""), ("9.1.000001", "9.1.000004"), ("2.3.16", "2.3.9"), ("note", "note")]
)
def test_an_override_of_the_same_kind_is_taken(requires: str, changed: str) -> None:
    rules = one(requires=requires).with_overrides({"sql": {"requires": changed, "reason": "x"}})
    assert rules.rules[0].requires == changed


def test_an_id_is_used_once() -> None:
    with pytest.raises(RuleError, match="sql: defined twice"):
        parse_rules(toml() + toml())


def test_an_override_changes_one_rule_and_says_so() -> None:
    changed = one().with_overrides({"sql": {"requires": ">=13.0", "effect": "warn", "reason": "our standard"}})
    rule = changed.rules[0]
    assert (rule.requires, rule.effect) == (">=13.0", "warn")
    assert rule.note == "rule sql overridden in the inventory: our standard"
    assert changed.overridden() == changed.of("sql-server-version") == (rule,)
    assert one().overridden() == ()


@pytest.mark.parametrize("change", [{}, {"requires": ">=13.0"}, {"target": ""}, {"effect": "warn"}, {"off": False}])
def test_what_an_override_does_not_name_stays_as_it_is(change: dict[str, object]) -> None:
    (before,) = one().rules
    (after,) = one().with_overrides({"sql": {**change, "reason": " our standard "}}).of("sql-server-version")
    assert after == replace(before, override="our standard", **change)  # type: ignore[arg-type]


def test_a_rule_switched_off_is_not_applied_and_still_shown() -> None:
    changed = one().with_overrides({"sql": {"off": True, "reason": "hosted"}})
    assert changed.of("sql-server-version") == ()
    assert [rule.id for rule in changed.overridden()] == ["sql"]


def test_an_operator_may_sharpen_what_is_only_inferred() -> None:
    rules = one(confidence="inferred", effect="warn").with_overrides({"sql": {"effect": "fail", "reason": "we know"}})
    assert rules.rules[0].effect == "fail"


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"sqll": {"off": True, "reason": "x"}}, "sqll: no such rule; there are: sql"),
        ({"sql": {"off": True}}, "sql.reason: say why"),
        ({"sql": {"off": True, "reason": "  "}}, "sql.reason"),
        ({"sql": {"source": "me", "reason": "x"}}, "sql.source: unknown key"),
        ({"sql": {"requires": 11, "reason": "x"}}, "sql.requires: expected a string"),
        ({"sql": {"off": "yes", "reason": "x"}}, "sql.off: expected true or false"),
        ({"sql": {"target": "soon", "reason": "x"}}, "sql.target"),
        ({"sql": {"effect": "ignore", "reason": "x"}}, "sql.effect"),
    ],
)
def test_an_override_that_cannot_be_used_names_the_rule(overrides: dict[str, dict[str, object]], text: str) -> None:
    with pytest.raises(RuleError, match=text):
        one().with_overrides(overrides)

"""How values are compared, and the inventory's word over it."""

from __future__ import annotations

import pytest

from checks.baseline.drift_rules import Compare, DriftRuleError, fits, parse_drift_rules
from scanner.rule_data import load_drift_rules

RULES = load_drift_rules()


def test_the_shipped_decision_and_the_default() -> None:
    assert RULES.of("disks.drives[C:].free-bytes").compare is Compare.IGNORE
    assert RULES.of("linux-disks.drives[/].total-bytes").tolerance == "1%"
    assert RULES.of("plugin-fact.colour").compare is Compare.EXACT


@pytest.mark.parametrize(
    ("pattern", "fit"),
    [
        ("disks", True),
        ("disks.drives[C:].free-bytes", True),
        ("disks.drives[D:].free-bytes", False),
        ("disks.drives[].free-bytes", True),
        ("disks.drives[*].free-*", True),
        ("*.free-bytes", True),
        ("disk", False),
        ("disks.drives", True),
    ],
)
def test_what_a_pattern_means(pattern: str, fit: bool) -> None:
    assert fits(pattern, "disks.drives[C:].free-bytes") is fit


def test_the_inventory_has_the_last_word() -> None:
    rules = RULES.with_overrides(
        {
            "cluster-status": {"compare": "ignore", "reason": "be1 is being rebuilt"},
            "disks.drives[D:].free-bytes": {"compare": "number", "tolerance": "20%", "reason": "the data volume"},
        }
    )
    assert rules.ignores("cluster-status")
    assert rules.ignores("cluster-status.members[be1].role")
    assert rules.of("disks.drives[D:].free-bytes").compare is Compare.NUMBER
    assert rules.ignores("disks.drives[C:].free-bytes")


def test_a_part_of_a_path_is_ignored_where_all_that_can_lie_below_it_is() -> None:
    rules = parse_drift_rules(
        """
        [disks]
        "drives[].free-bytes" = { compare = "ignore", reason = "moves" }
        "drives[].name" = { compare = "exact", reason = "x" }
        [clock]
        "offset-s" = { compare = "ignore", reason = "moves" }
        "taken-at" = { compare = "ignore", reason = "moves" }
        """
    )
    ignored = {
        path: rules.ignores(path) for path in ("disks.drives[C:].free-bytes", "disks.drives[C:]", "disks", "clock")
    }
    assert ignored == {"disks.drives[C:].free-bytes": True, "disks.drives[C:]": False, "disks": False, "clock": True}
    assert not rules.ignores("nobody-decided.it")


@pytest.mark.parametrize(
    ("pattern", "change", "said"),
    [
        ("windows-versoin.build", {"compare": "ignore", "reason": "x"}, "fits no fact"),
        ("windows-version.built", {"compare": "ignore", "reason": "x"}, "windows-version.build"),
        ("windows-version", {"compare": "ignore"}, "reason is missing"),
        ("windows-version", {"compare": "ignore", "reason": " "}, "reason is missing"),
        ("windows-version", {"compare": "roughly", "reason": "x"}, "none of exact, version"),
        ("windows-version", {"compare": "number", "reason": "x"}, "needs one"),
        ("windows-version", {"compare": "exact", "tolerance": "5%", "reason": "x"}, "goes with compare = 'number'"),
        ("windows-version", {"compare": "number", "tolerance": "five", "reason": "x"}, "neither a number nor"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(pattern: str, change: dict[str, object], said: str) -> None:
    with pytest.raises(DriftRuleError, match=said):
        RULES.with_overrides({pattern: change})


@pytest.mark.parametrize(
    "text",
    [
        '[a]\n"b" = {compare = "exact", hides = "b", reason = "x"}',
        '[a]\n"b" = {compare = "exact", unread = "any", hides = "c", reason = "x"}',
        "x = ",
        '[a]\n"b" = {compare = "exact"}',
        '[a]\n"b" = {compare = "exact", reason = "x", why = "y"}',
    ],
)
def test_data_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(DriftRuleError):
        parse_drift_rules(text)

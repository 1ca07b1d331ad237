from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from checks.engine.rules import Rule
from checks.engine.upgrade_path import FRONTEND_LEVELS, FRONTEND_PATH, is_required_stop, is_strategy
from checks.registry import BUILTIN
from checks.versions import parse_version
from scanner.rule_data import load_rules

WORDS = {
    "app-pool-settings",
    "backup-recent",
    "chef-resources",
    "database-compatibility",
    "database-support",
    "disk-space",
    "iis-authentication",
    "outbound-access",
    "secret-server-resources",
}
"""Checks whose `requires` is in words of their own; each has a test for those that it does not understand."""
RULES = [(product, rule) for product in ("secret-server", "chef-backend") for rule in load_rules(product).rules]


@pytest.mark.parametrize(("product", "rule"), RULES, ids=lambda part: part.id if isinstance(part, Rule) else part)
def test_each_shipped_rule_can_be_applied_and_says_where_it_comes_from(product: str, rule: Rule) -> None:
    # The plan's own, and what a version brings: no check asks for what a frontend is upgraded by.
    if rule.check not in (FRONTEND_PATH, FRONTEND_LEVELS):
        check = next(check for check in BUILTIN if check.id == rule.check)
        assert product in check.products
    assert rule.source
    assert rule.text
    assert not rule.text.endswith(".")
    assert rule.url.startswith(("https://", "http://")) or not rule.url
    if is_required_stop(rule):
        parse_version(rule.requires)
    elif is_strategy(rule):
        assert rule.current
        assert rule.target
    elif rule.requires not in ("note", "integrated") and rule.check not in WORDS:
        assert str(SpecifierSet(rule.requires))


def test_a_product_without_rules_has_none() -> None:
    assert load_rules("toaster").rules == ()


def test_rules_are_read_once() -> None:
    assert load_rules("secret-server") is load_rules("secret-server")

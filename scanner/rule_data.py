"""Loads the vendors' rules, which lie as TOML beside the checks that apply them."""

from __future__ import annotations

from functools import cache
from importlib import resources

from checks.baseline.drift_rules import DriftRules, parse_drift_rules
from checks.engine.rules import RuleSet, parse_rules


@cache
def load_rules(product: str) -> RuleSet:
    """The vendor's rules of `product`, for example "secret-server"; none for a product without such a file.

    Raises RuleError for a file that cannot be used, which a test excludes for those that are shipped.
    """
    source = resources.files("checks").joinpath(product.replace("-", "_"), "rules.toml")
    return parse_rules(source.read_text(encoding="utf-8")) if source.is_file() else RuleSet(())


@cache
def load_drift_rules() -> DriftRules:
    """How each value of a fact is compared with the baseline, as shipped."""
    return parse_drift_rules(resources.files("checks").joinpath("drift.toml").read_text(encoding="utf-8"))

"""Loads the vendors' rules, which lie as TOML beside the checks that apply them, in the package of each product."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources

from checks.baseline.drift_rules import DriftRules, parse_drift_rules
from checks.engine.rules import RuleSet, parse_rules
from checks.product import Product
from checks.registry import PRODUCTS

_COMMON = "checks.common"
"""The package with the decisions on facts that belong to no product."""


def load_rules(product: str, known: Iterable[Product] = PRODUCTS) -> RuleSet:
    """The vendor's rules of `product`, for example "my-service"; none for a product that is not known or has none.

    Raises RuleError for a file that cannot be used, which a test excludes for those that are shipped.
    """
    package = next((one.package for one in known if one.name == product), "")
    return rules_in(package) if package else RuleSet(())


@cache
def rules_in(package: str) -> RuleSet:
    """The rules that lie in a product's package. Raises RuleError, ModuleNotFoundError."""
    source = resources.files(package).joinpath("rules.toml")
    return parse_rules(source.read_text(encoding="utf-8")) if source.is_file() else RuleSet(())


def load_drift_rules(products: Iterable[Product] = PRODUCTS) -> DriftRules:
    """How each value of a fact is compared with the baseline, as shipped. Raises DriftRuleError."""
    return drift_rules_in(_COMMON, *(one.package for one in products if one.package))


@cache
def drift_rules_in(*packages: str) -> DriftRules:
    """The decisions of several packages together: each fact is decided on once. Raises DriftRuleError."""
    sources = [resources.files(package).joinpath("drift.toml") for package in packages]
    return parse_drift_rules("\n".join(source.read_text(encoding="utf-8") for source in sources if source.is_file()))

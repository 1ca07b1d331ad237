"""Whether what a plugin offers can be what it says, and whether anything knows what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from checks.baseline.drift_rules import undecided
from checks.baseline.fact_paths import kind_name
from checks.check import Check, ClusterCheck, NodeCheck, Platform
from checks.common.clock_facts import ClockSample
from checks.facts import Contact
from checks.product import Product
from checks.registry import PRODUCTS
from scanner.inventory.loaded import Loaded
from scanner.inventory.reading.values import did_you_mean
from scanner.inventory.settings.catalogue import ProductSettings, refuse_uncarried
from scanner.plugins.model import Plugin
from scanner.probes.probe import Probe
from scanner.rule_data import drift_rules_in, load_drift_rules, rules_in


def sound(offered: object, source: str) -> Plugin:
    """What `source` offers, where it is a plugin or a function that gives one. Raises TypeError for anything else."""
    plugin = offered() if callable(offered) and not isinstance(offered, Plugin) else offered
    if not isinstance(plugin, Plugin):
        raise TypeError(f"{source} gave {type(plugin).__name__}, not a scanner.plugins.Plugin")
    refuse_uncarried(plugin.settings)
    odd: list[object] = [item for item in plugin.checks if not isinstance(item, NodeCheck | ClusterCheck)]
    odd += [item for item in plugin.probes if not isinstance(item, Probe)]
    odd += [item for item in plugin.settings if not isinstance(item, ProductSettings)]
    if odd:
        raise TypeError(f"{source} offers {type(odd[0]).__name__} among its checks and probes")
    for product in plugin.products:
        if not isinstance(product, Product):
            raise TypeError(f"{source} offers {type(product).__name__} among its products")
        verify(product)
    return plugin


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_WAYS = ("winrm", "ssh", "local", "tds")
_GIVEN = (Contact, ClockSample)
"""Facts that come of the conversation itself, and of no probe."""


def verify(product: Product) -> None:
    """Raises TypeError for a product that cannot be one, ValueError for data of its own that cannot be used."""
    name = product.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TypeError(f"product {name!r}: a name is of small letters, digits and hyphens, as in 'my-service'")
    if not product.roles:
        raise TypeError(f"product {name}: it has no roles")
    declared = {
        "essential_roles": product.essential_roles,
        "tds_roles": product.tds_roles,
        "carrier": (product.carrier,) if product.carrier else (),
    }
    for part, roles in declared.items():
        for role in roles:
            if role not in product.roles:
                raise TypeError(f"product {name}: {part} names {role!r}, which is none of its roles")
    if product.platform not in get_args(Platform):
        raise TypeError(f"product {name}: platform = {product.platform!r} is none of {', '.join(get_args(Platform))}")
    odd = [way for way in product.transports if way not in _WAYS]
    if odd or not product.transports:
        raise TypeError(f"product {name}: transports = {product.transports!r}; there are {', '.join(_WAYS)}")
    for check in product.checks:
        if not isinstance(check, NodeCheck | ClusterCheck):
            raise TypeError(f"product {name}: {type(check).__name__} is among its checks")
        if name not in check.products:
            raise TypeError(f"product {name}: its check {check.id} is not for it, but for {check.products!r}")
    example = product.version_example
    product.parse(example)
    if not re.fullmatch(product.version_pattern, example):
        raise TypeError(f"product {name}: version_pattern does not match its own example, {example!r}")
    _verify_data(product)


def _verify_data(product: Product) -> None:
    if not product.package:
        return
    try:
        rules_in(product.package)
        load_drift_rules((*PRODUCTS, product))
    except (ValueError, ImportError, OSError) as error:
        raise ValueError(f"product {product.name}: the data in its package {product.package}: {error}") from error


def unknown_parts(plugin: Plugin, there: Loaded) -> list[str]:
    """What the checks and probes of `plugin` name and neither itself nor what is `there` knows."""
    return flaws_of(
        checks=plugin.checks,
        probes=plugin.probes,
        products=(),
        settings=(),
        all_products=there.products,
        all_checks=(*there.checks, *plugin.checks),
        all_probes=(*there.probes, *plugin.probes),
    )


def flaws_of(
    *,
    checks: Sequence[Check],
    probes: Sequence[Probe],
    products: Sequence[Product],
    settings: Sequence[ProductSettings],
    all_products: Sequence[Product],
    all_checks: Sequence[Check],
    all_probes: Sequence[Probe],
) -> list[str]:
    """What `checks`, `probes` and `products` of one plugin name and nothing of all that there is knows."""
    by_name = {product.name: product for product in all_products}
    given = {kind for probe in all_probes for kind in probe.facts} | set(_GIVEN)
    flaws: list[str] = []
    for check in checks:
        flaws += [
            f"check {check.id} is for the product {name!r}{did_you_mean(name, list(by_name))}"
            for name in check.products
            if name not in by_name
        ]
        mine = [by_name[name] for name in check.products if name in by_name] or list(all_products)
        roles = [role for product in mine for role in product.roles]
        flaws += [
            f"check {check.id} is for the role {role!r}{did_you_mean(role, roles)}"
            for role in check.roles
            if role not in roles
        ]
        flaws += _ungiven(f"check {check.id}", check.facts + check.optional_facts, given)
    every_role = [role for product in all_products for role in product.roles]
    for probe in probes:
        for role in probe.roles:
            if role not in every_role:
                flaws.append(f"probe {probe.id} is for the role {role!r}{did_you_mean(role, every_role)}")
    flaws += [
        f"its keys are for the product {one.product!r}{did_you_mean(one.product, list(by_name))}"
        for one in settings
        if one.product not in by_name
    ]
    ids = [check.id for check in all_checks]
    for product in products:
        flaws += _ungiven(f"product {product.name}", _facts_of(product), given)
        flaws += _stale(product, ids, given)
    return flaws


def _facts_of(product: Product) -> Iterator[type]:
    yield from product.installed_facts
    yield from product.index_facts
    if product.identity:
        yield from product.identity.facts
    if product.runbook:
        for kinds in product.runbook.facts.values():
            yield from kinds


def _ungiven(whose: str, kinds: Iterable[type], given: set[type]) -> Iterator[str]:
    for kind in dict.fromkeys(kinds):
        if kind not in given:
            yield f"{whose} reads {kind.__name__}, which no probe gives"


def _stale(product: Product, ids: Sequence[str], given: set[type]) -> Iterator[str]:
    """What its rules and its decisions on drift are about, where there is no such thing."""
    if not product.package:
        return
    for rule in rules_in(product.package).rules:
        if rule.check not in ids:
            yield f"rule {rule.id} of {product.name} is for the check {rule.check!r}{did_you_mean(rule.check, ids)}"
    own = drift_rules_in(product.package)
    kinds = [kind for kind in given if kind_name(kind) in own.kinds]
    for flaw in undecided(own, kinds):
        yield f"drift.toml of {product.name}: {flaw}"

"""Whether what a plugin offers can be what it says, and whether anything knows what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import get_args

from packaging.version import Version

from checks.baseline.drift_rules import undecided
from checks.baseline.fact_paths import kind_name
from checks.check import PHASES, Check, ClusterCheck, NodeCheck, Platform
from checks.common.clock_facts import ClockSample
from checks.facts import Contact
from checks.product import Product
from checks.registry import PRODUCTS
from checks.runbook.quoting import JOINS
from scanner.inventory.loaded import Loaded
from scanner.inventory.product_settings.known import BUILTIN as BUILTIN_SETTINGS
from scanner.inventory.reading.values import Problems, did_you_mean, read_value
from scanner.inventory.settings.catalogue import ProductSettings, refuse_uncarried
from scanner.inventory.settings.setting import Setting
from scanner.plugins.mistypes import mistyped
from scanner.plugins.model import Plugin
from scanner.probes.probe import Probe
from scanner.rule_data import drift_rules_in, load_drift_rules, rules_in


def sound(offered: object, source: str) -> Plugin:
    """What `source` offers, where it is a plugin or a function that gives one. Raises TypeError for anything else."""
    plugin = offered() if callable(offered) and not isinstance(offered, Plugin) else offered
    if not isinstance(plugin, Plugin):
        raise TypeError(f"{source} gave {type(plugin).__name__}, not a scanner.plugins.Plugin")
    for name in ("checks", "probes", "settings", "products"):
        if not isinstance(offers := getattr(plugin, name), tuple):
            raise TypeError(f"{source}: {name} is no tuple, but {type(offers).__name__}")
    odd: list[object] = [item for item in plugin.checks if not isinstance(item, NodeCheck | ClusterCheck)]
    odd += [item for item in plugin.probes if not isinstance(item, Probe)]
    odd += [item for item in plugin.settings if not isinstance(item, ProductSettings)]
    if odd:
        raise TypeError(f"{source} offers {type(odd[0]).__name__} among its checks and probes")
    for product in plugin.products:
        if not isinstance(product, Product):
            raise TypeError(f"{source} offers {type(product).__name__} among its products")
        for check in product.checks if isinstance(product.checks, tuple) else ():
            if not isinstance(check, NodeCheck | ClusterCheck):
                raise TypeError(f"product {product.name}: {type(check).__name__} is among its checks")
    if told := mistyped(plugin, Plugin, ""):
        raise TypeError(f"{source}: {told}")
    refuse_uncarried(plugin.settings)
    for one in (*plugin.checks, *(check for product in plugin.products for check in product.checks)):
        _verify_check(one)
    for probe in plugin.probes:
        _verify_probe(probe)
    for brought in plugin.settings:
        for key in (*brought.cluster, *brought.node, *brought.backup):
            _verify_key(key, brought.product)
    for product in plugin.products:
        verify(product)
    return plugin


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ROLE = re.compile(r"[a-z][a-z0-9_-]*")
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_WAYS = ("winrm", "ssh", "local", "tds")
_GIVEN = (Contact, ClockSample)
"""Facts that come of the conversation itself, and of no probe."""


def _verify_id(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise TypeError(f"{what} {name!r}: an id is of small letters, digits and hyphens, as in 'time-zone-match'")


def _verify_line(whose: str, part: str, text: str) -> None:
    if not text.strip() or len(text.splitlines()) > 1:
        raise TypeError(f"{whose}: {part} = {text!r} is no line that a report could show")


def _verify_check(check: Check) -> None:
    _verify_id("check", check.id)
    for part, text in (("title", check.title), ("remediation.summary", check.remediation.summary)):
        _verify_line(f"check {check.id}", part, text)
    language = check.remediation.language
    if language and language not in JOINS:
        raise TypeError(f"check {check.id}: remediation.language = {language!r} is none of {', '.join(JOINS)}")
    for phase in check.phases:
        if phase not in PHASES:
            raise TypeError(f"check {check.id}: phases names {phase!r}, which is none of {', '.join(PHASES)}")
    _verify_facts(f"check {check.id}", check.facts + check.optional_facts)


def _verify_probe(probe: Probe) -> None:
    _verify_id("probe", probe.id)
    if "\0" in probe.script:
        raise TypeError(f"probe {probe.id}: its script has a character of the value 0, which no shell takes")
    _verify_facts(f"probe {probe.id}", probe.facts)


def _verify_facts(whose: str, kinds: Iterable[type]) -> None:
    for kind in kinds:
        if not is_dataclass(kind):
            raise TypeError(f"{whose}: {kind.__name__} is no fact, which is a frozen dataclass")


def _verify_key(key: Setting, product: str) -> None:
    """A key is shown in an example, in the schema and in messages: all of them say what it is declared with."""
    whose = f"{product}: the inventory's key {key.name}"
    if not _KEY.fullmatch(key.name):
        raise TypeError(f"{product}: {key.name!r} is no key of an inventory: small letters, digits and _")
    odd = [name for name in key.platforms if name not in get_args(Platform)]
    if odd:
        raise TypeError(f"{whose} is for the platform {odd[0]!r}; there are {', '.join(get_args(Platform))}")
    try:
        re.compile(key.pattern)
    except re.error as error:
        raise TypeError(f"{whose} has a pattern that is none: {key.pattern!r}, {error}") from None
    for what, value in (("default", key.default), ("example", key.example)):
        if value is None:
            continue
        problems = Problems()
        if read_value(key, value, (key.name,), problems) is None:
            raise TypeError(f"{whose} does not take its own {what}: {problems.found[0].message}")


def verify(product: Product) -> None:
    """Raises TypeError for a product that cannot be one, ValueError for data of its own that cannot be used."""
    name = product.name
    if not _NAME.fullmatch(name):
        raise TypeError(f"product {name!r}: a name is of small letters, digits and hyphens, as in 'my-service'")
    _verify_line(f"product {name}", "title", product.title)
    if not product.roles:
        raise TypeError(f"product {name}: it has no roles")
    for role in product.roles:
        if not _ROLE.fullmatch(role):
            raise TypeError(f"product {name}: role {role!r}: small letters, digits, hyphens and _")
    declared = {
        "essential_roles": product.essential_roles,
        "tds_roles": product.tds_roles,
        "carrier": (product.carrier,) if product.carrier else (),
        "the runbook's facts": tuple(product.runbook.facts) if product.runbook else (),
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
        if name not in check.products:
            raise TypeError(f"product {name}: its check {check.id} is not for it, but for {check.products!r}")
    example = product.version_example
    parsed: object = product.parse(example)
    if not isinstance(parsed, Version):
        raise TypeError(f"product {name}: parse gives {type(parsed).__name__}, not a Version")
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
        reads = check.facts + check.optional_facts
        flaws += _ungiven(f"check {check.id}", reads, given)
        for product in mine if check.products else ():
            flaws += _unasked(f"check {check.id}", reads, product, all_probes)
    every_role = [role for product in all_products for role in product.roles]
    parameters = [key.name for one in (*BUILTIN_SETTINGS, *settings) for key in one.node]
    for probe in probes:
        for role in probe.roles:
            if role not in every_role:
                flaws.append(f"probe {probe.id} is for the role {role!r}{did_you_mean(role, every_role)}")
        for name in probe.parameters:
            if name not in parameters:
                flaws.append(f"probe {probe.id} is given the option {name!r}{did_you_mean(name, parameters)}")
    flaws += _called_alike(probes, all_probes)
    for one in settings:
        flaws += _strange_keys(one, by_name)
    ids = [check.id for check in all_checks]
    for product in products:
        told_by = product.doubts_told_by
        if told_by and told_by not in ids:
            flaws.append(f"doubts of {product.name} are told by the check {told_by!r}{did_you_mean(told_by, ids)}")
        flaws += _ungiven(f"product {product.name}", _facts_of(product), given)
        flaws += _stale(product, ids, given)
    return flaws


def _called_alike(probes: Sequence[Probe], all_probes: Sequence[Probe]) -> Iterator[str]:
    """Facts of two classes that evidence and baselines would keep under one name."""
    owners: dict[str, type] = {}
    for kind in (*_GIVEN, *(kind for probe in all_probes for kind in probe.facts)):
        owners.setdefault(kind_name(kind), kind)
    for probe in probes:
        for kind in probe.facts:
            if owners[kind_name(kind)] is not kind:
                yield f"probe {probe.id} gives another fact of the name {kind_name(kind)}, which is taken"


def _strange_keys(brought: ProductSettings, products: Mapping[str, Product]) -> Iterator[str]:
    """For whom keys are, and whom an example names, where there is nobody of the kind."""
    product = products.get(brought.product)
    if product is None:
        yield f"its keys are for the product {brought.product!r}{did_you_mean(brought.product, list(products))}"
        return
    for key in (*brought.cluster, *brought.node, *brought.backup):
        for role in key.roles:
            if role not in product.roles:
                yield f"the key {key.name} is for the role {role!r}{did_you_mean(role, product.roles)}"
    for role in brought.example_nodes:
        if role not in product.roles:
            yield f"example_nodes has the role {role!r}{did_you_mean(role, product.roles)}"


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


def _unasked(whose: str, kinds: Iterable[type], product: Product, probes: Sequence[Probe]) -> Iterator[str]:
    """What only probes of another language give than that which nodes of the product are asked in."""
    spoken = ("sh" if product.platform == "linux" else "powershell", "tds")
    for kind in dict.fromkeys(kinds):
        ways = [probe.language for probe in probes if kind in probe.facts]
        if ways and not set(ways).intersection(spoken):
            yield f"{whose} reads {kind.__name__}, which a {ways[0]} probe gives: {product.name} is not asked in that"


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

"""What there is beside the engine: products, checks and the probes behind them, built-in or of installed packages."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import NoReturn, get_args

from checks.baseline.drift_rules import undecided
from checks.baseline.fact_paths import kind_name
from checks.check import Check, ClusterCheck, NodeCheck, Platform
from checks.common.clock_facts import ClockSample
from checks.facts import Contact
from checks.outcome import Remediation, Result, Severity, Status
from checks.product import Product
from checks.registry import BUILTIN, PRODUCTS, shared
from checks.runbook.quoting import for_sh
from scanner.errors import cause_of
from scanner.inventory.product_settings.known import BUILTIN as BUILTIN_SETTINGS
from scanner.inventory.reading.values import did_you_mean
from scanner.inventory.settings.catalogue import ProductSettings, refuse_clashes, refuse_uncarried
from scanner.plugins.foreign import Allowance
from scanner.probes.loaded import Loaded
from scanner.probes.probe import Probe
from scanner.probes.registry import BUILTIN as PROBES
from scanner.rule_data import drift_rules_in, load_drift_rules, rules_in

_LOADING_S = 60.0
"""What one plugin may take to load: its libraries may be large, and on a slow disk."""

GROUP = "preflight.checks"
"""The entry-point group. Each entry names a `Plugin`, or a function without arguments that returns one."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a package offers."""

    checks: tuple[Check, ...] = ()
    """Checks beside those of its products: for products of others, or for all."""
    probes: tuple[Probe, ...] = ()
    settings: tuple[ProductSettings, ...] = ()
    """The keys that the inventory takes for a product, each declared once with `scanner.inventory.settings.setting`."""
    products: tuple[Product, ...] = ()
    """Whole products, each with its checks, rules and runbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything there is: what comes with preflight first, then what plugins bring."""

    products: Mapping[str, Product]
    """By name."""
    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    failures: tuple[Result, ...]
    settings: tuple[ProductSettings, ...] = ()
    """Keys of the inventory that plugins bring."""

    def beside(self, own: Loaded) -> Known:
        """The same with what an inventory brings along, which is no product."""
        return replace(
            self,
            checks=self.checks + own.checks,
            probes=self.probes + own.probes,
            failures=self.failures + own.failures,
        )

    @property
    def brought(self) -> tuple[Product, ...]:
        """The products that plugins bring."""
        return tuple(product for product in self.products.values() if product not in PRODUCTS)


def known() -> Known:
    """What comes with preflight and what is installed beside it."""
    own = Loaded(checks=BUILTIN, probes=PROBES, products=PRODUCTS)
    loaded = load_plugins([check.id for check in own.checks] + [probe.id for probe in own.probes], known=own)
    return Known(
        products={product.name: product for product in (*own.products, *loaded.products)},
        checks=joined((*own.checks, *loaded.checks)),
        probes=(*own.probes, *loaded.probes),
        failures=loaded.failures,
        settings=loaded.settings,
    )


def joined(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Each check once: those that several products share have a part for each. Raises TypeError for two of one id."""
    parts: dict[str, list[Check]] = {}
    for check in checks:
        parts.setdefault(check.id, []).append(check)
    return tuple(shared(own) for own in parts.values())


_BUILTIN_PRODUCTS = Loaded(products=PRODUCTS)


def load_plugins(
    taken: Iterable[str],
    entries: Iterable[importlib.metadata.EntryPoint] | None = None,
    *,
    known: Loaded = _BUILTIN_PRODUCTS,
) -> Loaded:
    """Load what is installed, sorted by name. `taken`: ids of built-in checks and probes, which stay theirs.

    `known` is what there is beforehand, whose checks a plugin's products may share.
    """
    found = _installed(importlib.metadata.entry_points, tuple(sys.path)) if entries is None else _offers(entries)
    used = set(taken)
    everything = list(known.checks)
    names = {product.name for product in known.products}
    kinds = {kind for product in known.products for kind in _kinds_of(product)}
    loaded: list[tuple[importlib.metadata.EntryPoint, Plugin]] = []
    settings: list[ProductSettings] = []
    failures: list[Result] = []
    for entry, offer in found:
        try:
            plugin = offer if isinstance(offer, Plugin) else _raised(offer)
            ids = [check.id for check in plugin.checks] + [probe.id for probe in plugin.probes]
            twice = sorted({name for name in ids if name in used or ids.count(name) > 1})
            if twice:
                raise TypeError(f"{twice[0]}: this id is taken")  # noqa: TRY301  told like every other failure
            refuse_clashes([*BUILTIN_SETTINGS, *settings, *plugin.settings])
            named = [product.name for product in plugin.products]
            again = sorted({name for name in named if name in names or named.count(name) > 1})
            if again:
                raise TypeError(f"product {again[0]}: this name is taken")  # noqa: TRY301
            signs = [kind for product in plugin.products for kind in _kinds_of(product)]
            same = sorted({kind for kind in signs if kind in kinds or signs.count(kind) > 1})
            if same:
                raise TypeError(f"the kind of signs {same[0]}: this name is taken")  # noqa: TRY301
            own = [check for product in plugin.products for check in product.checks]
            joined((*everything, *plugin.checks, *own))
        except Exception as error:  # noqa: BLE001  what is offered may be anything
            failures.append(_failure(entry, f"the plugin did not load, so its checks are missing: {cause_of(error)}"))
            continue
        used.update(ids)
        used.update(check.id for check in own)
        everything += [*plugin.checks, *own]
        names |= set(named)
        kinds |= set(signs)
        settings += plugin.settings
        loaded.append((entry, plugin))
    result = Loaded(
        checks=tuple(check for _, plugin in loaded for check in _checks_of(plugin)),
        probes=tuple(probe for _, plugin in loaded for probe in plugin.probes),
        products=tuple(product for _, plugin in loaded for product in plugin.products),
    )
    if loaded:
        failures += _unknown_parts(loaded, known, result)
    return replace(result, settings=tuple(settings), failures=tuple(failures))


Offer = tuple[importlib.metadata.EntryPoint, "Plugin | Exception"]
"""An entry point, with what it offers or why it does not load."""


@lru_cache(maxsize=4)
def _installed(find: Callable[..., Iterable[importlib.metadata.EntryPoint]], _: tuple[str, ...]) -> tuple[Offer, ...]:
    """What is installed in the folders of the path: a command asks for it often, and runs a plugin's code once."""
    return _offers(find(group=GROUP))


def _offers(entries: Iterable[importlib.metadata.EntryPoint]) -> tuple[Offer, ...]:
    """What each entry point offers, sorted by name."""
    return tuple((entry, _offer(entry)) for entry in sorted(entries, key=lambda entry: (entry.name, entry.value)))


def _offer(entry: importlib.metadata.EntryPoint) -> Plugin | Exception:
    try:
        return Allowance(_LOADING_S).call(partial(_load, entry))
    except Exception as error:  # noqa: BLE001  a foreign module may do anything while it loads
        return error


def _raised(error: Exception) -> NoReturn:
    raise error


def _kinds_of(product: Product) -> Iterable[str]:
    return product.runbook.kinds if product.runbook else ()


def _checks_of(plugin: Plugin) -> tuple[Check, ...]:
    return (*plugin.checks, *(check for product in plugin.products for check in product.checks))


def _unknown_parts(
    loaded: Iterable[tuple[importlib.metadata.EntryPoint, Plugin]], known: Loaded, added: Loaded
) -> Iterable[Result]:
    """What plugins declare and nothing knows: it would silently never be looked at."""
    for entry, plugin in loaded:
        flaws = _flaws(
            checks=_checks_of(plugin),
            probes=plugin.probes,
            products=plugin.products,
            settings=plugin.settings,
            all_products=(*known.products, *added.products),
            all_checks=(*known.checks, *added.checks),
            all_probes=(*known.probes, *added.probes),
        )
        if flaws:
            yield _failure(entry, f"the plugin loads, but nothing knows what it asks for: {'; '.join(flaws)}")


def unknown_parts(plugin: Plugin, there: Known) -> list[str]:
    """What the checks and probes of `plugin` name and neither itself nor what is `there` knows."""
    return _flaws(
        checks=plugin.checks,
        probes=plugin.probes,
        products=(),
        settings=(),
        all_products=tuple(there.products.values()),
        all_checks=(*there.checks, *plugin.checks),
        all_probes=(*there.probes, *plugin.probes),
    )


def _load(entry: importlib.metadata.EntryPoint) -> Plugin:
    return sound(entry.load(), entry.value)


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
        _verify(product)
    return plugin


def _failure(entry: importlib.metadata.EntryPoint, message: str) -> Result:
    package = entry.dist.name if entry.dist else "an installed package"
    return Result(
        check=f"plugin-{entry.name}",
        title=f"Plugin {entry.name} loads",
        severity=Severity.HIGH,
        cluster="plugins",
        node=None,
        status=Status.ERROR,
        message=message,
        expected=f"{entry.value} loads",
        observed=message.partition(": ")[2].partition(":")[0],
        remediation=Remediation(
            f"Repair or remove {package}.", f"pip uninstall {for_sh(package)}" if entry.dist else "", language="sh"
        ),
        evidence={"entry_point": f"{entry.name} = {entry.value}", "package": package},
        not_evaluated=True,
    )


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_WAYS = ("winrm", "ssh", "local", "tds")
_GIVEN = (Contact, ClockSample)
"""Facts that come of the conversation itself, and of no probe."""


def _verify(product: Product) -> None:
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


def _flaws(
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

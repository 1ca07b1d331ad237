"""What there is beside the engine: products, checks and probes, built-in or of packages, which are loaded here."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import NoReturn

from checks.check import Check
from checks.outcome import Remediation, Result, Severity, Status
from checks.product import Product
from checks.registry import BUILTIN, PRODUCTS, shared
from checks.runbook.quoting import for_sh
from scanner.errors import cause_of
from scanner.inventory.loaded import Loaded
from scanner.inventory.product_settings.known import BUILTIN as BUILTIN_SETTINGS
from scanner.inventory.settings.catalogue import ProductSettings, refuse_clashes
from scanner.plugins.foreign import Allowance
from scanner.plugins.guarded import guarded, guarded_settings
from scanner.plugins.model import Plugin
from scanner.plugins.verification import flaws_of, sound, unknown_parts
from scanner.probes.registry import BUILTIN as PROBES

__all__ = ["GROUP", "Plugin", "joined", "known", "load_plugins", "sound", "unknown_parts"]

_LOADING_S = 60.0
"""What one plugin may take to load: its libraries may be large, and on a slow disk."""

GROUP = "preflight.checks"
"""The entry-point group. Each entry names a `Plugin`, or a function without arguments that returns one."""


def known() -> Loaded:
    """What comes with preflight and what is installed beside it."""
    own = Loaded(checks=BUILTIN, probes=PROBES, products=PRODUCTS)
    loaded = load_plugins([check.id for check in own.checks] + [probe.id for probe in own.probes], known=own)
    return replace(own.beside(loaded), checks=joined((*own.checks, *loaded.checks)))


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
    kinds: set[str] = set()  # until a plugin brings some: of what is known, they stand in runbooks that are loaded late
    sharing = Counter(entry.name for entry, _ in found)
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
            if signs and not kinds:
                kinds = {kind for product in known.products for kind in _kinds_of(product)}
            same = sorted({kind for kind in signs if kind in kinds or signs.count(kind) > 1})
            if same:
                raise TypeError(f"the kind of signs {same[0]}: this name is taken")  # noqa: TRY301
            own = [check for product in plugin.products for check in product.checks]
            joined((*everything, *plugin.checks, *own))
        except Exception as error:  # noqa: BLE001  what is offered may be anything
            why = f"the plugin did not load, so its checks are missing: {cause_of(error)}"
            failures.append(_failure(entry, why, alone=sharing[entry.name] == 1))
            continue
        used.update(ids)
        used.update(check.id for check in own)
        everything += [*plugin.checks, *own]
        names |= set(named)
        kinds.update(signs)
        settings += [guarded_settings(each) for each in plugin.settings]
        loaded.append((entry, plugin))
    result = Loaded(
        checks=tuple(check for _, plugin in loaded for check in _checks_of(plugin)),
        probes=tuple(probe for _, plugin in loaded for probe in plugin.probes),
        products=tuple(guarded(product) for _, plugin in loaded for product in plugin.products),
    )
    if loaded:
        failures += _unknown_parts(loaded, known, result, sharing)
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
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for what was asked for: a schema, JSON
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
    loaded: Iterable[tuple[importlib.metadata.EntryPoint, Plugin]],
    known: Loaded,
    added: Loaded,
    sharing: Mapping[str, int],
) -> Iterable[Result]:
    """What plugins declare and nothing knows: it would silently never be looked at."""
    for entry, plugin in loaded:
        flaws = flaws_of(
            checks=_checks_of(plugin),
            probes=plugin.probes,
            products=plugin.products,
            settings=plugin.settings,
            all_products=(*known.products, *added.products),
            all_checks=(*known.checks, *added.checks),
            all_probes=(*known.probes, *added.probes),
        )
        if flaws:
            why = f"the plugin loads, but nothing knows what it asks for: {'; '.join(flaws)}"
            yield _failure(entry, why, alone=sharing[entry.name] == 1)


def _load(entry: importlib.metadata.EntryPoint) -> Plugin:
    return sound(entry.load(), entry.value)


def _failure(entry: importlib.metadata.EntryPoint, message: str, *, alone: bool) -> Result:
    """`alone` says that no other package calls its entry point the same: ids of results have to differ."""
    package = entry.dist.name if entry.dist else "an installed package"
    told = entry.name if alone else f"{entry.name}-{entry.dist.name if entry.dist else entry.value}"
    return Result(
        check=f"plugin-{told}",
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

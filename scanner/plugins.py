"""What installed packages add: checks, the probes behind them, and the products they are for."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial

from checks.check import Check, ClusterCheck, NodeCheck
from checks.outcome import Remediation, Result, Severity, Status
from checks.runbook.quoting import for_sh
from scanner.errors import cause_of
from scanner.inventory.product_settings.known import BUILTIN as BUILTIN_SETTINGS
from scanner.inventory.settings.catalogue import ProductSettings, refuse_clashes, refuse_uncarried
from scanner.probes.loaded import Loaded
from scanner.probes.probe import Probe
from scanner.run.foreign import Allowance

_LOADING_S = 60.0
"""What one plugin may take to load: its libraries may be large, and on a slow disk."""

GROUP = "preflight.checks"
"""The entry-point group. Each entry names a `Plugin`, or a function without arguments that returns one."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a package offers."""

    checks: tuple[Check, ...]
    probes: tuple[Probe, ...] = ()
    settings: tuple[ProductSettings, ...] = ()
    """The keys that the inventory takes for a product, each declared once with `scanner.inventory.settings.setting`."""


def load_plugins(taken: Iterable[str], entries: Iterable[importlib.metadata.EntryPoint] | None = None) -> Loaded:
    """Load what is installed, sorted by name. `taken`: ids of built-in checks and probes, which stay theirs."""
    found = _installed(importlib.metadata.entry_points, tuple(sys.path)) if entries is None else entries
    used = set(taken)
    checks: list[Check] = []
    probes: list[Probe] = []
    settings: list[ProductSettings] = []
    failures: list[Result] = []
    for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
        try:
            plugin = Allowance(_LOADING_S).call(partial(_load, entry))
            ids = [check.id for check in plugin.checks] + [probe.id for probe in plugin.probes]
            twice = sorted({name for name in ids if name in used or ids.count(name) > 1})
            if twice:
                raise TypeError(f"{twice[0]}: this id is taken")  # noqa: TRY301  told like every other failure
            refuse_clashes([*BUILTIN_SETTINGS, *settings, *plugin.settings])
        except Exception as error:  # noqa: BLE001  a foreign module may do anything while it loads
            failures.append(_failure(entry, error))
            continue
        used.update(ids)
        checks += plugin.checks
        probes += plugin.probes
        settings += plugin.settings
    return Loaded(checks=tuple(checks), probes=tuple(probes), settings=tuple(settings), failures=tuple(failures))


@lru_cache(maxsize=4)
def _installed(
    find: Callable[..., Iterable[importlib.metadata.EntryPoint]], _: tuple[str, ...]
) -> tuple[importlib.metadata.EntryPoint, ...]:
    """What is installed in the folders of the path: it is asked for often, and costs milliseconds each time."""
    return tuple(find(group=GROUP))


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
    return plugin


def _failure(entry: importlib.metadata.EntryPoint, error: BaseException) -> Result:
    package = entry.dist.name if entry.dist else "an installed package"
    cause = cause_of(error)
    return Result(
        check=f"plugin-{entry.name}",
        title=f"Plugin {entry.name} loads",
        severity=Severity.HIGH,
        cluster="plugins",
        node=None,
        status=Status.ERROR,
        message=f"the plugin did not load, so its checks are missing: {cause}",
        expected=f"{entry.value} loads",
        observed=cause_of(error).partition(":")[0],
        remediation=Remediation(
            f"Repair or remove {package}.", f"pip uninstall {for_sh(package)}" if entry.dist else "", language="sh"
        ),
        evidence={"entry_point": f"{entry.name} = {entry.value}", "package": package},
        not_evaluated=True,
    )

"""All that there is to run: the built-in checks and probes, and what plugins bring."""

from __future__ import annotations

from checks.baseline.drift_rules import DriftRules
from checks.check import Check
from checks.registry import BUILTIN
from scanner.plugins import load_plugins
from scanner.probes.loaded import Loaded
from scanner.probes.probe import Probe
from scanner.probes.registry import BUILTIN as BUILTIN_PROBES
from scanner.rule_data import load_drift_rules


def known_checks(own: Loaded | None = None) -> tuple[tuple[Check, ...], tuple[Probe, ...], Loaded]:
    """All checks and probes, the built-in ones first, the inventory's `own` last, and what their loading said."""
    taken = [check.id for check in BUILTIN] + [probe.id for probe in BUILTIN_PROBES]
    loaded = load_plugins(taken)
    if own is not None:
        loaded = loaded.beside(own)
    return BUILTIN + loaded.checks, BUILTIN_PROBES + loaded.probes, loaded


def known_drift_rules(own: Loaded | None = None) -> DriftRules:
    """How values are compared with a baseline, as shipped; what plugins and `own` read, exactly."""
    _, probes, _ = known_checks(own)
    return load_drift_rules().with_kinds(kind for probe in probes for kind in probe.facts)

"""All checks, probes and decisions on drift that there are on this machine: built-in ones and those of plugins."""

from __future__ import annotations

from checks.baseline.drift_rules import DriftRules
from checks.check import Check
from checks.registry import BUILTIN
from scanner.inventory.loaded import Loaded
from scanner.plugins import known
from scanner.probes.probe import Probe
from scanner.probes.registry import BUILTIN as PROBES
from scanner.rule_data import load_drift_rules


def load_registry(own: Loaded | None = None) -> tuple[tuple[Check, ...], tuple[Probe, ...], Loaded]:
    """All checks and probes, the built-in ones first, the inventory's `own` last, and what their loading said."""
    found = known()
    if own is not None:
        found = found.beside(own)
    return found.checks, found.probes, found


def builtin_ids() -> frozenset[str]:
    """The ids of the checks and probes that come with preflight."""
    return frozenset(each.id for each in (*BUILTIN, *PROBES))


def known_drift_rules(own: Loaded | None = None) -> DriftRules:
    """How values are compared with a baseline, as shipped and as plugins' products say; what else is read, exactly."""
    _, probes, found = load_registry(own)
    rules = load_drift_rules(found.products)
    return rules.with_kinds(kind for probe in probes for kind in probe.facts)

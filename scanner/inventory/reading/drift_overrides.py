"""[drift], from its table to the model."""

from __future__ import annotations

from collections.abc import Mapping

from checks.baseline.drift_rules import DriftRuleError, DriftRules
from scanner.inventory.reading.values import KeyPath, Problems, read_keys, read_table, unknown_key
from scanner.inventory.settings.acceptance import DRIFT_RULE
from scanner.inventory.settings.setting import by_name


def read_drift(value: object, shipped: DriftRules, problems: Problems) -> dict[str, Mapping[str, object]]:
    """The rules in [drift], each held to the facts that `shipped` decides on. What cannot be used is noted."""
    place: KeyPath = ("drift",)
    table = read_table(value, place, problems) or {}
    for name in table:
        if name != "rules":
            unknown_key(name, (*place, name), ("rules",), problems)
    rules = read_table(table.get("rules", {}), (*place, "rules"), problems) or {}
    found: dict[str, Mapping[str, object]] = {}
    for pattern, row in rules.items():
        here = (*place, "rules", pattern)
        written = read_table(row, here, problems)
        if written is None:
            continue
        nested = [name for name, inner in written.items() if isinstance(inner, dict)]
        if nested:
            name = f"{pattern}.{nested[0]}"
            problems.add(here, f'the name of a fact needs quotes, as in [drift.rules."{name}"]')
            continue
        change = read_keys(written, by_name(DRIFT_RULE), here, problems)
        missing = [key.name for key in DRIFT_RULE if key.required and key.name not in written]
        for name in missing:
            problems.add((*here, name), "missing")
        if missing or len(change) < len(written):
            continue
        try:
            shipped.with_overrides({pattern: change})
        except DriftRuleError as error:
            problems.add(here, str(error).removeprefix(f"{pattern}: "))
        found[pattern] = change
    return found

"""What follows from a node that cannot be asked, computed from the registry: no scenario lists it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from checks.check import NodeCheck
from checks.engine.evaluation import applies_to
from checks.registry import BUILTIN
from checks.scan import CONNECTIVITY
from scanner.lab.scenario import Scenario

Row = Mapping[str, Any]
_SPOILING = ("non-utf8", "sudo-denied", "sudo-missing")
"""Faults of a node that meet whatever it is asked, or whatever it is asked as root."""
UNKNOWN_TO_LISTENERS = {"distinct-machines", "web-nodes-known"}
"""Checks that a SQL Server port alone could tell nothing for, in the best of health either."""


_WITHOUT = re.compile(r"cannot tell without \d+ nodes?: (.*)")


def follows_from(row: Row, gaps: Sequence[str], spoilt: Sequence[str] = ()) -> bool:
    """Whether nothing but these nodes' silence, or what spoils all their answers, keeps the result from being told."""
    if row["status"] != "error":
        return False
    causes = row.get("follows", [])
    if causes and set(causes) <= {f"{CONNECTIVITY}:{name}" for name in gaps}:
        return True
    lacking = _WITHOUT.fullmatch(row["message"]) if row["node"] is None else None
    without = lacking[1].partition(":")[0].split(", ") if lacking else [row["node"]]
    return set(without) <= set(spoilt)


def spoilt_in(scenario: Scenario) -> tuple[str, ...]:
    """The nodes of which every answer may be spoilt, that of a check to come as well: what a scenario cannot list."""
    return tuple(node.name for cluster in scenario.clusters for node in cluster.nodes if node.fault in _SPOILING)


def assert_no_gap_is_hidden(results: Sequence[Row], scenario: Scenario) -> None:
    """A node without any answer has none of its checks evaluated, and no check over it passes or merely warns."""
    told = {(row["cluster"], row["node"], row["check"]): row for row in results}
    for cluster in scenario.clusters:
        for node in cluster.nodes:
            contact = told[cluster.name, node.name, CONNECTIVITY]
            if contact["status"] != "error" or contact["evidence"].get("answered", 0):
                continue
            for check in BUILTIN:
                if check.id == CONNECTIVITY or not applies_to(check, cluster.product, node.roles, cluster.name):
                    continue
                if node.inventory.get("transport") == "tds" and check.id in UNKNOWN_TO_LISTENERS:
                    continue
                own = isinstance(check, NodeCheck)
                row = told[cluster.name, node.name if own else None, check.id]
                said = f"{check.id} of {cluster.name}, without {node.name}: {row['status']}, {row['message']}"
                if row.get("left_out"):
                    continue
                if own:
                    assert (row["status"], row["not_evaluated"]) == ("skip", True), said
                    assert row["follows"] == [f"{CONNECTIVITY}:{node.name}"], said
                elif check.facts or check.optional_facts:  # and not what the inventory alone tells
                    assert row["status"] not in {"pass", "warn"}, said

"""What the baseline's file is, `preflight.baseline/1`: one fact a line, sorted, made to be reviewed in a diff."""

from __future__ import annotations

from pathlib import Path

from checks.baseline.snapshot import LEFT_OUT, NOT_EVALUATED
from checks.outcome import Status

FORMAT = "preflight.baseline/1"
SECTIONS = ("schema", "inventory", "approvals", "nodes", "not_read", "checks", "facts")
APPROVAL = ("at", "by", "reason", "scope", "tool")
"""The keys of an approval."""
STATUSES = (*map(str, Status), NOT_EVALUATED, LEFT_OUT)
"""How a check may have ended."""


def default_path(inventory: Path) -> Path:
    """Where the baseline of an inventory lies: inventory.baseline.json beside inventory.toml."""
    return inventory.with_name(f"{inventory.stem}.baseline.json")

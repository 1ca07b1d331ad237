"""Which runs of a history can be held against each other: those that ask the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySeries:
    """What a run asks. Only runs that ask the same are held against each other."""

    command: str
    """scan or drift."""
    inventory: Path
    phase: str = "before"
    targets: tuple[str, ...] = ()
    """What `--target` asked, as written."""
    scope: str = ""
    """The selection in words, as options; empty where there is none."""
    narrowed: bool = False
    """True where the selection leaves out nodes, or all checks but some. `--skip-check` alone does not narrow."""

    @classmethod
    def asked(
        cls,
        command: str,
        inventory: Path,
        *,
        narrowed: bool,
        phase: str = "before",
        target: Sequence[str] = (),
        cluster: Sequence[str] = (),
        node: Sequence[str] = (),
        check: Sequence[str] = (),
        skip_check: Sequence[str] = (),
    ) -> HistorySeries:
        """The question that the options of the command line make; the order in which they stand does not matter.

        `narrowed` says whether nodes were left out.
        """
        options = {"--cluster": cluster, "--node": node, "--check": check, "--skip-check": skip_check}
        scope = " ".join(f"{name} {value}" for name, values in options.items() for value in sorted(set(values)))
        return cls(
            command=command,
            inventory=inventory,
            phase=phase,
            targets=tuple(sorted(set(target))),
            scope=scope,
            narrowed=narrowed or bool(check),
        )

    @property
    def inventory_key(self) -> str:
        """What tells two inventories in one history apart: the file's absolute path, links resolved."""
        return os.fsencode(os.path.realpath(self.inventory)).decode("utf-8", "backslashreplace")

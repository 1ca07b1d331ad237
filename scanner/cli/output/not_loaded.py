"""What did not load of plugins and of an inventory's own files, for commands that make no results to say it in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from scanner.cli.output.streams import print_error

if TYPE_CHECKING:
    from checks.outcome import Result
    from scanner.inventory.model import Inventory


def tell_failures(failures: Iterable[Result]) -> None:
    """Each on standard error."""
    for failure in failures:
        print_error(f"{failure.check}: {failure.message}")


def tell_what_did_not_load(inventory: Inventory | None = None) -> None:
    """The same of all that there is on this machine, and in the inventory."""
    from scanner.loading.registry import load_registry

    tell_failures(load_registry(inventory.own if inventory else None)[2].failures)

"""What a machine calls itself."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ComputerName:
    """A machine's own name, whatever the inventory calls it and whatever address it was reached by."""

    name: str
    """As the machine tells it: Windows' NetBIOS name."""
    domain: str
    """Its DNS domain; empty where it has none."""

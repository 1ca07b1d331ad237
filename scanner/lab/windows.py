"""A simulated Windows node: it takes the delivered batch, and nothing else, and answers from recorded data."""

from __future__ import annotations

from scanner.lab.windows_machine import Machine
from scanner.lab.windows_table import MachineError

__all__ = ["Machine", "MachineError"]

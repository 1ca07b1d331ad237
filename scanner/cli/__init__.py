"""The command line: it parses, wires, prints and returns. No judgement is made here."""

from __future__ import annotations

from scanner.cli.app import main

__all__ = ["main"]

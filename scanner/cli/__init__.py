"""The command line: it parses, wires, prints and returns. No judgement is made here."""

from __future__ import annotations


def main() -> None:
    """Run the command line, and leave the process with its exit code."""
    try:
        from scanner.cli.app import main as run
    except KeyboardInterrupt:
        # The first blink of a command is spent on imports; a Ctrl-C then is one like any other.
        raise SystemExit(130) from None
    run()


__all__ = ["main"]

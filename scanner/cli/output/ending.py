"""Where every command ends: the one place that chooses what the process ends with."""

from __future__ import annotations

from typing import NoReturn

import typer

from checks.exit_codes import ExitCode
from scanner.cli.output.streams import exit_now


def leave(answer: int, *, problems: bool = False, interrupted: bool = False) -> NoReturn:
    """End with the command's `answer`, unless it was interrupted, or there were `problems` with writing it down.

    What could not be written is the graver of the two: whoever reads the files would take old ones for new.
    """
    other = ExitCode.USAGE if problems else ExitCode.INTERRUPTED
    end(other if problems or interrupted else answer, at_once=interrupted)


def end(code: int, *, at_once: bool = False) -> NoReturn:
    """End with `code`; `at_once` where threads may still wait for nodes."""
    if at_once:
        exit_now(code)
    raise typer.Exit(code)

"""What the commands say, and what becomes of it where nobody can or wants to read it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn


def prepare_streams() -> None:
    """Let no console end a scan: what it cannot show is shown as a substitute, and a closed one is nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open to the end
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")


def complain(text: str) -> None:
    """Say on standard error what is wrong; further lines are indented."""
    from reports.text import visible

    lines = [visible(line) for line in text.split("\n")]
    print("preflight: " + "\n  ".join(lines), file=sys.stderr)


def say(text: str) -> str:
    """Print `text` on standard output, at once. Returns why that was not possible, "" if it was.

    A reader that has gone (`preflight scan inventory.toml | head`) is no problem: it has read what it wanted. What else
    is to be written, and the exit code, do not depend on it.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        abandon_stdout()
    except OSError as error:
        abandon_stdout()
        return f"standard output cannot be written: {error.strerror or error}"
    return ""


def leave(code: int) -> NoReturn:
    """End the process at once: threads may still wait for nodes, and the interpreter would wait for them."""
    sys.stderr.flush()
    os._exit(code)


def abandon_stdout() -> None:
    """Send to nowhere what standard output still holds, else the interpreter complains of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

"""The command line: it parses, wires, prints and returns. No judgement is made here."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys

INTERRUPTED, USAGE = 130, 2
"""ExitCode's, before it is known whose `checks` would be asked for it; a test holds them together."""

# Windows has no SIGHUP, which a closed terminal or a lost connection sends.
INTERRUPTS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What ends a command in order."""


def main() -> None:
    """Run the command line, and leave the process with its exit code."""
    _leave_when_interrupted()
    gc.disable()  # all that is imported is there to stay
    try:
        from scanner.installation import trouble

        if told := trouble():
            first, cure = told.split("\n", 1)
            sys.stderr.write(f"preflight: {first}\n  {cure}\n")
            sys.exit(USAGE)
        from scanner.cli.app import main as run

        run()
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as defect:  # noqa: BLE001  the interpreter would end with 1, which says NO-GO
        from scanner.cli.process.defects import end_with_defect

        end_with_defect(defect)


def run_to_the_end() -> None:
    """The same, and tell whoever watches over this process what it ends with."""
    from scanner.cli.process import farewell

    try:
        main()
    except SystemExit as ended:
        farewell.tell(ended.code)
        raise
    farewell.tell(0)


def _leave_when_interrupted() -> None:
    """Let an interrupt end the process at once, as long as no command has begun, and after it has ended.

    Nothing is open anywhere then; and an exception would come up in the middle of an import, which may swallow it, or
    where nobody catches it any more. The first blink of a command is spent on imports.
    """

    def leave(*_: object) -> None:
        from scanner.cli.process import farewell

        farewell.tell(INTERRUPTED)
        os._exit(INTERRUPTED)

    with contextlib.suppress(ValueError):  # not in the main thread, where signals are not ours to handle
        for number in INTERRUPTS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, leave)


__all__ = ["INTERRUPTS", "main"]

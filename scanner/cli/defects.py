"""A crash of ours: one line that says so, and an exit code that nobody takes for a verdict."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

DEFECT = 70
"""ExitCode.DEFECT, which cannot be asked where its module is what broke; a test holds the two together."""

_ADVICE = "Set PREFLIGHT_TRACEBACK=1 to see where, and please report it."
_MISSING = "Install it anew: python -m pip install --force-reinstall preflight-scanner"


def end_with_defect(defect: BaseException) -> NoReturn:
    """Say what happened and leave, whatever it takes: memory or the stack may be at their end, a module missing."""
    try:
        _cleanse(defect)
        if os.environ.get("PREFLIGHT_TRACEBACK"):
            import traceback

            traceback.print_exception(defect)
        _tell(defect)
    except BaseException:  # noqa: BLE001  what cannot be told any more still has to end with its code
        with contextlib.suppress(Exception):
            os.write(2, f"preflight: a defect of preflight: {type(defect).__name__}\n".encode())
    sys.exit(DEFECT)


def _cleanse(defect: BaseException) -> None:
    with contextlib.suppress(ImportError):
        from scanner.redaction import known

        known().cleanse(defect)


def _tell(defect: BaseException) -> None:
    advice = _MISSING if isinstance(defect, ImportError) else _ADVICE
    try:
        from scanner.cli.streams import complain
        from scanner.errors import cause_of

        complain(f"a defect of preflight: {cause_of(defect)}\n{advice}")
    except ImportError:
        text = ascii(" ".join(str(defect).split()))[1:-1]
        os.write(2, f"preflight: a defect of preflight: {type(defect).__name__}: {text}\n  {advice}\n".encode())

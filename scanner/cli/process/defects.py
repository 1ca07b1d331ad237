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
_LACKING: dict[type[BaseException], str] = {
    kind: f"preflight: a defect of preflight: {kind.__name__}\n  {_ADVICE}\n" for kind in (MemoryError, RecursionError)
}
"""What is said where there may be no room to find words: composed beforehand, and free of whatever was being done."""


def end_with_defect(defect: BaseException) -> NoReturn:
    """Say what happened and leave, whatever it takes: memory or the stack may be at their end, a module missing."""
    try:
        _tell_with_traceback(defect)
    except BaseException:  # noqa: BLE001  what cannot be told any more still has to end with its code
        with contextlib.suppress(Exception):
            os.write(2, f"preflight: a defect of preflight: {type(defect).__name__}\n".encode())
    sys.exit(DEFECT)


def tell_of_lost_defects() -> None:
    """Let what nobody catches, in a thread or as something is thrown away, be told like every other defect."""
    import threading

    def in_thread(lost: threading.ExceptHookArgs) -> None:
        if lost.exc_type is not SystemExit:
            _tell_lost(lost.exc_value)

    threading.excepthook = in_thread
    sys.excepthook = lambda _, lost, __: _tell_lost(lost)
    sys.unraisablehook = lambda lost: _tell_lost(lost.exc_value)


def _tell_lost(defect: BaseException | None) -> None:
    with contextlib.suppress(Exception):
        if defect is not None:
            _tell_with_traceback(defect)


def _tell_with_traceback(defect: BaseException) -> None:
    asked_for = bool(os.environ.get("PREFLIGHT_TRACEBACK"))
    lacking = _LACKING.get(type(defect))
    if lacking is not None and not asked_for:
        # To look through the exception for secrets, or to import what tells of others, needs what there is none of:
        # CPython has been seen to abort on the way.
        sys.stderr.write(lacking)
        return
    _cleanse(defect)
    if asked_for:
        sys.stderr.write(_traceback_of(defect))
    _tell(defect)


def _traceback_of(defect: BaseException) -> str:
    """Where it happened, and what had led to it, each told on one line: Python's own way breaks a text into lines that
    begin with signs, in which a secret is not known any more.
    """
    import traceback

    from scanner.errors import cause_of
    from scanner.secrets.redaction import known

    parts: list[str] = []
    waiting: list[BaseException | None] = [defect]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
        where = "".join(traceback.format_tb(each.__traceback__))
        notes = [" ".join(str(note).split()) for note in getattr(each, "__notes__", ())]
        parts.append(known().message("\n".join([f"{where}{cause_of(each)}", *notes])))
    return "Traceback (most recent call last):\n" + "\nwhich came of:\n".join(parts) + "\n"


def _cleanse(defect: BaseException) -> None:
    with contextlib.suppress(ImportError):
        from scanner.secrets.redaction import known

        known().cleanse(defect)


def _tell(defect: BaseException) -> None:
    advice = _MISSING if isinstance(defect, ImportError) else _ADVICE
    try:
        from scanner.cli.output.streams import print_error
        from scanner.errors import cause_of

        print_error(f"a defect of preflight: {cause_of(defect)}\n{advice}")
    except ImportError:
        text = ascii(" ".join(str(defect).split()))[1:-1]
        os.write(2, f"preflight: a defect of preflight: {type(defect).__name__}: {text}\n  {advice}\n".encode())

"""What is started to run a script, for transports that start a program with a standard input of its own: ssh, local.

The script always goes there whole, whatever its size, and nothing of it stands in the list of processes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from scanner.errors import NodeError, RefusedError
from scanner.probes.probe import Language
from scanner.transports.powershell_delivery import NOTHING, deliver_on_stdin
from scanner.transports.powershell_output import settle_merged

READY_S = 10.0
"""How long `Start.ready` is waited for. Without it the script goes there all the same; the clock is less certain."""

_READY_LINE = re.compile(r"echo ([\w-]+-ready\n)")
_NO_PROGRAM = (126, 127)
"""What POSIX shells end with where they cannot start a program."""
_WINDOWS_SAYS = "is not recognized as "
"""Of a program that is not there; other languages than English have other words."""
_HINT_SH = "log in there and run `sh -s` by hand; look at the account's login shell and at ForceCommand"
_HINT_WINDOWS = "is it a Windows machine? Nodes of this product are not; check `host` and `port`"
_HINT_POWERSHELL = "log in there and run `powershell.exe` by hand; look at OpenSSH's DefaultShell and at ForceCommand"


@dataclass(frozen=True, slots=True)
class Start:
    """One program that runs one script, and reads it from its standard input."""

    words: tuple[str, ...]
    """The program and its arguments. None needs quotes, neither in sh nor in cmd.exe nor in PowerShell."""
    stdin: bytes = field(repr=False)
    judge: Callable[[bytes, int], NodeError | None]
    """From its output, standard error among it, and its exit status: why that is no answer, if it is none."""
    hint: str
    """What to do where it does not start."""
    ready: bytes = b""
    """What it prints as soon as it reads its standard input; empty where that cannot be told."""

    @property
    def command(self) -> str:
        """The words as one line, for a shell."""
        return " ".join(self.words)


def start_of(language: Language, script: str, place: str = "the node", variables: Mapping[str, str] = NOTHING) -> Start:
    """How to run `script`, which is sh or PowerShell, at `place`, as messages call it.

    `variables` are set for a PowerShell script, and go where it goes. Raises ValueError for PowerShell, and for
    variables, that cannot be sent.
    """
    if language == "powershell":
        delivery = deliver_on_stdin(script, variables)
        return Start((delivery.command, *delivery.arguments), delivery.stdin or b"", settle_merged, _HINT_POWERSHELL)
    # Shells run a script from standard input line by line.
    first = _READY_LINE.match(script)
    ready = first[1].encode() if first else b""
    return Start(("sh", "-s"), script.encode("utf-8", "surrogateescape"), partial(_judge_sh, place), _HINT_SH, ready)


def _judge_sh(place: str, output: bytes, status: int) -> NodeError | None:
    if status == 0:
        return None
    lines = [line for line in output[-4096:].decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    windows = next((line for line in lines if _WINDOWS_SAYS in line), "")
    said = f": {(windows or lines[-1])[:200]}" if lines else ""
    if status in _NO_PROGRAM or windows:
        hint = (
            "is it a Windows machine? Nodes of this product are not; check `host` and `port`" if windows else _HINT_SH
        )
        return RefusedError(f"{place} cannot run `sh` (exit {status}){said}", hint=hint, partial=output)
    return RefusedError(f"{place}: the shell ended with exit {status}{said}", hint=_HINT_SH, partial=output)

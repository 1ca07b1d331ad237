"""What is started to run a script, for transports that start a program with a standard input of its own: ssh, local.

The script always goes there whole, whatever its size, and nothing of it stands in the list of processes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field

from checks.common.dataclass import dataclass
from scanner.errors import NodeError, RefusedError
from scanner.probes.batch.sh import tail_bytes
from scanner.probes.probe import Language
from scanner.transports.powershell.output import settle_merged
from scanner.transports.powershell.script_delivery import NO_VARIABLES, deliver_on_stdin
from scanner.transports.ssh.login_shells import BY_HAND, NO_PROGRAM, began, meaning, said_lines, shown, stands_instead

READY_S = 10.0
"""How long `Start.ready` is waited for. Without it the script goes there all the same; the clock is less certain."""

_READY_LINE = re.compile(r"\n*echo ([\w-]+-ready\n)")
_WINDOWS_SAYS = "is not recognized as "
"""Of a program that is not there; other languages than English have other words."""
_HINT_WINDOWS = "is it a Windows machine? Nodes of this product are not; check `host` and `port`"
_HINT_POWERSHELL = "log in there and run `powershell.exe` by hand; look at OpenSSH's DefaultShell and at ForceCommand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One program that runs one script, and reads it from its standard input."""

    words: tuple[str, ...]
    """The program and its arguments. None needs quotes, neither in sh nor in cmd.exe nor in PowerShell."""
    stdin: bytes = field(repr=False)
    judge: Callable[[bytes, int], NodeError | None]
    """From its output, standard error among it, and its exit status: why that is no answer, if it is none."""
    hint: str
    """What to do where it does not start."""
    ready: bytes = b""
    """What a shell prints as soon as it reads its standard input; empty where that cannot be told."""
    tail_bytes: int = 1
    """So much at least is printed at the end, once all is answered: blanks first."""

    @property
    def command(self) -> str:
        """The words as one line, for a shell."""
        return " ".join(self.words)


def launch_for(
    language: Language,
    script: str,
    place: str = "the node",
    variables: Mapping[str, str] = NO_VARIABLES,
    *,
    by_login: bool = True,
) -> Launch:
    """How to run `script`, which is sh or PowerShell, at `place`, as messages call it.

    `by_login`: a login shell, or what is forced in its place, is to start it. `variables` are set for a PowerShell
    script, and go where it goes. Raises ValueError for PowerShell, and for variables, that cannot be sent.
    """
    if language == "powershell":
        delivery = deliver_on_stdin(script, variables)
        return Launch(
            words=(delivery.command, *delivery.arguments),
            stdin=delivery.stdin or b"",
            judge=settle_merged,
            hint=_HINT_POWERSHELL,
        )
    # Shells run a script from standard input line by line.
    first = _READY_LINE.match(script)
    ready = first[1].encode() if first else b""
    stdin = script.encode("utf-8", "surrogateescape")

    def judge(output: bytes, status: int) -> NodeError | None:
        if by_login and ready and not began(output, ready):
            return _never_began(place, output, status, stdin)
        return _judge_sh(place, output, status) if status else None

    return Launch(
        words=("sh", "-s"), stdin=stdin, judge=judge, hint=BY_HAND, ready=ready, tail_bytes=tail_bytes(script)
    )


def _never_began(place: str, output: bytes, status: int, script: bytes) -> NodeError:
    if any(_WINDOWS_SAYS in line for line in said_lines(output)):
        return _judge_sh(place, output, status)
    found = stands_instead(place, output, status, script)
    return RefusedError(found.told, hint=found.cure, partial=output)


def _judge_sh(place: str, output: bytes, status: int) -> NodeError:
    lines = said_lines(output)
    windows = next((line for line in lines if _WINDOWS_SAYS in line), "")
    said = f": {shown(windows or lines[-1])}" if lines else ""
    if windows:
        return RefusedError(f"{place} cannot run `sh` (exit {status}){said}", hint=_HINT_WINDOWS, partial=output)
    if status in NO_PROGRAM:
        return RefusedError(f"{place} cannot run `sh` (exit {status}){said}", hint=BY_HAND, partial=output)
    if lines and (known := meaning(lines[-1])):
        return RefusedError(f"{place}: {known.told} (exit {status})", hint=known.cure, partial=output)
    return RefusedError(f"{place}: the shell ended with exit {status}{said}", hint=BY_HAND, partial=output)

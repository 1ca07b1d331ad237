"""What is sent to a node, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from checks.common.dataclass import dataclass

Language = Literal["sh", "powershell", "tds"]
"""What a probe is written in; tds is no shell's, but SQL Server's own protocol."""


class UnreadableError(Exception):
    """An answer that cannot be made into the fact. The message is one line, says why, and shows the offending line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe printed. Decoded safely: bytes that are no UTF-8 appear as \\xNN."""

    output: str
    exit_code: int
    truncated: bool = False
    """True where the output was cut at the probe's cap."""
    error_output: str = ""
    """What an sh probe printed on standard error. It is shown, and says why there is no answer; it is none itself."""


@dataclass(frozen=True, slots=True)
class NodeClock:
    """What a node's own clock said when its script began and when it ended; seconds since 1970 UTC."""

    begun_s: float
    ended_s: float
    resolution_s: float = 0.0
    """How much later than it says each of them may have been: 1.0 for whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question to a node.

    `script` is a POSIX sh fragment (standard input is empty, what needs root follows `$SUDO`)
    or the body of a PowerShell 2.0 function that returns one value made of hashtables, arrays, strings, numbers and
    booleans; its answer is that value as JSON. A `tds` probe sends nothing to the host's shell: without a script it
    asks for the greeting, and with one, of SELECTs, it asks with a login.
    """

    id: str
    language: Language
    purpose: str
    """One line for `preflight probes`."""
    script: str
    readers: tuple[tuple[type, Callable[[Answer], object]], ...]
    """Each fact class with the pure function that reads it from the answer; it raises UnreadableError. Module-level
    functions, so that a probe can be pickled."""
    parameters: tuple[str, ...] = ()
    """Node options that the script may read: `$web_root` in sh, `$PfOption['web_root']` in PowerShell."""
    fallback_for: str = ""
    """For a `tds` probe: the id of the probe whose answer makes it superfluous."""
    instead_of: str = ""
    """For a `tds` probe with a script: the id of the probe that it stands in for, where the scanner itself logs in."""
    roles: tuple[str, ...] = ()
    """Roles of the nodes that are asked. Empty: any node that a check wants the fact of."""
    needs: tuple[str, ...] = ()
    """What an account on Windows needs for it beside being let in: lines of `scanner.probes.rights`."""
    timeout_s: int = 30
    """What one sh probe may take on the node, where `timeout` is there."""
    parts: tuple[str, ...] = ()
    """PowerShell functions that the script calls beside those that are always sent; each text is sent once for all."""
    own: bool = False
    """True for a question of the inventory's: what was asked under its name at another time may be something else."""
    sample: str = ""
    """What it gets from a node in good health: what an sh probe prints, the value of a PowerShell probe as JSON. The
    lab's nodes give it wherever they have no answer of their own, so that a new probe needs no lab of its own."""
    sample_errors: str = ""
    """What an sh probe prints on standard error meanwhile, in good health."""
    sample_from: str = ""
    """Where the sample is from: "vendor: ", "report: " or "captured: ", and the page, thread, or program with its
    version. Empty for one that was made up."""

    @property
    def facts(self) -> tuple[type, ...]:
        """The fact classes that it can give."""
        return tuple(kind for kind, _ in self.readers)

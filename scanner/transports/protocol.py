"""What every transport is: a door to one node that runs one script and closes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from checks.common.dataclass import dataclass
from scanner.transports.powershell.script_delivery import NO_VARIABLES

PRINTS_TOO_MUCH = "run what it is asked by hand there (`preflight probes INVENTORY`), and look at what prints so much"
"""What to do about an answer that is larger than may be kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the conversation with one node."""

    timeout_s: float = 60.0
    """From the login to the last byte of the answer."""
    answer_bytes: int = 8 * 1024 * 1024
    """More output than this ends in AnswerTooLargeError."""
    probe_bytes: int = 512 * 1024
    """One probe's output is cut at this on the node, where the node can."""


@dataclass(slots=True)
class ConnectionCost:
    """What the conversation cost; counted where it happens, shown in the results."""

    connections: int = 0
    """TCP connections opened, retries included; 0 on this machine itself."""
    commands: int = 0
    requests: int = 0
    """HTTP requests sent; 0 but over WinRM."""


@dataclass(slots=True)
class TransferTimes:
    """When the conversation went there and back, by `scanner.clock.now_s`; the closer together, the better.

    What a transport leaves at None, the gathering takes from before and after the whole `run`.
    """

    sent_s: float | None = None
    """Before the script was there in full, so that nothing of it can have run."""
    received_s: float | None = None
    """After the last of its output had arrived."""


class Transport(Protocol):
    """An open or openable door to one node. Not thread safe; one per node."""

    usage: ConnectionCost
    moments: TransferTimes

    def run(self, script: str, variables: Mapping[str, str] = NO_VARIABLES) -> bytes:
        """Run the batched `script` in the node's shell and give its output. Called once.

        `variables` are in the environment of a PowerShell script. They may be secrets: printable ASCII without blanks
        that stands in no argument, no script and no log.
        Raises NodeError, with what had arrived in `partial`.
        """
        ...

    def close(self) -> None:
        """Leave nothing behind on the node or here. Never raises, may be called twice."""
        ...

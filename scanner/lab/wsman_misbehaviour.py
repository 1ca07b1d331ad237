"""Ways in which a lab node can go wrong on purpose, and the ones that happen below HTTP."""

from __future__ import annotations

import enum
import os
import socket
import threading

from scanner.lab.wsman_process import ProcessOutput

_POLL_S = 0.2
_BABBLE_BLOCK = b"babble, babble, babble, babble, babble, babble, babble, babble.\r\n" * 1024


class WsmanFault(enum.StrEnum):
    """One way for the server to misbehave. Scenarios name them by value."""

    REFUSE = "refuse"
    """The port refuses connections."""
    SILENT = "silent"
    """Accepts connections and never says anything."""
    HANG_ON_RECEIVE = "hang-on-receive"
    """Everything works until the output is asked for; then nothing comes, not even an operation timeout."""
    DRIBBLE = "dribble"
    """The first answer comes at one byte a second, for ever."""
    DRIBBLE_ON_RECEIVE = "dribble-on-receive"
    """The output comes at one byte a second, after proper headers."""
    CUT = "cut"
    """The connection ends in the middle of the output."""
    GARBAGE = "garbage"
    """Random bytes instead of HTTP."""
    HTML = "html"
    """A page with status 200 for everything, like a captive portal."""
    EMPTY = "empty"
    """Status 200 and an empty body for everything."""
    BABBLE = "babble"
    """50 MB of output."""
    TRUNCATED = "truncated"
    """Half of the output, and an end as if it were all."""
    QUOTA = "quota"
    """The account has all the shells it may have."""
    ACCESS_DENIED = "access-denied"
    """The login succeeds; the account may not open shells."""
    SLOW = "slow"
    """Operation timeouts before the output comes."""
    NOT_FOUND = "not-found"
    """Status 404 for everything: nothing serves /wsman here."""


BELOW_HTTP = frozenset({WsmanFault.SILENT, WsmanFault.GARBAGE})


def hold(connection: socket.socket, stopping: threading.Event) -> None:
    """Say nothing until the other side or the server gives up."""
    connection.settimeout(_POLL_S)
    while not stopping.is_set():
        try:
            if not connection.recv(65536):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def babble_garbage(connection: socket.socket) -> None:
    """Answer the first words with bytes that are no protocol."""
    try:
        connection.settimeout(5)
        connection.recv(65536)
        connection.sendall(os.urandom(4096))
    except OSError:
        return


def dribble(connection: socket.socket, data: bytes, stopping: threading.Event, interval_s: float) -> None:
    """Send `data`, and then blanks, one byte per interval."""
    position = 0
    try:
        while not stopping.wait(interval_s):
            connection.sendall(data[position : position + 1] or b" ")
            position += 1
    except OSError:
        return


def spoil(output: ProcessOutput, faults: frozenset[WsmanFault], babble_bytes: int) -> ProcessOutput:
    """What is left of a process's output under `faults`."""
    if WsmanFault.BABBLE in faults:
        blocks = -(-babble_bytes // len(_BABBLE_BLOCK))
        return ProcessOutput((_BABBLE_BLOCK * blocks)[:babble_bytes], output.stderr, output.exit_code)
    if WsmanFault.TRUNCATED in faults:
        return ProcessOutput(output.stdout[: len(output.stdout) // 2], b"", 0)
    return output

"""One command in one Windows Remote Shell: PowerShell with what it is to run, and what it printed.

The other way is `transports/psrp`: a session of PowerShell remoting.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from scanner.clock import now_s
from scanner.errors import AnswerTooLargeError, RefusedError
from scanner.secrets.redaction import Redactor
from scanner.transports.bounded import looked_through
from scanner.transports.powershell.output import check_exit
from scanner.transports.powershell.script_delivery import ENVELOPE_BYTES, Delivery
from scanner.transports.protocol import PRINTS_TOO_MUCH, ConnectionCost, TransferTimes
from scanner.transports.winrm import envelopes
from scanner.transports.winrm.exchange.faults import OperationTimeoutError

_STDIN_BYTES = 96 * 1024
"""One Send's share of standard input: below Windows Server 2008 R2's envelopes of 150 kB after base64 and sealing."""


def refuse_oversize(delivery: Delivery) -> None:
    """Raises RefusedError where the first message would be larger than WinRM takes."""
    if delivery.creation_bytes > ENVELOPE_BYTES:
        raise RefusedError(
            f"what is to be asked takes one message of {delivery.creation_bytes // 1024} kB, and WinRM takes "
            f"{ENVELOPE_BYTES // 1024} kB (MaxEnvelopeSizekb of Windows Server 2008 R2): nothing was sent",
            hint='set `delivery = "stdin"` for this node, which sends it in pieces, or select fewer checks',
        )


class RemoteShell:
    """A shell with one command. `send` gives the answer to one envelope, and raises what WinRM's faults are.

    `check` is called between messages, and raises where the time is up.
    """

    def __init__(
        self,
        send: Callable[[str], bytes],
        check: Callable[[], None],
        usage: ConnectionCost,
        moments: TransferTimes,
        *,
        operation_s: int,
        hide: Redactor,
    ) -> None:
        self._send = send
        self._check = check
        self._usage = usage
        self._moments = moments
        self._hide = hide
        self._envelopes = envelopes.Shell(operation_s)
        self.is_quiet = False
        """Whether the last message has been answered in full, so that the connection can take another."""

    @property
    def shell(self) -> str:
        """The shell's name on the node, from its creation on."""
        return self._envelopes.name

    def create(self, delivery: Delivery, idle_s: int) -> None:
        """Create the shell, which goes away by itself once idle for `idle_s`. Raises NodeError and WinRM's faults."""
        answer = self._send(self._envelopes.create(delivery.environment, idle_s))
        self._envelopes = replace(self._envelopes, name=envelopes.shell_of(answer))

    def run(self, delivery: Delivery, output: bytearray, answer_bytes: int) -> bytes:
        """Run the command, and give what it printed, which `output` has as it comes. Raises NodeError."""
        command = self._start(delivery)
        errors = bytearray()
        exit_code: int | None = None
        while exit_code is None:
            self._check()
            with suppress(OperationTimeoutError):
                received = envelopes.received(self._send(self._envelopes.receive(command)))
                if received.stdout:
                    self._moments.received_s = now_s()
                output += received.stdout
                errors += received.stderr
                exit_code = received.exit_code
            if len(output) + len(errors) > answer_bytes:
                self.is_quiet = True
                raise AnswerTooLargeError(
                    f"more output than {answer_bytes} bytes",
                    hint=PRINTS_TOO_MUCH,
                    partial=bytes(output[:answer_bytes]),
                )
        self.is_quiet = True
        told = looked_through(len(errors), lambda: self._hide.raw(bytes(errors)))
        return check_exit(bytes(output), told, exit_code)

    def _start(self, delivery: Delivery) -> str:
        """Start PowerShell, with all of its standard input."""
        self._moments.sent_s = now_s()
        console = delivery.stdin is None
        start = self._envelopes.command(delivery.command, delivery.arguments, console=console)
        command = envelopes.command_of(self._send(start))
        self._usage.commands += 1
        if delivery.stdin is not None:
            starts = range(0, len(delivery.stdin), _STDIN_BYTES)
            for at in starts:
                self._moments.sent_s = now_s()
                piece = delivery.stdin[at : at + _STDIN_BYTES]
                self._send(self._envelopes.send(command, piece, end=at == starts[-1]))
        return command

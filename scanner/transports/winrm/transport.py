"""WinRM: one shell, one PowerShell start, on as few HTTP requests as the login allows.

The shell is a Windows Remote Shell, or with `protocol = "psrp"` a session of PowerShell remoting.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

from scanner.errors import DeadlineError, NodeError
from scanner.inventory.model import Node
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.transports.deadline import Deadline
from scanner.transports.powershell.script_delivery import NO_VARIABLES, Delivery, deliver
from scanner.transports.protocol import ConnectionCost, Limits, TransferTimes
from scanner.transports.psrp.conversation import Conversation
from scanner.transports.psrp.delivery import plain
from scanner.transports.psrp.envelopes import Endpoint
from scanner.transports.winrm import envelopes
from scanner.transports.winrm.connection import Connection
from scanner.transports.winrm.progress import Progress, too_late
from scanner.transports.winrm.shell import RemoteShell, refuse_oversize

_OPERATION_TIMEOUT_S = 20
"""How long one Receive may wait for output before the node says "not yet"."""
_OPENING_S = 3.0
"""How long an interrupt waits for a shell whose creation is under way: only what has a name can be closed."""
_FAREWELL_S = 5.0
"""What deleting the shell may take; it happens after the answer, so it costs nobody's deadline."""


class WinrmTransport:
    """One node over WinRM. Not thread safe; the constructor does no I/O."""

    def __init__(
        self,
        node: Node,
        limits: Limits,
        *,
        gate: AbstractContextManager[object] | None = None,
        hide: Redactor = NOTHING_SECRET,
    ) -> None:
        if node.winrm is None:
            raise ValueError(f"node {node.name} has no WinRM settings")
        self.usage = ConnectionCost()
        self.moments = TransferTimes()
        self._host = node.host
        self._settings = node.winrm
        self._limits = limits
        self._gate = gate or nullcontext()
        self._hide = hide
        self._operation_s = max(1, min(_OPERATION_TIMEOUT_S, int(limits.timeout_s // 3)))
        self._connection = Connection(node.host, node.winrm, self.usage, remaining_s=lambda: self._remaining_s)
        self._shell = ""
        self._ends = math.inf
        self._broken = False
        """True while a message is under way, and for good when one failed."""
        self._opening = threading.Event()
        """Set unless the creation of the shell is under way."""
        self._opening.set()
        self._called_off = False

    def run(self, script: str, variables: Mapping[str, str] = NO_VARIABLES) -> bytes:
        """Run the PowerShell `script`, ASCII, and give what it wrote to standard output. Called once.

        The deadline of `limits.timeout_s` begins once the TCP connection stands and the gate is open.
        Raises NodeError, with what had arrived in `partial`.
        """
        psrp = self._settings.protocol == "psrp"
        if psrp:
            text = plain(script)
        else:
            delivery = deliver(script, self._settings.delivery, variables)
            refuse_oversize(delivery)
        self._connection.prepare()
        output = bytearray()
        try:
            self._connection.see_to_a_ticket()
            self._connection.connect()
            deadline = Deadline(self._limits.timeout_s, self._call_off)
            try:
                with self._gate, deadline:
                    self._ends = time.monotonic() + self._limits.timeout_s
                    return self._in_session(text, variables, output) if psrp else self._in_shell(delivery, output)
            except Exception as error:
                if deadline.fired or self._late:
                    raise self._too_late(output) from error
                raise
            finally:
                # Now: it may have come to an end while that was cut.
                self._broken = self._broken or deadline.fired
        except Exception as error:
            translated = self._translate(error)
            if translated is None:
                raise
            translated.partial = translated.partial or bytes(output)
            if translated is error:
                raise
            raise translated from error

    def close(self) -> None:
        """Delete the shell, within seconds, and close the connection. Never raises, may be called twice."""
        shell, self._shell = self._shell, ""
        if shell:
            with suppress(Exception), Deadline(_FAREWELL_S, self._connection.cut, spared=True):
                self._ends = time.monotonic() + _FAREWELL_S
                self._leave(shell)
        self._connection.hang_up()

    def _leave(self, shell: str) -> None:
        if self._settings.protocol == "psrp":
            farewell = self._endpoint.delete(shell)
        else:
            farewell = envelopes.Shell(self._operation_s, shell).delete()
        if not self._broken and self._connection.is_prepared:
            with suppress(ConnectionError):  # closed since the last answer, which costs a login its connection
                self._connection.channel.send_message(farewell)
                return
        # What the connection last carried is anybody's guess: the shell is left from a fresh one.
        self._connection.hang_up()
        self._connection.prepare()
        self._connection.channel.send_message(farewell)

    def _in_shell(self, delivery: Delivery, output: bytearray) -> bytes:
        check = self._check_of(output)
        send = self._connection.channel.send_message
        shell = RemoteShell(send, check, self.usage, self.moments, operation_s=self._operation_s, hide=self._hide)
        self._create(shell, lambda: shell.create(delivery, self._idle_s))
        check()
        try:
            return shell.run(delivery, output, self._limits.answer_bytes)
        finally:
            self._broken = not shell.is_quiet

    def _in_session(self, script: str, variables: Mapping[str, str], output: bytearray) -> bytes:
        check = self._check_of(output)
        send = self._connection.channel.send_message
        session = Conversation(self._endpoint, send, check, self.usage, self.moments, self._hide)
        self._create(session, lambda: session.create(variables, self._idle_s))
        check()
        session.open()
        try:
            return session.run(script, self._settings.delivery, output, self._limits.answer_bytes)
        finally:
            self._broken = not session.is_quiet

    def _create(self, shell: RemoteShell | Conversation, create: Callable[[], None]) -> None:
        """From here on there is something on the node that has to be taken away."""
        self._broken = True
        self._opening.clear()
        try:
            create()
        finally:
            self._shell = shell.shell
            self._opening.set()

    def _check_of(self, output: bytearray) -> Callable[[], None]:
        def check() -> None:
            if self._called_off or self._late:
                raise self._too_late(output)

        return check

    @property
    def _endpoint(self) -> Endpoint:
        return Endpoint(self._connection.endpoint.url, self._settings.configuration, self._operation_s)

    @property
    def _idle_s(self) -> int:
        """A shell that we cannot delete goes away by itself soon after the node's time is up."""
        return math.ceil(max(60.0, self._limits.timeout_s)) + 30

    @property
    def _remaining_s(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    @property
    def _late(self) -> bool:
        return self._remaining_s <= 0

    def _too_late(self, output: bytearray) -> DeadlineError:
        from scanner.transports.winrm.authentication.login import Stage

        login, client = self._connection.login, self._connection.client
        progress = Progress(
            secured=bool(client and client.certificate),
            answers=client.answers if client else 0,
            in_login=login is not None and login.stage is not Stage.ACCEPTED,
            shell_open=bool(self._shell),
            running=self.usage.commands > 0,
            printed_bytes=len(output),
        )
        return too_late(progress, self._settings, f"{self._limits.timeout_s:g} s", bytes(output))

    def _translate(self, error: Exception) -> NodeError | None:
        from scanner.transports.winrm.authentication.login import Stage
        from scanner.transports.winrm.errors import translate
        from scanner.transports.winrm.situation import Situation

        self._hide.cleanse(error)
        login, client = self._connection.login, self._connection.client
        situation = Situation(
            host=self._host,
            settings=self._settings,
            requests=self.usage.requests,
            offered=client.offered if client else "",
            between=client.between if client else "",
            stage=login.stage if login else Stage.UNASKED,
            node=login.node if login else "",
            several=client.clues.told if client else "",
            shell_open=bool(self._shell),
            names=lambda: () if self._called_off else self._connection.names(),
            seen=lambda: None if self._called_off else self._connection.look(),
        )
        return translate(error, situation)

    def _call_off(self) -> None:
        """End the conversation: at once where its time is up; an interrupt lets a shell come that is on its way."""
        self._called_off = True
        if not self._late:
            self._opening.wait(_OPENING_S)
        self._connection.cut()

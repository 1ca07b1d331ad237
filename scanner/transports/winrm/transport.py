"""WinRM: one shell, one PowerShell start, on as few HTTP requests as the login allows.

The shell is a Windows Remote Shell, or with `protocol = "psrp"` a session of PowerShell remoting.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

from scanner.clock import now_s
from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    DeadlineError,
    NodeError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.inventory.model import Node
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.secrets.secret import Secret
from scanner.transports.deadline import Deadline
from scanner.transports.powershell.output import settle
from scanner.transports.powershell.script_delivery import ENVELOPE_BYTES, NOTHING, Delivery, deliver
from scanner.transports.protocol import Limits, Moments, Usage
from scanner.transports.psrp.delivery import plain
from scanner.transports.ssh.socket import dial
from scanner.transports.winrm.progress import Progress, too_late

if TYPE_CHECKING:
    from winrm.protocol import Protocol

    from scanner.transports.psrp.envelopes import Endpoint
    from scanner.transports.tls.inspection import Seen
    from scanner.transports.winrm.http import Adapter, Channel, Line
    from scanner.transports.winrm.login import Login

_OPERATION_TIMEOUT_S = 20
"""How long one Receive may wait for output before the node says "not yet"."""
_OPENING_S = 3.0
"""How long an interrupt waits for a shell whose creation is under way: only what has a name can be closed."""
_FAREWELL_S = 5.0
"""What deleting the shell may take; it happens after the answer, so it costs nobody's deadline."""
PRINTS_TOO_MUCH = "run what it is asked by hand there (`preflight probes INVENTORY`), and look at what prints so much"
_STDIN_BYTES = 96 * 1024
"""One Send's share of standard input: below Windows Server 2008 R2's envelopes of 150 kB after base64 and sealing."""


def _is_latin(text: str) -> bool:
    """Not by catching the encoder's error: that one shows the characters."""
    return all(ord(character) < 256 for character in text)


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
        self.usage = Usage()
        self.moments = Moments()
        self._node = node
        self._settings = node.winrm
        self._limits = limits
        self._gate = gate or nullcontext()
        self._hide = hide
        self._line: Line | None = None
        self._adapter: Adapter | None = None
        self._protocol: Protocol | None = None
        self._channel: Channel | None = None
        self._login: Login | None = None
        self._shell = ""
        self._ends = math.inf
        self._broken = False
        """True while a message is under way, and for good when one failed."""
        self._opening = threading.Event()
        """Set unless the creation of the shell is under way."""
        self._opening.set()
        self._called_off = False

    def run(self, script: str, variables: Mapping[str, str] = NOTHING) -> bytes:
        """Run the PowerShell `script`, ASCII, and give what it wrote to standard output. Called once.

        The deadline of `limits.timeout_s` begins once the TCP connection stands and the gate is open.
        Raises NodeError, with what had arrived in `partial`.
        """
        if self._settings.protocol == "psrp":
            work = partial(self._converse_psrp, plain(script), variables)
        else:
            work = partial(self._converse, self._deliver(script, variables))
        self._prepare()
        output = bytearray()
        try:
            self._see_to_a_ticket()
            self._connect()
            with self._gate, Deadline(self._limits.timeout_s, self._call_off) as deadline:
                self._ends = time.monotonic() + self._limits.timeout_s
                try:
                    return work(output)
                except Exception as error:
                    if deadline.fired or self._late:
                        raise self._too_late(output) from error
                    raise
                finally:
                    self._broken = self._broken or deadline.fired
        except Exception as error:
            translated = self._translate(error)
            if translated is None:
                raise
            translated.partial = translated.partial or bytes(output)
            if translated is error:
                raise
            raise translated from error

    def _deliver(self, script: str, variables: Mapping[str, str]) -> Delivery:
        delivery = deliver(script, self._settings.delivery, variables)
        if delivery.creation_bytes > ENVELOPE_BYTES:
            raise RefusedError(
                f"what is to be asked takes one message of {delivery.creation_bytes // 1024} kB, and WinRM takes "
                f"{ENVELOPE_BYTES // 1024} kB (MaxEnvelopeSizekb of Windows Server 2008 R2): nothing was sent",
                hint='set `delivery = "stdin"` for this node, which sends it in pieces, or select fewer checks',
            )
        return delivery

    def close(self) -> None:
        """Delete the shell, within seconds, and close the connection. Never raises, may be called twice."""
        shell, self._shell = self._shell, ""
        if shell:
            with suppress(Exception), Deadline(_FAREWELL_S, self._cut, spared=True):
                self._ends = time.monotonic() + _FAREWELL_S
                if self._broken or self._protocol is None:
                    # What the connection last carried is anybody's guess: the shell is left from a fresh one.
                    self._hang_up()
                    self._prepare()
                if self._protocol is not None and self._settings.protocol == "psrp":
                    self._protocol.send_message(self._endpoint_of_psrp().delete(shell))
                elif self._protocol is not None:
                    self._protocol.close_shell(shell, close_session=False)
        self._hang_up()

    def _prepare(self) -> None:
        """Everything but I/O with the node. Raises NodeError for what this machine lacks."""
        from winrm.protocol import Protocol

        from scanner.transports.winrm import kerberos
        from scanner.transports.winrm.http import Adapter, Channel, Line
        from scanner.transports.winrm.login import Login, wish_of
        from scanner.transports.winrm.refusals import missing_package

        settings = self._settings
        if settings.auth == "kerberos" and not kerberos.available():
            raise missing_package(settings.auth)
        endpoint = self._url
        password = settings.password.reveal() if isinstance(settings.password, Secret) else ""
        if settings.auth == "basic" and not _is_latin(settings.user + password):
            raise AuthenticationError(
                "Basic logins carry Latin-1 characters only, and there are others in the user or the password",
                hint='use auth = "ntlm", or choose another password',
            )
        self._line = Line(self._dial, self.usage)
        tls = self._tls() if settings.scheme == "https" else None
        adapter = self._adapter = Adapter(self._line, self.usage, tls, lambda: self._remaining_s)
        self._login = None
        if settings.auth in ("ntlm", "kerberos", "credssp"):
            self._login = Login(
                settings,
                wish_of(self._node.host, settings),
                patience_s=lambda: min(settings.connect_timeout_s, self._remaining_s),
                certificate=lambda: adapter.certificate,
            )
        # pywinrm builds a transport of its own here, which ours replaces; it wants credentials even so.
        protocol = Protocol(
            endpoint,
            "basic",
            username="-",
            password="",
            operation_timeout_sec=self._operation_timeout_s,
            read_timeout_sec=86400,
        )
        self._channel = Channel(endpoint, settings, password, adapter, self._line, self._login)
        protocol.transport = self._channel
        self._protocol = protocol

    def _tls(self) -> ssl.SSLContext:
        from scanner.transports.winrm.http import tls_context

        settings = self._settings
        try:
            tls_context(settings.verify, settings.ca_file, "", "")
        except OSError as error:
            raise UntrustedPeerError(f"ca_file {settings.ca_file} cannot be used: {error}") from error
        try:
            return tls_context(settings.verify, settings.ca_file, settings.cert_file, settings.key_file)
        except OSError as error:
            raise AuthenticationError(
                f"the client certificate {settings.cert_file} or its key cannot be used: {error}",
                hint="`cert_file` and `key_file` are PEM; the key must not be encrypted",
            ) from error

    def _see_to_a_ticket(self) -> None:
        """Kerberos talks to a KDC, which is another machine: first, and no longer than a connection may take."""
        from scanner.transports.winrm import kerberos
        from scanner.transports.winrm.login import wish_of

        if self._settings.auth == "kerberos":
            wish = wish_of(self._node.host, self._settings)
            kerberos.ticket(wish, min(self._settings.connect_timeout_s, self._remaining_s))

    def _connect(self) -> None:
        if self._line is None:
            raise ValueError("not prepared")
        self._line.connect()

    def _dial(self) -> socket.socket:
        patience_s = min(self._settings.connect_timeout_s, self._remaining_s)
        try:
            return dial(self._node.host, self._settings.port, patience_s)
        except TimeoutError as error:
            raise UnreachableError(
                f"no answer from port {self._settings.port} within {patience_s:g} s",
                hint="check that the node is up, and that no firewall drops the connection",
            ) from error

    def _converse(self, delivery: Delivery, output: bytearray) -> bytes:
        from winrm.exceptions import WinRMOperationTimeoutError

        protocol = self._protocol
        if protocol is None:
            raise ValueError("not prepared")
        self._broken = True
        self._opening.clear()
        try:
            self._shell = protocol.open_shell(
                env_vars=dict(delivery.environment) or None, idle_timeout=f"PT{self._idle_s}S"
            )
        finally:
            self._opening.set()
        if self._called_off:
            raise self._too_late(output)
        self.moments.sent_s = now_s()
        command = protocol.run_command(
            self._shell, delivery.command, delivery.arguments, console_mode_stdin=delivery.stdin is None
        )
        self.usage.commands += 1
        if delivery.stdin is not None:
            starts = range(0, len(delivery.stdin), _STDIN_BYTES)
            for start in starts:
                self.moments.sent_s = now_s()
                block = delivery.stdin[start : start + _STDIN_BYTES]
                protocol.send_command_input(self._shell, command, block, end=start == starts[-1])
        errors = bytearray()
        done = False
        exit_code = -1
        while not done:
            if self._late:
                raise self._too_late(output)
            with suppress(WinRMOperationTimeoutError):
                stdout, stderr, exit_code, done = protocol.get_command_output_raw(self._shell, command)
                if stdout:
                    self.moments.received_s = now_s()
                output += stdout
                errors += stderr
            if len(output) + len(errors) > self._limits.answer_bytes:
                self._broken = False
                raise AnswerTooLargeError(
                    f"more output than {self._limits.answer_bytes} bytes",
                    hint=PRINTS_TOO_MUCH,
                    partial=bytes(output[: self._limits.answer_bytes]),
                )
        self._broken = False
        return settle(bytes(output), self._hide.raw(bytes(errors)), exit_code)

    def _converse_psrp(self, script: str, variables: Mapping[str, str], output: bytearray) -> bytes:
        from scanner.transports.psrp.conversation import Conversation

        protocol = self._protocol
        if protocol is None:
            raise ValueError("not prepared")

        def check() -> None:
            if self._called_off or self._late:
                raise self._too_late(output)

        endpoint = self._endpoint_of_psrp()
        talk = Conversation(endpoint, protocol.send_message, check, self.usage, self.moments, self._hide)
        self._broken = True
        self._opening.clear()
        try:
            talk.create(variables, self._idle_s)
        finally:
            self._shell = talk.shell
            self._opening.set()
        check()
        talk.open()
        try:
            answer = talk.run(script, self._settings.delivery, output, self._limits.answer_bytes)
        except (AnswerTooLargeError, RefusedError):
            # Our own words, between two messages.
            self._broken = False
            raise
        self._broken = False
        return answer

    def _endpoint_of_psrp(self) -> Endpoint:
        from scanner.transports.psrp.envelopes import Endpoint

        return Endpoint(self._url, self._settings.configuration, self._operation_timeout_s)

    @property
    def _url(self) -> str:
        host = f"[{self._node.host}]" if ":" in self._node.host else self._node.host
        return f"{self._settings.scheme}://{host}:{self._settings.port}{self._settings.path}"

    @property
    def _operation_timeout_s(self) -> int:
        return max(1, min(_OPERATION_TIMEOUT_S, int(self._limits.timeout_s // 3)))

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
        from scanner.transports.winrm.login import Stage

        login, adapter = self._login, self._adapter
        progress = Progress(
            secured=bool(adapter and adapter.certificate),
            answers=adapter.answers if adapter else 0,
            in_login=login is not None and login.stage is not Stage.ACCEPTED,
            shell_open=bool(self._shell),
            running=self.usage.commands > 0,
            printed_bytes=len(output),
        )
        return too_late(progress, self._settings, f"{self._limits.timeout_s:g} s", bytes(output))

    def _translate(self, error: Exception) -> NodeError | None:
        from scanner.transports.winrm.errors import translate
        from scanner.transports.winrm.login import Stage
        from scanner.transports.winrm.refusals import Situation

        self._hide.cleanse(error)
        login, adapter = self._login, self._adapter
        situation = Situation(
            host=self._node.host,
            settings=self._settings,
            requests=self.usage.requests,
            offered=adapter.offered if adapter else "",
            between=adapter.between if adapter else "",
            stage=login.stage if login else Stage.UNASKED,
            node=login.node if login else "",
            several=adapter.clues.told if adapter else "",
            shell_open=bool(self._shell),
            names=self._names,
            seen=self._look,
        )
        return translate(error, situation)

    def _look(self) -> Seen | None:
        """What the node shows to TLS, for the words of a failure: a handshake on a connection of its own."""
        from scanner.transports.tls.inspection import look

        seconds = min(self._settings.connect_timeout_s, self._remaining_s)
        if self._called_off or seconds <= 0:
            return None
        try:
            wire = self._dial()
        except (OSError, NodeError):
            return None
        self.usage.connections += 1
        return look(wire, self._node.host, seconds)

    def _names(self) -> tuple[str, ...]:
        """The computer names that the node's address gives itself, for the words of a failed login."""
        seconds = min(self._settings.connect_timeout_s, self._remaining_s)
        line, channel, login = self._line, self._channel, self._login
        if line is None or channel is None or login is None or self._settings.auth != "ntlm":
            return ()
        if self._called_off or seconds <= 0:
            return ()
        with suppress(Exception), Deadline(seconds, self._cut):
            # The connection of the login that failed is of no use any more.
            channel.adapter.close()
            line.close()
            return channel.names_told(login.scheme, self._node.host)
        return ()

    def _call_off(self) -> None:
        """End the conversation: at once where its time is up; an interrupt lets a shell come that is on its way."""
        self._called_off = True
        if not self._late:
            self._opening.wait(_OPENING_S)
        self._cut()

    def _cut(self) -> None:
        if self._line is not None:
            self._line.cut()

    def _hang_up(self) -> None:
        if self._protocol is not None:
            with suppress(Exception):
                self._protocol.transport.close_session()
        if self._adapter is not None:
            self._adapter.close()
        if self._line is not None:
            self._line.close()
        self._protocol = None

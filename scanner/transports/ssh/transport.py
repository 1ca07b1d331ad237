"""SSH: one connection, one `sh -s` or powershell.exe with the whole script on its standard input, and out again.

None of the library's timeouts bounds the whole conversation, so a watchdog does, by cutting the sockets.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from scanner.clock import now_s
from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
)
from scanner.inventory.model import Node, SshSettings
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.transports.bounded import aside, looked_through
from scanner.transports.deadline import Deadline
from scanner.transports.launch import READY_S, Launch, launch_for
from scanner.transports.network.dialling import dial
from scanner.transports.network.green.waiting import Turns
from scanner.transports.powershell.script_delivery import NO_VARIABLES
from scanner.transports.protocol import PRINTS_TOO_MUCH, ConnectionCost, Limits, TransferTimes
from scanner.transports.ssh.client import Client
from scanner.transports.ssh.config import route
from scanner.transports.ssh.errors import Phase, stalled, translate, with_banner
from scanner.transports.ssh.hop import SshHop
from scanner.transports.ssh.incompatible import why_incompatible
from scanner.transports.ssh.keys.host_keys import Trust
from scanner.transports.ssh.login import log_in
from scanner.transports.ssh.login_shells import began, shown, waits_instead, whole
from scanner.transports.ssh.proxy import Proxy
from scanner.transports.ssh.wire.gathered import Gathered
from scanner.transports.ssh.wire.socket import RawSocket, SshStream

_BANNER_S = 15.0
"""A loaded sshd may take so long to say its version, however short the connect timeout."""
_STALE_S = 30.0
"""A connection that waited longer than this for its turn may have run into the server's LoginGraceTime."""
_BLANKS = b" " * 64
"""A part of what an sh script ends with; see `Launch.tail_bytes`."""
_CHUNK = 256 * 1024
_FAREWELL_S = 2.0
"""What a login may take to end once everything is answered; whatever it does there is nobody's business here."""

_jump_logins: dict[str, Turns] = {}
_jump_lock = threading.Lock()
_JUMP_LOGINS = 6
"""Logins to one jump host at a time: sshd drops some of those beyond ten (MaxStartups 10:30:100)."""


class SshTransport:
    """The door to one node over SSH. See `scanner.transports.protocol.Transport`.

    `gate` bounds how many conversations run at a time. It is entered once the TCP connection stands; the time allowed
    by `limits` counts from then.
    """

    def __init__(
        self,
        node: Node,
        limits: Limits,
        *,
        gate: AbstractContextManager[object] | None = None,
        hide: Redactor = NOTHING_SECRET,
    ) -> None:
        self.usage = ConnectionCost()
        self.moments = TransferTimes()
        self._host = node.host
        self._language = node.language
        self._settings = node.ssh or SshSettings()
        self._limits = limits
        self._gate = gate
        self._hide = hide
        self._phase = Phase.CONNECT
        self._place = node.host
        self._target: SshHop | None = None
        self._address = node.host
        self._streams: list[SshStream] = []
        self._clients: list[Client] = []
        self._start: Launch | None = None
        self._output: list[bytes] = []
        self._received = 0

    def run(self, script: str, variables: Mapping[str, str] = NO_VARIABLES) -> bytes:
        """Run `script` in the node's `sh`, or in its PowerShell, and give what it printed, stderr included.

        Raises NodeError with what had arrived; a script that does not end with status 0 is a RefusedError.
        """
        self._start = start = launch_for(self._language, script, variables=variables)
        try:
            hops = route(self._host, self._settings)
            ask = partial(self._run, hops, start)
            # A ProxyCommand, a program of the user's own, is waited for as nothing but a thread can.
            return aside(ask) if any(hop.command for hop in hops) else ask()
        except NodeError as error:
            error.partial = error.partial or b"".join(self._output)
            raise
        except Exception as error:  # the one door for whatever paramiko and its foundations raise
            raise self._told(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Close everything."""
        self._cut()
        self._clients.clear()
        self._streams.clear()
        self._output.clear()

    def _cut(self) -> None:
        """Make every blocked call return, from any thread. Sockets first: closing a channel talks to its peer."""
        for stream in list(self._streams):
            stream.cut()
        for client in reversed(list(self._clients)):
            with suppress(Exception):
                client.close()
        for stream in list(self._streams):
            stream.close()

    def _told(self, error: BaseException) -> NodeError:
        self._hide.cleanse(error)
        stream = self._streams[-1] if self._streams else None
        told = translate(
            error,
            self._phase,
            # A name that is not found is the one thing that must be spelled out.
            self._address if isinstance(error, (socket.gaierror, socket.herror)) else self._place,
            greeting=self._hide.raw(stream.greeting) if stream else b"",
            ended=bool(stream and stream.ended),
            farewell=self._hide(self._clients[-1].farewell) if self._clients else "",
            banner=self._hide.raw(self._clients[-1].banner or b"") if self._clients else b"",
        )
        told.partial = b"".join(self._output)
        return told

    def _run(self, hops: Sequence[SshHop], start: Launch) -> bytes:
        self._target = hops[-1]
        started = time.monotonic()
        # Behind a jump host or a ProxyCommand the dialling is part of the conversation, and waits for its turn.
        direct = len(hops) == 1 and not hops[0].command
        stream = self._dial(hops[0], hops[0].connect_timeout_s) if direct else None
        with self._gate or nullcontext():
            if stream and time.monotonic() - started > _STALE_S:
                stream.close()
                stream = self._dial(hops[0], hops[0].connect_timeout_s)
            deadline = Deadline(self._limits.timeout_s, self._cut)
            try:
                with deadline:
                    return self._ask(self._reach(hops, stream, deadline), start)
            except Exception as error:
                if not deadline.fired:
                    raise
                raise self._too_late() from error
            finally:
                self._cut()

    def _too_late(self) -> DeadlineError:
        seconds = f"{self._limits.timeout_s:g} s"
        if self._phase is not Phase.RUN:
            greeting = self._hide.raw(self._streams[-1].greeting) if self._streams else b""
            return stalled(self._phase, self._place, greeting, seconds)
        output = b"".join(self._output)
        if self._start and self._start.ready and not began(output, self._start.ready):
            found = waits_instead(self._place, output, seconds)
            return DeadlineError(found.told, hint=self._forced() or found.cure, partial=output)
        return DeadlineError(
            f"{self._place} did not finish within {seconds}; what was started may still run there",
            hint="look at what hangs on the node; `timeout` gives it more time",
            partial=output,
        )

    def _forced(self) -> str:
        """What to do where the key was let in for a command of its own alone; empty where that is not told."""
        where = self._clients[-1].forced if self._clients else ""
        return f"{shown(where)} there has `command=` for this key: log in with a key without it" if where else ""

    def _dial(self, hop: SshHop, timeout_s: float) -> SshStream:
        self._phase, self._place, self._address = Phase.CONNECT, self._door(hop), hop.place
        self.usage.connections += 1
        return self._track(dial(hop.host, hop.port, timeout_s))

    def _door(self, hop: SshHop) -> str:
        """The server in messages. The node's own name is left out: the same cause on many nodes is told once."""
        return f"port {hop.port}" if hop == self._target else hop.place

    def _track(self, wire: RawSocket) -> SshStream:
        stream = SshStream(wire)
        self._streams.append(stream)
        return stream

    def _reach(self, hops: Sequence[SshHop], stream: SshStream | None, deadline: Deadline) -> Client:
        """Through all jump hosts to the node, logged in everywhere."""
        via: Client | None = None
        for hop in hops[:-1]:
            turn = _jump_login(hop)
            if not turn.acquire(timeout=deadline.remaining_s):
                raise self._too_late()
            try:
                via = self._enter(hop, via, None, deadline)
            finally:
                turn.release()
        return self._enter(hops[-1], via, stream, deadline)

    def _enter(self, hop: SshHop, via: Client | None, stream: SshStream | None, deadline: Deadline) -> Client:
        trust = Trust(hop)
        for last in (False, True):
            stream = stream or self._connect(hop, via, deadline)
            if deadline.fired:  # the watchdog may have come by before there was anything to cut
                self._cut()
            try:
                client = self._shake_hands(hop, trust, stream)
            except (EOFError, OSError, paramiko.SSHException) as error:
                if stream.proxy and not stream.greeting:
                    raise (stream.proxy.failure() or self._mute(hop)) from error
                # sshd drops connections of a burst before their banner (MaxStartups); that is worth one more knock.
                if last or deadline.fired or not stream.ended or stream.greeting.strip() not in _DROPPED:
                    raise
                stream.close()
                stream = None
                deadline.sleep(random.uniform(0.5, 1.5))  # noqa: S311  spreads the burst, guards nothing
            else:
                break
        self._phase = Phase.LOGIN
        self._place = "the node" if hop == self._target else hop.place
        try:
            log_in(client, hop, deadline, "" if hop == self._target else hop.place)
        except AuthenticationError as error:
            raise with_banner(error, client.banner) from error
        return client

    def _connect(self, hop: SshHop, via: Client | None, deadline: Deadline) -> SshStream:
        if via is None and not hop.command:
            return self._dial(hop, min(hop.connect_timeout_s, deadline.remaining_s or 0.1))
        self._phase, self._place, self._address = Phase.CONNECT, self._door(hop), hop.place
        self.usage.connections += 1
        if via is None:
            return self._track(Proxy(hop.command, hop.place, (hop.password, hop.passphrase)))
        return self._track(self._forward(via, hop))

    def _forward(self, via: Client, hop: SshHop) -> RawSocket:
        """A TCP connection to `hop`, made by the jump host that `via` is logged in to."""
        try:
            return via.forward(hop.host, hop.port, hop.connect_timeout_s)
        except paramiko.ChannelException as error:
            hint = f"check host and port as seen from {via.place}, and AllowTcpForwarding and PermitOpen there"
            raise UnreachableError(
                f"the jump host cannot connect to {hop.place}: {error.text or error} (from {via.place})", hint=hint
            ) from error
        except TimeoutError as error:
            raise UnreachableError(
                f"the jump host gets no answer from {hop.place} within {hop.connect_timeout_s:g} s (from {via.place})",
                hint=f"check host, port, and firewalls between {via.place} and the node",
            ) from error

    @staticmethod
    def _mute(hop: SshHop) -> UnreachableError:
        return UnreachableError(
            f"the ProxyCommand for {hop.place} gives no answer within {hop.connect_timeout_s:g} s",
            hint="run it by hand to see what it waits for; `connect_timeout` gives it more time",
        )

    def _shake_hands(self, hop: SshHop, trust: Trust, stream: SshStream) -> Client:
        self._phase = Phase.HANDSHAKE
        client = Client(stream, legacy=hop.legacy_algorithms, wishes=hop.wishes, place=hop.place)
        self._clients.append(client)
        asked = trust.algorithms()
        # A ProxyCommand has yet to connect when it is spoken to.
        banner_s = hop.connect_timeout_s if stream.proxy else max(_BANNER_S, hop.connect_timeout_s)
        try:
            key = client.shake_hands(asked, banner_s=banner_s)
        except IncompatiblePeer as error:
            cause, hint = why_incompatible(client.remote_version, client.offered, asked, client.suite)
            if not cause:
                raise
            place = self._place
            raise ProtocolError(f"{place} and preflight have no algorithm in common: {cause}", hint=hint) from error
        trust.check(key)
        return client

    def _ask(self, client: Client, start: Launch) -> bytes:
        self._phase = Phase.RUN
        answer = Gathered(lambda said: start.ready in said or whole(said, start.ready) or said.endswith(_BLANKS))
        channel = client.open_shell(answer)
        self.usage.commands += 1
        try:
            channel.exec_command(start.command)
        except paramiko.SSHException as error:
            if not client.is_active():
                raise
            raise RefusedError(f"{self._place} refuses to run commands", hint=start.hint) from error
        with suppress(OSError):  # a shell that ended early has said why
            # No shell runs the batch before all of it is there, however slowly the rest travels: sh waits for the line
            # end behind its braces, PowerShell's bootstrap for the end of the input.
            client.send_all(channel, start.stdin[:-1])
            self._await_ready(client, channel, start.ready)
            self.moments.sent_s = now_s()
            client.send_all(channel, start.stdin[-1:])
            channel.shutdown_write()
        client.least = start.tail_bytes
        ended = self._receive_all(client, channel, start)
        output = b"".join(self._output)
        if not ended:
            return output
        channel.status_event.wait()
        status = channel.exit_status
        if status >= 0:
            failure = start.judge(output, status)
            if failure:
                told = looked_through(len(output), partial(self._hide.raw, output, cut=True))
                failure = start.judge(told, status) or failure
                failure.partial = output
                failure.hint = self._forced() or failure.hint
                raise failure
            return output
        if client.is_active():
            raise ConnectionLostError(
                f"{self._place}: the shell was killed before it was done",
                hint="the kernel's log there may tell: memory that ran out, a limit of CPU time (`ulimit -t`)",
                partial=output,
            )
        raise client.get_exception() or EOFError

    def _await_ready(self, client: Client, channel: paramiko.Channel, ready: bytes) -> None:
        """Wait until the shell reads: the seconds that a login shell takes to start say nothing of the node's clock."""
        ends = time.monotonic() + READY_S
        with suppress(TimeoutError):
            while ready and ready not in b"".join(self._output) and self._receive(client, channel, ends):
                pass

    def _receive_all(self, client: Client, channel: paramiko.Channel, start: Launch) -> bool:
        """Take everything; False where all is answered and the login does not end, such as in a trap of its own."""
        until: float | None = None
        try:
            while self._receive(client, channel, until):
                if self._output[-1].endswith(_BLANKS):  # the end has begun, and it may come in pieces
                    client.least = 1
                if start.ready and whole(b"".join(self._output[-2:]), start.ready):
                    until = time.monotonic() + _FAREWELL_S
        except TimeoutError:
            return False
        return True

    def _receive(self, client: Client, channel: paramiko.Channel, until: float | None = None) -> bool:
        """Take what comes next; False where nothing more comes. Raises TimeoutError where nothing came by `until`."""
        answer = channel.in_buffer
        assert isinstance(answer, Gathered)  # noqa: S101  for mypy
        try:
            while not answer.is_due() and client.take(until):
                pass
        except TimeoutError:
            if not answer:
                raise
        chunk = channel.recv(_CHUNK)
        if chunk:
            self.moments.received_s = now_s()
            self._output.append(chunk)
            self._received += len(chunk)
        if self._received > self._limits.answer_bytes:
            mib = self._limits.answer_bytes / 2**20
            hint = PRINTS_TOO_MUCH
            raise AnswerTooLargeError(f"{self._place} sent more than {mib:g} MiB", hint=hint)
        return bool(chunk)


_DROPPED = {b"", b"Exceeded MaxStartups"}


def _jump_login(hop: SshHop) -> Turns:
    with _jump_lock:
        return _jump_logins.setdefault(hop.place, Turns(_JUMP_LOGINS))

"""paramiko's Transport, driven by whoever waits for it: it has no thread of its own.

The library reads from the wire in a thread, which wakes another one for every answer that it waits for; under load that
takes longer than what is read. Here whoever waits reads, packet by packet (`Driven.take`), until what it waits for has
come. `_act` is the library's own `Transport.run` for a client; a test holds it to what that does.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import MSG_DEBUG, MSG_DISCONNECT, MSG_IGNORE, MSG_KEXINIT, MSG_NAMES, MSG_UNIMPLEMENTED
from paramiko.message import Message
from paramiko.ssh_exception import MessageOrderError

from scanner.transports.ssh.wire.gathered import Gathered
from scanner.transports.ssh.wire.packets import Packets
from scanner.transports.ssh.wire.socket import SshStream

_LOOK_S = 1.0
_OF_THE_KEY_EXCHANGE = range(30, 42)
"""Messages whose meaning depends on the exchange that was agreed on."""


class Awaited(threading.Event):
    """An event that is brought about by what a client reads: whoever waits for it reads."""

    def __init__(self, client: Driven) -> None:
        super().__init__()
        self._client: Driven = weakref.proxy(client)  # which holds this

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  the watchdog's is the one that counts
        """Read until it has come, or the connection has ended."""
        while not self.is_set() and self._client.take():
            pass
        return self.is_set()


class Driven(paramiko.Transport):
    """One connection. Not thread safe, but for `close`, which may come from a watchdog's thread."""

    least = 1
    """So many bytes are let come before they are looked at; see `SshStream.gather`."""
    _shell: tuple[int, Gathered] | None = None
    """The number of the channel whose output is waited for, and what it is fed to."""
    _answer_by: float | None = None
    """By when a channel has to be opened, where that is bounded."""

    if TYPE_CHECKING:  # what the library's stubs leave out
        agreed_on_strict_kex: bool
        auth_handler: Any
        kex_engine: Any
        _channel_handler_table: dict[int, Any]
        _channels: Any
        _expected_packet: tuple[int, ...]
        _handler_table: dict[int, Any]

        def _check_banner(self) -> None: ...
        def _enforce_strict_kex(self, ptype: int) -> None: ...
        def _expect_packet(self, *ptypes: int) -> None: ...
        def _parse_disconnect(self, message: Message) -> None: ...
        def _send_kex_init(self) -> None: ...
        def _send_message(self, data: Message) -> None: ...

    def __init__(self, stream: SshStream) -> None:
        super().__init__(stream, packetizer_class=Packets)  # type: ignore[arg-type]  # socket-like is enough
        self._stream = stream
        self.clear_to_send = Awaited(self)

    def negotiate(self, banner_s: float) -> None:
        """Agree on keys. Raises what paramiko raises."""
        self.banner_timeout = banner_s
        self._stream.settimeout(min(banner_s, _LOOK_S))  # until its version line is there; see SshStream
        self.active = True
        try:
            self._greet()
        except Exception as error:  # noqa: BLE001  as in `take`
            self._end(error)
        while not self.initial_kex_done and self.take():
            pass
        if not self.initial_kex_done:
            raise self.get_exception() or paramiko.SSHException("Negotiation failed.")

    def take(self, until: float | None = None) -> bool:
        """Read one packet and do what it asks for; False where there is none: `get_exception` may tell why.

        Raises TimeoutError where nothing has come by `until`, by the monotonic clock.
        """
        if not self.active:
            return False
        try:
            if self.least > 1 and until is None and not self._stream.gather(self.least):
                return True
            come = until is None or self._stream.awaits(until - time.monotonic())
            if come and self._shell and not self._expected_packet:
                number, answer = self._shell
                while (said := self._packets.channel_data(number)) is not None:
                    answer.feed(said)
                    if answer.is_due() or not self._stream.has_more:
                        return True
            if come and self._act(*self.packetizer.read_message()):
                return True
        except Exception as error:  # noqa: BLE001  whatever a server provokes ends the connection, and is told then
            self._end(error)
            return False
        if not come:
            raise TimeoutError
        self._end(None)
        return False

    def forward(self, host: str, port: int, within_s: float) -> Forwarded:
        """A TCP connection that the server makes. Raises TimeoutError, and what paramiko raises."""
        self._answer_by = time.monotonic() + within_s
        try:
            return Forwarded(self, self.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0)))
        finally:
            self._answer_by = None

    def open_shell(self, answer: Gathered) -> paramiko.Channel:
        """A session whose output, standard error among it, is fed to `answer`. Raises what paramiko raises."""
        channel = self.open_session()
        channel.set_combine_stderr(True)
        channel.in_buffer = answer  # type: ignore[assignment]  # whatever is fed, read and closed will do
        channel.event, channel.status_event = Awaited(self), Awaited(self)
        self._shell = (channel.chanid, answer)
        return channel

    def send_all(self, channel: paramiko.Channel, data: bytes) -> None:
        """Send it, as the other side makes room for it. Raises OSError where the channel is closed."""
        while data:
            while not channel.out_window_size and not channel.closed and self.take():
                pass
            sent = channel.send(data)
            if not sent:
                raise OSError(0, "the channel is closed")
            data = data[sent:]

    def _greet(self) -> None:
        self.packetizer.write_all(f"{self.local_version}\r\n".encode())
        self._check_banner()
        self._send_kex_init()
        self._expect_packet(MSG_KEXINIT)

    def _act(self, kind: int, message: Message) -> bool:
        """What the library does with a packet in its thread, for a client; False where that is the last one.

        It asks for new keys after 512 MiB; no connection of ours gets there.
        """
        if kind in (MSG_IGNORE, MSG_DEBUG):
            self._enforce_strict_kex(kind)
            return True
        if kind == MSG_DISCONNECT:
            self._parse_disconnect(message)
            return False
        if self._expected_packet:
            if kind not in self._expected_packet:
                unexpected = MessageOrderError if self.agreed_on_strict_kex else paramiko.SSHException
                raise unexpected(f"Expecting packet from {self._expected_packet!r}, got {kind}")
            self._expected_packet = ()
            if kind in _OF_THE_KEY_EXCHANGE:
                self.kex_engine.parse_next(kind, message)
                return True
        if kind in self._handler_table:
            self._handler_table[kind](message)
        elif kind in self._channel_handler_table:
            number = message.get_int()
            channel = self._channels.get(number)
            if channel is None:
                return number in self.channels_seen
            self._channel_handler_table[kind](channel, message)
        elif self.auth_handler is not None and kind in (told := self.auth_handler._handler_table):  # noqa: SLF001  ours
            told[kind](message)
        elif kind not in MSG_NAMES:
            raise paramiko.SSHException(f"a message of type {kind}, which nobody knows")
        elif kind != MSG_UNIMPLEMENTED:
            answer = Message()
            answer.add_byte(bytes([MSG_UNIMPLEMENTED]))
            answer.add_int(message.seqno)
            self._send_message(answer)
        return True

    @property
    def _packets(self) -> Packets:
        found = self.packetizer
        assert isinstance(found, Packets), "paramiko made another packetizer than it was told to"  # noqa: S101  for mypy
        return found

    def _log(self, *_: object) -> None:
        """Nothing: what it reports comes back as exceptions, and what it remarks nobody reads."""

    def _filter_algorithm(self, kind: str) -> tuple[str, ...]:
        """Those of a kind, of which none is disabled."""
        return tuple(getattr(self, f"_preferred_{kind}"))

    def _end(self, reason: Exception | None) -> None:
        """The connection is over: nobody is to wait any more, nor to send."""
        self.saved_exception = reason or self.saved_exception
        self.close()

    def _send_user_message(self, data: Message) -> None:
        if self.active and self.clear_to_send.is_set():  # and nobody else reads, who could begin to agree on new keys
            self._send_message(data)
        else:
            super()._send_user_message(data)  # type: ignore[misc]  # not in its stubs
        while self.channel_events and self.take(self._answer_by):  # one that is opened is in there until it is answered
            pass


class Forwarded:
    """A connection that a jump host has made, as a socket: reading from it reads from the jump host's."""

    def __init__(self, via: Driven, channel: paramiko.Channel) -> None:
        self._via, self._channel = via, channel
        self._bound_s: float | None = None

    def send(self, data: bytes, /) -> int:
        """Write some of it; how much was written."""
        self._via.send_all(self._channel, data)
        return len(data)

    def recv(self, size: int, /) -> bytes:
        """Read at most so much; nothing at the end. Raises TimeoutError."""
        until = None if self._bound_s is None else time.monotonic() + self._bound_s
        while not self._channel.recv_ready() and not self._channel.eof_received and self._via.take(until):
            pass
        return self._channel.recv(size) if self._channel.recv_ready() else b""

    def settimeout(self, seconds: float | None, /) -> None:
        """Bound each read."""
        self._bound_s = seconds

    def close(self) -> None:
        """Let go."""
        self._channel.close()

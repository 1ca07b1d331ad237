"""The bytes to and from a SQL Server: bounded in time and in number, in the clear until TLS covers them.

Up to TDS 7.4 the TLS handshake travels inside PRELOGIN packets, and only what follows it is plain TLS; TDS 8 strict is
TLS from the first byte on, as with HTTPS.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress

from scanner.errors import AnswerTooLargeError, ConnectionLostError, DeadlineError, ProtocolError
from scanner.transports.tds.packets import HEADER, PRELOGIN_PACKET, RESPONSE_PACKET, packets

ALPN = "tds/8.0"
LOGIN, QUESTION, HANDSHAKE = "the login", "a question", "the TLS handshake"
_CHUNK = 65536
_HINTS = {
    LOGIN: (
        "the server took the login and does not answer it: it may be starting, out of workers, or waiting for a domain "
        "controller (see its error log; a serverless Azure database needs a minute to wake up); `timeout` gives it "
        "more time"
    ),
    QUESTION: "look for what blocks there (sys.dm_exec_requests, a lock on a system table) and at the server's load",
    HANDSHAKE: "look at its load, and at TLS inspection or a firewall on the way; `connect_timeout` gives it more time",
}
_ENDS = {
    LOGIN: (
        "the login was not judged: see SQL Server's error log for why it hung up (a logon trigger, a protocol it does "
        "not take, a restart), and look for a firewall or TLS inspection on the way; then scan again"
    ),
    QUESTION: "see SQL Server's error log: the session was killed, or the server was restarted; then scan again",
}
"""What to do where it hangs up then; for the handshake the caller knows."""


class Channel:
    """One connection. `ends` may be moved; what blocks longer ends in DeadlineError."""

    def __init__(self, connection: socket.socket, where: str, ends: float, most_bytes: int) -> None:
        self.where = where
        self.ends = ends
        """By `time.monotonic`."""
        self.doing = "its answer"
        """What is under way, for messages: "the TDS PRELOGIN"."""
        self.given_s = 0.0
        """How long that may take, for messages; 0 where nobody has said."""
        self._socket = connection
        self._left_bytes = most_bytes
        self._received = bytearray()
        """What has arrived and was not asked for yet, TLS taken off."""
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """What covers the connection; None while nothing does."""
        return self._tls

    def send(self, data: bytes) -> None:
        """Send all of it. Raises NodeError."""
        if self._tls:
            self._tls.write(data)
            data = self._outgoing.read()
        self._send_raw(data)

    def receive(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises NodeError; ConnectionLostError where the peer hangs up first."""
        while len(self._received) < count:
            self._receive_more()
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    def waiting(self) -> bytes:
        """What has arrived and was not asked for yet; it stays."""
        return bytes(self._received)

    def receive_packet(self) -> bytes:
        """One TDS packet with its header. Raises NodeError."""
        head = self.receive(HEADER.size)
        _, _, length, *_ = HEADER.unpack(head)
        if length < HEADER.size:
            raise ProtocolError(f"{self.where} answers with something that is no TDS: {head!r}")
        return head + self.receive(length - HEADER.size)

    def secure(self, context: ssl.SSLContext, name: str, *, framed: bool) -> None:
        """Cover the connection with TLS to `name`; `framed` puts the handshake into PRELOGIN packets.

        Raises NodeError, and ssl.SSLError where the two do not come to terms.
        """
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_handshake(framed)
                self._incoming.write(self._handshake_answer() if framed else self._receive_raw())
            except ssl.SSLError:
                # The alert tells the server's log why.
                with suppress(Exception):
                    self._send_handshake(framed)
                raise
            else:
                break
        self._send_handshake(framed)
        self._tls = tls

    def cut(self) -> None:
        """End whatever waits for the peer, from another thread. Never raises."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up. Never raises."""
        with suppress(OSError):
            self._socket.close()

    def _handshake_answer(self) -> bytes:
        packet = self.receive_packet()
        if packet[0] not in (PRELOGIN_PACKET, RESPONSE_PACKET):
            raise ProtocolError(f"{self.where} answers the TLS handshake with a packet of type {packet[0]}")
        return packet[HEADER.size :]

    def _send_handshake(self, framed: bool) -> None:
        data = self._outgoing.read()
        if data:
            self._send_raw(packets(PRELOGIN_PACKET, data) if framed else data)

    def _receive_more(self) -> None:
        if self._tls is None:
            self._received += self._receive_raw()
            return
        try:
            # What came with the end of the handshake is there already.
            plain = self._tls.read(_CHUNK)
        except ssl.SSLWantReadError:
            self._incoming.write(self._receive_raw())
            return
        except ssl.SSLZeroReturnError:
            plain = b""
        except ssl.SSLError as error:
            raise ConnectionLostError(f"{self.where} broke the TLS connection: {error.reason}") from None
        if not plain:
            raise self._hung_up()
        self._received += plain

    def _receive_raw(self) -> bytes:
        try:
            self._socket.settimeout(self._left())
            data = self._socket.recv(_CHUNK)
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            raise self._broken(error) from None
        if not data:
            raise self._hung_up()
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise AnswerTooLargeError(f"{self.where} sends more than may be taken from one node")
        return data

    def _send_raw(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            raise self._broken(error) from None

    def _left(self) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _late(self) -> DeadlineError:
        within = f"within {round(self.given_s, 1):g} s" if self.given_s else "in the time it was given"
        return DeadlineError(f"{self.where} did not get through {self.doing} {within}", hint=_HINTS.get(self.doing, ""))

    def _hung_up(self) -> ConnectionLostError:
        return ConnectionLostError(f"{self.where} hung up during {self.doing}", hint=_ENDS.get(self.doing, ""))

    def _broken(self, error: OSError) -> ConnectionLostError:
        reason = (error.strerror or type(error).__name__).lower()
        return ConnectionLostError(f"{self.where} broke the connection during {self.doing}: {reason}")

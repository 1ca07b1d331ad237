"""The lab's side of a TDS connection: messages to and from a client, and TLS inside PRELOGIN packets or before them."""

from __future__ import annotations

import socket
import ssl

from scanner.lab.servers.certificates import TlsFiles
from scanner.transports.tds.packets import END_OF_MESSAGE, HEADER, PRELOGIN_PACKET, RESPONSE_PACKET, packets

_CHUNK = 65536
_MOST_BYTES = 1024 * 1024


class HungUpError(OSError):
    """The client is gone, or says what no client says."""


class TdsWire:
    """One client's connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    @property
    def unique_binding(self) -> bytes | None:
        """tls-unique of the connection."""
        if self._tls is None or self._tls.version() == "TLSv1.3":
            return None
        return self._tls.get_channel_binding("tls-unique")

    def read(self) -> tuple[int, bytes]:
        """One message: its type, and what its packets hold. Raises HungUpError."""
        body = b""
        while True:
            kind, status, length, *_ = HEADER.unpack(self._take(HEADER.size))
            if not HEADER.size <= length or len(body) > _MOST_BYTES:
                raise HungUpError("no TDS")
            body += self._take(length - HEADER.size)
            if status & END_OF_MESSAGE:
                return kind, body

    def answer(self, tokens: bytes) -> None:
        """Send tokens as one message."""
        self.send(packets(RESPONSE_PACKET, tokens))

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._tls:
            self._tls.write(data)
            data = self._outgoing.read()
        self._socket.sendall(data)

    def cover(self, files: TlsFiles, *, strict: bool) -> None:
        """Take the client's TLS handshake: `strict` as it is, else inside PRELOGIN packets. Raises OSError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An old SQL Server shows keys of 1024 bits, which OpenSSL's own level would not load.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(files.certificate, files.key)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if strict:
            context.set_alpn_protocols(["tds/8.0"])
        else:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush_handshake(strict)
                if strict:
                    self._incoming.write(self._receive())
                else:
                    kind, body = self.read()
                    if kind != PRELOGIN_PACKET:
                        raise HungUpError("no TLS handshake") from None
                    self._incoming.write(body)
            except ssl.SSLError:
                self._flush_handshake(strict)
                raise
        self._flush_handshake(strict)
        self._tls = tls

    def _flush_handshake(self, strict: bool) -> None:
        data = self._outgoing.read()
        if data:
            self._socket.sendall(data if strict else packets(PRELOGIN_PACKET, data))

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            if self._tls is None:
                self._received += self._receive()
                continue
            try:
                plain = self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                self._incoming.write(self._receive())
                continue
            if not plain:
                raise HungUpError("closed")
            self._received += plain
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    def _receive(self) -> bytes:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise HungUpError("closed")
        return data

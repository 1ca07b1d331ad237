"""SSH's packets (RFC 4253, 6), as many and as large as a conversation of ours may need.

Those under AES-GCM (RFC 5647), which nearly all are, are opened and sealed here: the library does for each what only
other ciphers and a log that nobody keeps would need, which took as long as the rest of a conversation.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import paramiko
from paramiko.common import MSG_CHANNEL_DATA, MSG_DEBUG, MSG_IGNORE, MSG_USERAUTH_BANNER
from paramiko.message import Message
from paramiko.packet import Packetizer

from checks.engine.wording import count

_PACKET_BYTES = 512 * 1024
"""No server sends larger packets: RFC 4253, 6.1 asks for 35,000 bytes, OpenSSH allows 256 KiB."""
_CONNECTION_BYTES = 64 * 1024 * 1024
"""Far more than any answer that is taken; a server that minds no window could fill the memory while nobody reads."""
_SAID_BYTES, _SAID_TIMES = 4096, 8
_BLOCK_BYTES, _TAG_BYTES, _LENGTH_BYTES = 16, 16, 4
_LEAST_PADDING_BYTES = 4
_COUNTS = 2**64


class _Sealing:
    """AES-GCM with its nonce, which is another one for each packet: four fixed bytes and a count of eight."""

    def __init__(self, engine: Any, nonce: bytes) -> None:
        self._engine = engine
        self._fixed, self._count = nonce[:4], int.from_bytes(nonce[4:], "big")

    def _nonce(self) -> bytes:
        count = self._count
        self._count = (count + 1) % _COUNTS
        return self._fixed + count.to_bytes(8, "big")

    def seal(self, payload: bytes) -> bytes:
        """A whole packet."""
        padding = _BLOCK_BYTES - (1 + len(payload)) % _BLOCK_BYTES
        if padding < _LEAST_PADDING_BYTES:
            padding += _BLOCK_BYTES
        length = (1 + len(payload) + padding).to_bytes(_LENGTH_BYTES, "big")
        plain = b"".join((bytes((padding,)), payload, os.urandom(padding)))
        return length + bytes(self._engine.encrypt(self._nonce(), plain, length))

    def open(self, length: bytes, sealed: bytes) -> bytes:
        """The payload of one. Raises what the engine raises for one that was tampered with."""
        plain: bytes = self._engine.decrypt(self._nonce(), sealed, length)
        return plain[1 : len(plain) - plain[0]]


class Packets(Packetizer):
    """Bounded in size, and without the timer thread that lives on for 15 s after a failed handshake."""

    def __init__(self, wire: Any) -> None:
        super().__init__(wire)
        self._wire = wire
        self._read = 0
        self._number = 0
        """Of the next packet that comes."""
        self._opens: _Sealing | None = None
        self._opened: bytes | None = None
        """A packet that was looked at and is still to be read."""
        self._seals: _Sealing | None = None
        self._sealing = threading.Lock()
        """No nonce may be used twice, whoever sends."""
        self.banners: list[bytes] = []
        """What the server says around the login, for its user to read; the last few, each cut."""
        self.remarks: list[bytes] = []
        """What it says for whoever looks for a fault, in the same way."""

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Exactly `n` bytes. Raises SSHException where a packet, or all of them together, claim too much."""
        self._refuse_too_much(n)
        data: bytes = super().read_all(n, check_rekey)
        self._read += len(data)
        return data

    def _refuse_too_much(self, size: int) -> None:
        if size > _PACKET_BYTES or self._read + size > _CONNECTION_BYTES:
            raise paramiko.SSHException(f"a packet of {count(size, 'byte')} after {self._read} others")

    def read_message(self) -> tuple[int, Message]:
        """The next one; what is meant for a reader is kept, whoever it is handed to.

        The library would spell a remark out for its log, a letter at a time, and then do nothing with it.
        """
        if self._opens is None:
            kind, message = super().read_message()
            self._number = message.seqno + 1
        else:
            kind, message = self._read_sealed(self._opens)
        if kind in (MSG_DEBUG, MSG_USERAUTH_BANNER):
            told = self.banners if kind == MSG_USERAUTH_BANNER else self.remarks
            # Its number is read already; a remark begins with whether it is always to be shown.
            copy = Message(message.get_remainder())
            if kind == MSG_DEBUG:
                copy.get_boolean()
            told.append(copy.get_binary()[:_SAID_BYTES])
            del told[:-_SAID_TIMES]
        return MSG_IGNORE if kind == MSG_DEBUG else kind, message

    def channel_data(self, channel: int) -> bytes | None:
        """What the next packet has for a channel; None where it is another one, which is then the next message.

        Nearly all that is read of a node are these, one after the other.
        """
        if self._opens is None or self._opened is not None:
            return None
        payload = self._payload(self._opens)
        if payload[0] == MSG_CHANNEL_DATA and int.from_bytes(payload[1:5], "big") == channel:
            self._number += 1
            return payload[9 : 9 + int.from_bytes(payload[5:9], "big")]
        self._opened = payload
        return None

    def _read_sealed(self, opens: _Sealing) -> tuple[int, Message]:
        payload, self._opened = self._opened or self._payload(opens), None
        message = Message(payload[1:])
        message.seqno, self._number = self._number, self._number + 1
        return payload[0], message

    def _payload(self, opens: _Sealing) -> bytes:
        length: bytes = self._wire.exactly(_LENGTH_BYTES)
        size = int.from_bytes(length, "big") + _TAG_BYTES
        self._refuse_too_much(size)
        self._read += size
        return opens.open(length, self._wire.exactly(size))

    def send_message(self, data: Message) -> None:
        """Write one."""
        if self._seals is None:
            super().send_message(data)
            return
        with self._sealing:
            self.write_all(self._seals.seal(data.asbytes()))

    def set_inbound_cipher(self, block_engine: Any, *rest: Any, **more: Any) -> None:
        """Read what comes from now on with other keys."""
        super().set_inbound_cipher(block_engine, *rest, **more)
        self._opens = _Sealing(block_engine, more["iv_in"]) if more.get("aead") else None

    def set_outbound_cipher(self, block_engine: Any, *rest: Any, **more: Any) -> None:
        """Write what is sent from now on with other keys."""
        super().set_outbound_cipher(block_engine, *rest, **more)
        self._seals = _Sealing(block_engine, more["iv_out"]) if more.get("aead") else None

    def reset_seqno_in(self) -> None:
        """Count anew what comes, as a strict exchange of keys has it."""
        super().reset_seqno_in()
        self._number = 0

    def start_handshake(self, timeout: float) -> None:
        """Nothing: the watchdog bounds the handshake as well."""

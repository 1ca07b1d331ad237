"""SSH's packets (RFC 4253, 6), as many and as large as a conversation of ours may need."""

from __future__ import annotations

from typing import Any

import paramiko
from paramiko.common import MSG_DEBUG, MSG_IGNORE, MSG_USERAUTH_BANNER
from paramiko.message import Message
from paramiko.packet import Packetizer

_PACKET_BYTES = 512 * 1024
"""No server sends larger packets: RFC 4253, 6.1 asks for 35,000 bytes, OpenSSH allows 256 KiB."""
_CONNECTION_BYTES = 64 * 1024 * 1024
"""Far more than any answer that is taken; a server that minds no window could fill the memory while nobody reads."""
_SAID_BYTES, _SAID_TIMES = 4096, 8


class Packets(Packetizer):
    """Bounded in size, and without the timer thread that lives on for 15 s after a failed handshake."""

    def __init__(self, wire: Any) -> None:
        super().__init__(wire)
        self._read = 0
        self.banners: list[bytes] = []
        """What the server says around the login, for its user to read; the last few, each cut."""
        self.remarks: list[bytes] = []
        """What it says for whoever looks for a fault, in the same way."""

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Exactly `n` bytes. Raises SSHException where a packet, or all of them together, claim too much."""
        if n > _PACKET_BYTES or self._read + n > _CONNECTION_BYTES:
            raise paramiko.SSHException(f"a packet of {n} bytes after {self._read} others")
        data: bytes = super().read_all(n, check_rekey)
        self._read += len(data)
        return data

    def read_message(self) -> tuple[int, Message]:
        """The next one; what is meant for a reader is kept, whoever it is handed to.

        The library would spell a remark out for its log, a letter at a time, and then do nothing with it.
        """
        kind, message = super().read_message()
        if kind in (MSG_DEBUG, MSG_USERAUTH_BANNER):
            told = self.banners if kind == MSG_USERAUTH_BANNER else self.remarks
            # Its number is read already; a remark begins with whether it is always to be shown.
            copy = Message(message.get_remainder())
            if kind == MSG_DEBUG:
                copy.get_boolean()
            told.append(copy.get_binary()[:_SAID_BYTES])
            del told[:-_SAID_TIMES]
        return MSG_IGNORE if kind == MSG_DEBUG else kind, message

    def start_handshake(self, timeout: float) -> None:
        """Nothing: the watchdog bounds the handshake as well."""

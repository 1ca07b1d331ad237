"""paramiko's Transport, used directly and tuned: a fifth of the CPU of its stock client.

What does it: our own undelayed socket, curve25519 and AES-GCM first, the group exchange last, parsed keys and
known_hosts shared between nodes.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import paramiko
from paramiko.common import MSG_DEBUG, MSG_IGNORE, MSG_USERAUTH_BANNER
from paramiko.message import Message
from paramiko.packet import Packetizer

from scanner.transports.ssh.algorithms import CURVE25519, Suite, allow_legacy, suite
from scanner.transports.ssh.hop import Wishes
from scanner.transports.ssh.keys.known_hosts import HostKey
from scanner.transports.ssh.socket import SshStream

_LOG = "scanner.transports.ssh.transport.paramiko"
# What it reports comes back as exceptions; its tracebacks would end up on the user's terminal.
logging.getLogger(_LOG).setLevel(logging.CRITICAL + 1)

FOR_EVER_S = 1e6
"""For the library's own timeouts: the watchdog is the one that counts."""


_LOOK_S = 1.0
_PACKET_BYTES = 512 * 1024
"""No server sends larger packets: RFC 4253, 6.1 asks for 35,000 bytes, OpenSSH allows 256 KiB."""
_CONNECTION_BYTES = 64 * 1024 * 1024
"""Far more than any answer that is taken; a server that minds no window could fill the memory while nobody reads."""
_SAID_BYTES, _SAID_TIMES = 4096, 8
_FORCED = re.compile(r"(\S+:\d+): key options: .*\bcommand\b")
"""OpenSSH's remark on the line of authorized_keys that let a key in."""


class _Packets(Packetizer):
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


class Client(paramiko.Transport):
    """One SSH connection. Remembers why the server hung up; knows curve25519 by its standard name too (RFC 8731)."""

    farewell = ""
    """The text of the server's disconnect message."""
    offered: Mapping[str, Sequence[str]] = MappingProxyType({})
    """The algorithms that the server has, by paramiko's names for the lists of its SSH_MSG_KEXINIT."""
    _kex_info: ClassVar[dict[str, Any]] = {**paramiko.Transport._kex_info}  # type: ignore[attr-defined]  # noqa: SLF001
    if CURVE25519 in _kex_info:
        _kex_info["curve25519-sha256"] = _kex_info[CURVE25519]

    def __init__(
        self, stream: SshStream, *, legacy: bool = False, wishes: Wishes | None = None, place: str = ""
    ) -> None:
        super().__init__(stream, packetizer_class=_Packets)  # type: ignore[arg-type]  # socket-like is enough
        self.place = place
        """host:port of the server, for messages."""
        self.legacy = legacy
        """Whether algorithms that rest on SHA-1 will do where nothing better is common."""
        if legacy:
            allow_legacy(self)
        self.suite: Suite = suite(wishes or Wishes(), legacy=legacy)
        """What it offers."""
        self.set_log_channel(_LOG)
        self.auth_timeout = self.channel_timeout = self.clear_to_send_timeout = FOR_EVER_S

    def shake_hands(self, host_key_algorithms: Sequence[str], *, banner_s: float) -> HostKey:
        """Agree on keys; the server's host key, proven but not yet trusted. Raises what paramiko raises."""
        options = self.get_security_options()
        # Builds of the library under FIPS lack some.
        options.kex = tuple(name for name in self.suite.kex if name in self._kex_info)
        options.ciphers = tuple(name for name in self.suite.ciphers if name in self._cipher_info)  # type: ignore[attr-defined]  # not in its stubs
        options.digests = tuple(name for name in self.suite.macs if name in self._mac_info)  # type: ignore[attr-defined]  # the same
        options.key_types = tuple(host_key_algorithms)
        self.banner_timeout = banner_s
        agreed = threading.Event()
        self.start_client(agreed)
        # The library would look ten times a second; it says so itself, when it has agreed and when it has failed.
        while not agreed.wait(_LOOK_S) and self.is_active():
            continue
        if not self.is_active():
            raise self.get_exception() or paramiko.SSHException("Negotiation failed.")
        key = self.get_remote_server_key()
        return HostKey(key.get_name(), key.asbytes())

    @property
    def signatures_taken(self) -> tuple[str, ...]:
        """The signature algorithms that the server says that it takes (RFC 8308); empty where it does not say."""
        extensions: dict[str, bytes | str] = self.server_extensions  # type: ignore[attr-defined]  # not in its stubs
        told = extensions.get("server-sig-algs", b"")
        text = told.decode("utf-8", "backslashreplace") if isinstance(told, bytes) else told
        return tuple(filter(None, text.split(",")))

    def _really_parse_kex_init(self, message: Message, ignore_first_byte: bool = False) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(message, ignore_first_byte)  # type: ignore[misc]  # not in its stubs
        if not self.offered:  # later ones are those of a new exchange of keys, or our own read back
            self.offered = {name: tuple(each) for name, each in parsed.items() if isinstance(each, list)}
        return parsed

    @property
    def _packets(self) -> _Packets:
        found = self.packetizer
        assert isinstance(found, _Packets), "paramiko made another packetizer than it was told to"  # noqa: S101  for mypy
        return found

    @property
    def banner(self) -> bytes:
        """What the server last said for its user to read: what PAM has to say follows the banner of every login."""
        return next((each for each in reversed(self._packets.banners) if each.strip()), b"")

    @property
    def forced(self) -> str:
        """Where authorized_keys has a command of its own for the key that was let in; empty where that is not told."""
        remarks = (each.decode("utf-8", "replace") for each in self._packets.remarks)
        return next((found[1] for each in remarks if (found := _FORCED.match(each))), "")

    def _parse_disconnect(self, message: Message) -> None:
        message.get_int()
        self.farewell = message.get_binary().decode("utf-8", "backslashreplace")

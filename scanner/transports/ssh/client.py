"""paramiko's Transport, used directly and tuned: a fifth of the CPU of its stock client.

What does it: our own undelayed socket, curve25519 and AES-GCM first, the group exchange last, parsed keys and
known_hosts shared between nodes, and no thread but the caller's (`wire/driven.py`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import paramiko
from paramiko.message import Message

from scanner.transports.ssh.algorithms import CURVE25519, Suite, allow_legacy, suite
from scanner.transports.ssh.hop import Wishes
from scanner.transports.ssh.keys.known_hosts import HostKey
from scanner.transports.ssh.wire.driven import Driven
from scanner.transports.ssh.wire.socket import SshStream

_LOG = "scanner.transports.ssh.transport.paramiko"
# What it reports comes back as exceptions; its tracebacks would end up on the user's terminal.
logging.getLogger(_LOG).setLevel(logging.CRITICAL + 1)

_COOKIE_BYTES = 16
_MOST_REMEMBERED_BYTES = 8192

_FORCED = re.compile(r"(\S+:\d+): key options: .*\bcommand\b")
"""OpenSSH's remark on the line of authorized_keys that let a key in."""


class Client(Driven):
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
        super().__init__(stream)
        self.place = place
        """host:port of the server, for messages."""
        self.legacy = legacy
        """Whether algorithms that rest on SHA-1 will do where nothing better is common."""
        if legacy:
            allow_legacy(self)
        self.suite: Suite = suite(wishes or Wishes(), legacy=legacy)
        """What it offers."""
        self.set_log_channel(_LOG)

    def shake_hands(self, host_key_algorithms: Sequence[str], *, banner_s: float) -> HostKey:
        """Agree on keys; the server's host key, proven but not yet trusted. Raises what paramiko raises."""
        options = self.get_security_options()
        # Builds of the library under FIPS lack some.
        options.kex = tuple(name for name in self.suite.kex if name in self._kex_info)
        options.ciphers = tuple(name for name in self.suite.ciphers if name in self._cipher_info)  # type: ignore[attr-defined]  # not in its stubs
        options.digests = tuple(name for name in self.suite.macs if name in self._mac_info)  # type: ignore[attr-defined]  # the same
        options.key_types = tuple(host_key_algorithms)
        self.negotiate(banner_s)
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
        front = _COOKIE_BYTES + ignore_first_byte
        lists = message.get_remainder()[front:]
        found, length = _parsed(lists) if len(lists) <= _MOST_REMEMBERED_BYTES else _parsed.__wrapped__(lists)
        message.get_bytes(front + length)  # as far as it was read is what both sides sign
        parsed = {name: list(each) if isinstance(each, list) else each for name, each in found.items()}
        if not self.offered:  # later ones are those of a new exchange of keys, or our own read back
            self.offered = {name: tuple(each) for name, each in parsed.items() if isinstance(each, list)}
        return parsed

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


@lru_cache(maxsize=64)
def _parsed(lists: bytes) -> tuple[dict[str, Any], int]:
    """The lists of an SSH_MSG_KEXINIT, without what is in front of them, and how many bytes of it they are.

    Those of all servers of an estate are alike, as a rule.
    """
    parse = paramiko.Transport._really_parse_kex_init  # type: ignore[attr-defined]  # noqa: SLF001  it needs no transport
    message = Message(bytes(_COOKIE_BYTES) + lists)
    parsed: dict[str, Any] = parse(None, message)
    return parsed, len(message.get_so_far()) - _COOKIE_BYTES

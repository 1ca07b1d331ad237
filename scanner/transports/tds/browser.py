"""Which TCP port a named instance listens on, as SQL Server Browser tells: MC-SQLR, one UDP datagram there and back."""

from __future__ import annotations

import re
import socket
import time

from scanner.errors import ProtocolError, UnreachableError
from scanner.transports.network.resolver import resolve

BROWSER_PORT = 1434
_CLNT_UCAST_INST = b"\x04"
_SVR_RESP = 0x05
_HINT = "set `sql_port` to the instance's TCP port (SQL Server Configuration Manager, TCP/IP, IPAll)"
_ATTEMPTS = 3
"""A datagram may be lost on its way."""


def port_of(host: str, instance: str, timeout_s: float) -> int:
    """The TCP port of `instance` on `host`. Raises NodeError."""
    ends = time.monotonic() + timeout_s
    where = f"{host}, UDP {BROWSER_PORT}"
    try:
        family, kind, protocol, _, address = resolve(host, BROWSER_PORT, timeout_s, socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as wire:
            wire.connect(address)
            answer = _asked(wire, _CLNT_UCAST_INST + instance.encode("utf-8") + b"\0", ends)
    except TimeoutError:
        raise UnreachableError(
            f"SQL Server Browser ({where}) did not tell the port of instance {instance} within {timeout_s:g} s: it is "
            "stopped, a firewall is in between, or there is no such instance",
            hint=_HINT,
        ) from None
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
        raise UnreachableError(f"SQL Server Browser ({where}) cannot be asked: {reason}", hint=_HINT) from None
    return read_port(answer, instance, where)


def read_port(answer: bytes, instance: str, where: str) -> int:
    """The instance's `tcp` from a SVR_RESP datagram. Raises NodeError."""
    body = answer[3:] if answer[:1] == bytes([_SVR_RESP]) else b""
    text = body.decode("utf-8", "replace")
    for block in text.split(";;"):
        words = block.split(";")
        told = dict(zip((word.lower() for word in words[::2]), words[1::2], strict=False))
        if told.get("instancename", "").lower() != instance.lower():
            continue
        port = told.get("tcp", "")
        if re.fullmatch(r"\d{1,5}", port) and 0 < int(port) < 65536:
            return int(port)
        raise UnreachableError(
            f"instance {instance} has no TCP port, as SQL Server Browser ({where}) tells", hint="enable TCP/IP for it"
        )
    raise ProtocolError(f"what answers as SQL Server Browser ({where}) makes no sense", hint=_HINT)


def _asked(wire: socket.socket, question: bytes, ends: float) -> bytes:
    for attempt in range(_ATTEMPTS):
        left = ends - time.monotonic()
        if left <= 0:
            break
        wire.settimeout(left / (_ATTEMPTS - attempt))
        wire.send(question)
        try:
            return wire.recv(65535)
        except TimeoutError:
            continue
    raise TimeoutError

"""A SQL Server listener as far as its PRELOGIN answer, for rehearsals and tests: any version, and what goes wrong."""

from __future__ import annotations

import re
import socket

from scanner.lab.servers.listener import Listener, Stoppable
from scanner.transports.tds import packets as tds

FAULTS = ("refuse", "silent", "garbage", "closes", "half", "no-version", "tls-only")
"""refuse: nothing listens · silent: accepts and says nothing · garbage: another protocol · closes: hangs up without a
word, as a TDS 8 strict instance does · half: hangs up in its answer · no-version: an answer without token 0x00 ·
tls-only: a TLS alert."""

_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,5}))?(?:\.(\d{1,5}))?")


def parse_sql_version(text: str) -> tuple[int, int, int, int]:
    """Make "11.0.7001.0" major, minor, build and sub-build. Raises ValueError."""
    match = _VERSION.fullmatch(text)
    parts = [int(part or 0) for part in match.groups()] if match else []
    if not parts or parts[0] > 255 or parts[1] > 255 or max(parts) > 65535:
        raise ValueError(f"{text!r} is no SQL Server version such as 13.0.5026.0")
    return parts[0], parts[1], parts[2], parts[3]


class TdsResponder(Stoppable):
    """Answers PRELOGIN on a free loopback port (`port`) as an instance of `version` would, or with one of `FAULTS`.

    Raises ValueError for a malformed version or an unknown fault.
    """

    def __init__(self, version: str = "15.0.2000.5", *, fault: str = "") -> None:
        if fault and fault not in FAULTS:
            raise ValueError(f"no TDS fault {fault!r}; there are: {', '.join(FAULTS)}")
        self._version = parse_sql_version(version)
        self._fault = fault
        self.requests: list[bytes] = []
        """What was received, one entry per connection."""
        self._listener = Listener(self._serve, refuse=fault == "refuse", name="lab-tds")
        self.port = self._listener.port

    def stop(self) -> None:
        """Close the port and every connection."""
        self._listener.stop()

    def _serve(self, connection: socket.socket) -> None:
        request = _packet(connection)
        self.requests.append(request)
        # A real instance hangs up on anything that is not a PRELOGIN.
        if not request or request[0] != tds.PRELOGIN_PACKET or self._fault == "closes":
            return
        if self._fault == "silent":
            self._listener.stopping.wait()
            return
        connection.sendall(self._answer())
        # The client hangs up; leaving first would be a fault of its own.
        if self._fault != "half":
            connection.recv(1)

    def _answer(self) -> bytes:
        if self._fault == "garbage":
            return b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
        if self._fault == "tls-only":
            return b"\x15\x03\x03\x00\x02\x02\x28"
        options = {
            tds.TOKEN_ENCRYPTION: b"\x02",
            tds.TOKEN_INSTANCE: b"\x00",
            tds.TOKEN_THREAD: b"",
            tds.TOKEN_MARS: b"\x00",
        }
        if self._fault != "no-version":
            options = {tds.TOKEN_VERSION: tds.VERSION.pack(*self._version), **options}
        whole = tds.message(tds.RESPONSE_PACKET, options)
        return whole[:20] if self._fault == "half" else whole


def _packet(connection: socket.socket) -> bytes:
    """One TDS packet, or what came of it before the peer hung up."""
    data = b""
    wanted = tds.HEADER.size
    while len(data) < wanted:
        chunk = connection.recv(wanted - len(data))
        if not chunk:
            break
        data += chunk
        if len(data) == tds.HEADER.size and data[0] == tds.PRELOGIN_PACKET:
            wanted = max(tds.HEADER.size, int(tds.HEADER.unpack(data)[2]))
    return data

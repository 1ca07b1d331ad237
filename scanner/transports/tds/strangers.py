"""Who listens there, where it is no SQL Server: told by the bytes that other servers say first, or instead.

Each answer was seen from the program itself; the tests name the versions.
"""

from __future__ import annotations

from scanner.transports.tds.connecting import open_connection

SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
"""PostgreSQL's SSLRequest: every version since 7.1 answers it with the one byte S or N, before any login."""
HTTP_REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def recognise(head: bytes) -> str:
    """What kind of server begins like that; empty where it cannot be told."""
    if head.startswith((b"HTTP/", b"<html", b"<HTML", b"<!DOCTYPE", b"<!doctype")):
        return "an HTTP server or proxy"
    if head.startswith(b"SSH-"):
        return "an SSH server"
    if _is_mysql(head):
        return "MySQL or MariaDB"
    if head.startswith(b"E") and b"SFATAL\0" in head[:64]:
        return "PostgreSQL, or a pooler in front of it"
    if head[:2] == b"\x00\x00" and len(head) > 4 and head[4:5] in (b"\x04", b"\x0b"):
        return "Oracle's listener"
    if head.startswith((b"220 ", b"220-")):
        return "an FTP or mail server"
    if head.startswith(b"-ERR"):
        return "Redis"
    return ""


def name_of(host: str, port: int, *, waits: bool, timeout_s: float) -> str:
    """Who says nothing to a TDS PRELOGIN: one more connection asks in that server's own words. Empty: nobody known.

    PostgreSQL hangs up without a word; what `waits` for more may be an HTTP server. Never raises: it only looks for a
    better reason than the one that is known already.
    """
    try:
        with open_connection(host, port, timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(HTTP_REQUEST if waits else SSL_REQUEST)
            answer = connection.recv(64)
    except Exception:  # noqa: BLE001  a better reason is all that is lost
        return ""
    if waits:
        return recognise(answer)
    return "PostgreSQL" if answer in (b"S", b"N", b"G") else ""


def _is_mysql(head: bytes) -> bool:
    """A handshake of protocol 10 ("5.5.5-10.11.6-MariaDB"), or the error that takes its place, as the first packet."""
    if len(head) < 6 or head[3] != 0:
        return False
    announced = int.from_bytes(head[:3], "little")
    if head[4] == 0x0A:
        return head[5:6].isdigit() and 20 <= announced <= 512
    return head[4] == 0xFF and 8 <= announced <= 1024

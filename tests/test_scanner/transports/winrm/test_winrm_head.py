"""Heads of answers: what is read at once is what http.client reads, and whatever is odd is left to it untouched.

Two have the lines that Windows was reported to answer: the refusal, with the blank behind its number (jborean93/omi
#29, 2021), and what comes with the last token of a login (Openwsman/openwsman #210, 2025). The others are imagined,
after RFC 9112: what holds them is that http.client reads them the same.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.transports.winrm.exchange.answer import Headers
from scanner.transports.winrm.exchange.head import Head, Replayed, plain_head

PLAIN = (
    b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n",
    (
        b"HTTP/1.1 401 \r\nServer: Microsoft-HTTPAPI/2.0\r\nWWW-Authenticate: Negotiate\r\n"
        b'WWW-Authenticate: Kerberos\r\nWWW-Authenticate: Basic realm="WSMAN"\r\nWWW-Authenticate: CredSSP\r\n'
        b"Date: Thu, 26 Nov 2026 19:58:42 GMT\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ),
    (
        b"HTTP/1.1 200 \r\nWWW-Authenticate: Negotiate oYG3MIG0oAMKAQChCwYJKoZIhvcSAQICooGfBIGc\r\n"
        b"Server: Microsoft-HTTPAPI/2.0\r\nDate: Wed, 02 Apr 2025 15:51:03 GMT\r\nContent-Length: 2\r\n\r\n"
    ),
    (
        b'HTTP/1.1 200 \r\nContent-Type: multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";'
        b'boundary="Encrypted Boundary"\r\nServer: Microsoft-HTTPAPI/2.0\r\nContent-Length: 2\r\n\r\n'
    ),
    b"HTTP/1.1 500 Internal Server Error\r\nX:\r\nY: \t a  b \r\ncontent-length:2\r\nCONNECTION: Keep-Alive\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n",
)
ODD = (
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: balancer=1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: folded\r\n further\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
    b"HTTP/1.1 200 OK\r\nX: \xfc\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99 + b"Content-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
)


@contextmanager
def told(data: bytes, *, at_once: int = 0) -> Iterator[socket.socket]:
    """A connection on which `data` comes, and then its end; so many bytes at once."""
    ours, theirs = socket.socketpair()

    def tell() -> None:
        step = at_once or max(1, len(data))
        with suppress(OSError), theirs:
            for start in range(0, len(data), step):
                theirs.sendall(data[start : start + step])

    teller = threading.Thread(target=tell)
    teller.start()
    ours.settimeout(10)
    try:
        yield ours
    finally:
        ours.close()
        teller.join()


def by_the_library(wire: object) -> object:
    response = HTTPResponse(wire, method="POST")  # type: ignore[arg-type]  # it asks for a file alone
    try:
        response.begin()
        headers = Headers(response.getheaders())
        return response.status, vars(headers), response.length, response.will_close, response.read(2)
    except (HTTPException, ValueError) as error:
        return type(error), str(error)
    finally:
        response.close()


def read(data: bytes, at_once: int = 0) -> tuple[object, bool]:
    """What is made of it, and whether that was without the library."""
    with told(data, at_once=at_once) as wire:
        found = plain_head(wire)
        if not isinstance(found, Head):
            return by_the_library(Replayed(found, wire)), False
        body = found.begun[:2] or (wire.recv(2) if found.length else b"")
        return (found.status, vars(found.headers), found.length, found.will_close, body[: found.length]), True


@pytest.mark.parametrize("data", PLAIN)
@pytest.mark.parametrize("at_once", [0, 1, 7])
def test_a_plain_head_is_read_as_the_library_reads_it(data: bytes, at_once: int) -> None:
    with told(data + b"ok") as wire:
        usual = by_the_library(wire)
    found, plain = read(data + b"ok", at_once)
    assert plain
    if at_once and isinstance(found, tuple):  # with the end of the head, a part of the body may have come
        assert isinstance(usual, tuple)
        assert (found[:4], found[4]) == (usual[:4], usual[4][: len(found[4])])
    else:
        assert found == usual


@pytest.mark.parametrize("data", ODD)
@pytest.mark.parametrize("at_once", [0, 997])
def test_an_odd_one_is_left_to_the_library_as_it_came(data: bytes, at_once: int) -> None:
    with told(data + b"ok") as wire:
        usual = by_the_library(wire)
    assert read(data + b"ok", at_once) == (usual, False)


_PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 ",
        b"\r\n",
        b"\r",
        b"\n",
        b"Content-Length: 2",
        b"Content-Length:",
        b"2",
        b": ",
        b" ",
        b"Connection: close",
        b"Transfer-Encoding: chunked",
        b"X",
        b"\t",
        b"\x00",
        b"\xff",
        b"\r\n\r\n",
        b"ok",
    ]
)


@given(st.lists(_PIECES, max_size=16).map(b"".join))
def test_whatever_comes_is_what_the_library_makes_of_it(data: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + data
    with told(data) as wire:
        usual = by_the_library(wire)
    assert read(data)[0] == usual

from __future__ import annotations

import threading
import time

import pytest

from scanner.errors import ConnectionLostError, DeadlineError, NodeError, ProtocolError, UnreachableError
from scanner.lab.servers.tds.responder import FAULTS, TdsResponder, parse_sql_version
from scanner.transports.tds import packets
from scanner.transports.tds.prelogin import prelogin, version_of

# The answer of the protocol document's section 4.2, without its comments.
DOCUMENTED_ANSWER = bytes.fromhex(
    "0401002B00000100 00001A0006 0100200001 0200210001 0300220000 0400220001 FF 090000000000 00 00 01"
)


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("10.50.6000.34", (10, 50, 6000, 34)),
        ("11.0.7001", (11, 0, 7001, 0)),
        ("16.0.1000.6", (16, 0, 1000, 6)),
        ("9.0", (9, 0, 0, 0)),
    ],
)
def test_reads_the_version_that_the_listener_announces(version: str, parts: tuple[int, int, int, int]) -> None:
    with TdsResponder(version) as server:
        found = prelogin("127.0.0.1", server.port, 5)
    assert (found.major, found.minor, found.build, found.sub_build) == parts
    assert found.port == server.port


def test_the_request_has_the_documented_shape() -> None:
    with TdsResponder() as server:
        prelogin("127.0.0.1", server.port, 5)
        packet = server.requests[0]
    assert packet[:8] == bytes([0x12, 0x01, 0x00, len(packet), 0, 0, 1, 0])
    # The options' headers as in section 4.1: version, encryption, instance, thread and MARS.
    assert packet[8:34] == bytes.fromhex("00001A0006 0100200001 0200210001 0300220004 0400260001 FF")


def test_reads_the_documented_answer() -> None:
    assert version_of(DOCUMENTED_ANSWER[8:], "sql1:1433") == (9, 0, 0, 0)


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        ("refuse", UnreachableError, "connection refused"),
        ("silent", DeadlineError, "did not answer the TDS PRELOGIN within 0.225 s"),
        ("garbage", ProtocolError, "is an HTTP server or proxy, no SQL Server"),
        ("closes", ConnectionLostError, "hung up without answering"),
        ("half", ConnectionLostError, "in the middle of"),
        ("no-version", ProtocolError, "without a readable version"),
        ("tls-only", ProtocolError, "wants TLS before"),
    ],
)
def test_each_fault_has_one_clear_line(fault: str, kind: type[NodeError], text: str) -> None:
    with TdsResponder(fault=fault) as server, pytest.raises(kind, match=text) as caught:
        prelogin("127.0.0.1", server.port, 0.3)
    line = str(caught.value)
    assert "\n" not in line
    assert f"127.0.0.1:{server.port}" in line


def test_every_fault_is_tried() -> None:
    marks = [mark for mark in test_each_fault_has_one_clear_line.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {row[0] for row in marks[0].args[1]} == set(FAULTS)


@pytest.mark.parametrize("fault", ["closes", "tls-only"])
def test_points_to_strict_encryption_where_the_answer_smells_of_it(fault: str) -> None:
    with TdsResponder(fault=fault) as server, pytest.raises(NodeError) as caught:
        prelogin("127.0.0.1", server.port, 5)
    assert "TDS 8 strict" in caught.value.hint


def test_a_name_that_does_not_exist_is_said_so() -> None:
    with pytest.raises(UnreachableError, match="cannot be resolved"):
        prelogin("no-such-host.invalid", 1433, 5)


def test_a_dripping_peer_does_not_outlast_the_deadline() -> None:
    import socket

    from scanner.lab.servers.listener import Listener

    def drip(connection: socket.socket) -> None:
        for byte in DOCUMENTED_ANSWER:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    begun = time.monotonic()
    with Listener(drip) as server, pytest.raises(DeadlineError):
        prelogin("127.0.0.1", server.port, 0.4)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("length", [0, 8, 5000, 65535])
def test_an_odd_length_is_not_read(length: int) -> None:
    import socket

    from scanner.lab.servers.listener import Listener

    def answer(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(packets.HEADER.pack(4, 1, length, 0, 1, 0))
        connection.recv(100)

    with Listener(answer) as server, pytest.raises(ProtocolError, match="does not speak TDS"):
        prelogin("127.0.0.1", server.port, 5)


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x00", b"\x00\x00\x1a\x00\x06", b"\x00\x00\x06\x00\x02\xff\x0b\x00"])
def test_a_mangled_structure_is_an_error_not_a_version(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="without a readable version"):
        version_of(body, "sql1:1433")


@pytest.mark.parametrize("text", ["", "11", "2016", "256.0", "11.0.70000", "11.0.1.2.3", "eleven"])
def test_a_malformed_version_cannot_be_served(text: str) -> None:
    with pytest.raises(ValueError, match="no SQL Server version"):
        parse_sql_version(text)


def test_stop_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    server = TdsResponder(fault="silent")
    with pytest.raises(DeadlineError):
        prelogin("127.0.0.1", server.port, 0.1)
    server.stop()
    server.stop()
    assert threading.active_count() == before

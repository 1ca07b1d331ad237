"""Every way in which the WS-Man server can misbehave, seen from a stock client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from scanner.lab.servers.wsman.server import ProcessOutput, ProcessRequest, WsmanFault, WsmanServer

Serve = Callable[..., WsmanServer]
Connect = Callable[..., Protocol]
Run = Callable[..., tuple[bytes, bytes, int]]


def digits(_: ProcessRequest) -> ProcessOutput:
    return ProcessOutput(b"0123456789" * 2000)


def address(server: WsmanServer) -> tuple[str, int]:
    return "127.0.0.1", server.port


def test_refuse(serve: Serve) -> None:
    server = serve(faults={WsmanFault.REFUSE})
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address(server), timeout=5)


def test_silent_and_its_stop(serve: Serve) -> None:
    server = serve(faults={WsmanFault.SILENT})
    with socket.create_connection(address(server), timeout=0.3) as bare:
        bare.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(TimeoutError):
            bare.recv(100)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 5


def test_dribble_sends_one_byte_at_a_time_and_never_ends(serve: Serve) -> None:
    server = serve(faults={WsmanFault.DRIBBLE}, dribble_interval_s=0.02)
    with socket.create_connection(address(server), timeout=1) as bare:
        bare.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        pieces = [bare.recv(100) for _ in range(12)]
    assert b"".join(pieces) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    ("fault", "at_least_s", "at_most_s"),
    [(WsmanFault.HANG_ON_RECEIVE, 1.9, 9), (WsmanFault.DRIBBLE_ON_RECEIVE, 2.4, 9), (WsmanFault.CUT, 0, 1.9)],
)
def test_faults_at_the_output(
    serve: Serve, connect: Connect, fault: WsmanFault, at_least_s: float, at_most_s: float
) -> None:
    server = serve(digits, faults={fault}, dribble_interval_s=0.1)
    client = connect(server, operation_timeout_sec=1, read_timeout_sec=2)
    shell = client.open_shell()
    key = client.run_command(shell, "whoami")
    # A dribble outlives any read timeout, so it takes the server's end.
    threading.Timer(2.5, server.stop).start() if fault is WsmanFault.DRIBBLE_ON_RECEIVE else None
    began = time.monotonic()
    with pytest.raises(requests.exceptions.RequestException) as caught:
        client.get_command_output_raw(shell, key)
    assert at_least_s <= time.monotonic() - began < at_most_s
    assert isinstance(caught.value, requests.exceptions.Timeout) == (fault is WsmanFault.HANG_ON_RECEIVE)


def test_garbage(serve: Serve) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(serve(faults={WsmanFault.GARBAGE}).endpoint, timeout=5)


@pytest.mark.parametrize(
    ("fault", "status", "starts"),
    [
        (WsmanFault.HTML, 200, b"<!DOCTYPE html>"),
        (WsmanFault.EMPTY, 200, b""),
        (WsmanFault.NOT_FOUND, 404, b"<!DOCTYPE HTML"),
    ],
)
def test_pages_instead_of_a_service(serve: Serve, fault: WsmanFault, status: int, starts: bytes) -> None:
    answer = requests.post(serve(faults={fault}).endpoint, timeout=5)
    assert (answer.status_code, answer.content[:15].startswith(starts)) == (status, True)
    assert bool(answer.content) == bool(starts)


def test_truncated_and_babble(serve: Serve, connect: Connect, run: Run) -> None:
    assert run(connect(serve(digits, faults={WsmanFault.TRUNCATED}))) == (b"0123456789" * 1000, b"", 0)
    babbling = serve(digits, faults={WsmanFault.BABBLE}, babble_bytes=3_000_000)
    assert len(run(connect(babbling))[0]) == 3_000_000


@pytest.mark.parametrize(("fault", "code"), [(WsmanFault.QUOTA, 2150859173), (WsmanFault.ACCESS_DENIED, 5)])
def test_faults_at_create(serve: Serve, connect: Connect, fault: WsmanFault, code: int) -> None:
    with pytest.raises(WSManFaultError) as caught:
        connect(serve(faults={fault})).open_shell()
    assert caught.value.wsman_fault_code == code


def test_slow_gives_operation_timeouts_first(serve: Serve, connect: Connect) -> None:
    client = connect(serve(faults={WsmanFault.SLOW}, slow_s=1.3))
    shell = client.open_shell()
    key = client.run_command(shell, "whoami")
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, key)
    assert client.get_command_output_raw(shell, key)[3]

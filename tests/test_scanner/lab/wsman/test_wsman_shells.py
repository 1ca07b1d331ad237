"""Shells and commands of the WS-Man server as stock pywinrm meets them: output, input, quotas, ends."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from scanner.lab.servers.wsman.server import (
    QUOTAS_2008R2,
    ProcessOutput,
    ProcessRequest,
    Quotas,
    WaitsForInputError,
    WsmanServer,
)

Serve = Callable[..., WsmanServer]
Connect = Callable[..., Protocol]
Run = Callable[..., tuple[bytes, bytes, int]]

LOCAL_USER = "operator"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


def test_shell_options_reach_the_process(serve: Serve, connect: Connect) -> None:
    client = connect(serve())
    shell = client.open_shell(env_vars={"A": "1 & <2>", "B": "x" * 30_000}, codepage=65001, idle_timeout="PT60S")
    key = client.run_command(shell, "tool", ["one", "two three"], console_mode_stdin=False)
    out = client.get_command_output(shell, key)[0].decode()
    assert out == f"tool one two three|65001|CORP\\svc-preflight||A=1 & <2>|B={'x' * 30_000}"


def test_a_variable_that_no_windows_process_could_have_is_refused(serve: Serve, connect: Connect) -> None:
    with pytest.raises(WSManFaultError) as caught:
        connect(serve()).open_shell(env_vars={"A": "x" * 32_767})
    assert caught.value.wsman_fault_code == 87


def test_two_accounts_have_shells_of_their_own(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    shell, other = connect(server).open_shell(), connect(server, LOCAL_USER)
    with pytest.raises(WSManFaultError) as caught:
        other.run_command(shell, "whoami")
    assert caught.value.wsman_fault_code == 2150858843
    assert run(other)[0].split(b"|")[2] == b"operator"


def test_envelope_limit_is_a_413(serve: Serve, connect: Connect) -> None:
    old = connect(serve(quotas=QUOTAS_2008R2))
    shell = old.open_shell()
    with pytest.raises(WinRMTransportError) as caught:
        old.run_command(shell, "x" * 160_000)
    assert caught.value.code == 413
    new = connect(serve())
    assert new.run_command(new.open_shell(), "x" * 160_000)


def test_shell_quota(serve: Serve, connect: Connect) -> None:
    server = serve(quotas=QUOTAS_2008R2)
    client = connect(server)
    shells = [client.open_shell() for _ in range(5)]
    with pytest.raises(WSManFaultError) as caught:
        client.open_shell()
    assert caught.value.wsman_fault_code == 2150859173
    assert "maximum number of 5 concurrent shells" in str(caught.value)
    assert connect(server, LOCAL_USER).open_shell(), "the quota is per account"
    client.close_shell(shells[0], close_session=False)
    assert client.open_shell()


def test_quota_fault_in_its_other_shape(serve: Serve, connect: Connect) -> None:
    server = serve(quotas=Quotas(max_shells_per_user=0), wmi_quota_faults=True)
    with pytest.raises(WSManFaultError) as caught:
        connect(server).open_shell()
    assert (caught.value.wsman_fault_code, caught.value.wmierror_code) == (None, 2150859173)


def test_operations_quota_counts_commands_that_nobody_ended(serve: Serve, connect: Connect) -> None:
    client = connect(serve(quotas=Quotas(max_operations_per_user=2)))
    shell = client.open_shell()
    keys = [client.run_command(shell, "one"), client.run_command(shell, "two")]
    with pytest.raises(WSManFaultError) as caught:
        client.run_command(shell, "three")
    assert caught.value.wsman_fault_code == 2150859174
    client.cleanup_command(shell, keys[0])
    assert client.run_command(shell, "three")


def test_commands_per_shell_quota_counts_until_the_signal(serve: Serve, connect: Connect) -> None:
    client = connect(serve(quotas=Quotas(max_processes_per_shell=1)))
    shell = client.open_shell()
    key = client.run_command(shell, "one")
    client.get_command_output(shell, key)
    with pytest.raises(WSManFaultError, match="commands per shell"):
        client.run_command(shell, "two")
    client.cleanup_command(shell, key)
    assert client.run_command(shell, "two")


def test_operation_timeout_is_a_fault_and_the_output_comes_later(serve: Serve, connect: Connect) -> None:
    go = threading.Event()

    def slow(_: ProcessRequest) -> ProcessOutput:
        go.wait(10)
        return ProcessOutput(b"late")

    server = serve(slow)
    client = connect(server, operation_timeout_sec=1)
    shell = client.open_shell()
    key = client.run_command(shell, "wait")
    began = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, key)
    assert 0.9 < time.monotonic() - began < 4.5
    assert server.requests[-1].status == 500
    go.set()
    assert client.get_command_output(shell, key) == (b"late", b"", 0)


def test_a_server_caps_the_operation_timeout(serve: Serve, connect: Connect) -> None:
    go = threading.Event()
    server = serve(lambda _: ProcessOutput(b"", exit_code=int(go.wait(10))), quotas=Quotas(max_timeout_s=0.2))
    client = connect(server)
    shell = client.open_shell()
    key = client.run_command(shell, "wait")
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, key)
    go.set()


def test_unknown_shell_and_unknown_command(serve: Serve, connect: Connect) -> None:
    client = connect(serve())
    shell, nowhere = client.open_shell(), str(uuid.uuid4())
    for call in (
        lambda: client.run_command(nowhere, "whoami"),
        lambda: client.get_command_output_raw(shell, nowhere),
        lambda: client.close_shell(nowhere, close_session=False),
    ):
        with pytest.raises(WSManFaultError) as caught:
            call()
        assert (caught.value.wsman_fault_code, caught.value.fault_subcode) == (2150858843, "w:InvalidSelectors")


def test_large_output_comes_in_envelopes_and_reassembles_to_the_byte(serve: Serve, connect: Connect) -> None:
    stdout, stderr = os.urandom(700_001), os.urandom(50_003)
    server = serve(lambda _: ProcessOutput(stdout, stderr, 0))
    client = connect(server)
    shell = client.open_shell()
    out = client.get_command_output(shell, client.run_command(shell, "flood"))
    assert hashlib.sha256(out[0]).digest() == hashlib.sha256(stdout).digest()
    assert (out[1], out[2]) == (stderr, 0)
    receives = [record for record in server.requests if record.action == "Receive"]
    assert len(receives) == 7
    assert all(record.response_bytes <= 153_600 for record in receives)


def test_streams_states_and_ends_look_as_windows_writes_them(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(serve(lambda _: ProcessOutput(b"o" * 200_000, b"e", 3)))
    seen: list[ET.Element] = []
    send = client.transport.send_message

    def spy(message: str | bytes) -> bytes:
        answer: bytes = send(message)
        seen.append(ET.fromstring(answer))  # noqa: S314 - our own server wrote it
        return answer

    monkeypatch.setattr(client.transport, "send_message", spy)
    shell = client.open_shell()
    client.get_command_output(shell, client.run_command(shell, "both"))
    first, last = seen[-2:]
    assert len(first.findall(f".//{{{SHELL}}}Stream")) > 1, "one write, several streams"
    state = first.find(f".//{{{SHELL}}}CommandState")
    assert state is not None
    assert (state.get("State", "").rpartition("/")[2], len(state)) == ("Running", 0)
    ends = [(e.get("Name"), e.text) for e in last.iterfind(f".//{{{SHELL}}}Stream") if e.get("End") == "true"]
    assert ends == [("stdout", None), ("stderr", None)]
    assert last.findtext(f".//{{{SHELL}}}CommandState/{{{SHELL}}}ExitCode") == "3"


def test_late_end_tells_the_exit_code_in_an_answer_of_its_own(serve: Serve, connect: Connect) -> None:
    client = connect(serve(late_end=True))
    shell = client.open_shell()
    key = client.run_command(shell, "whoami")
    assert client.get_command_output_raw(shell, key)[2:] == (-1, False)
    assert client.get_command_output_raw(shell, key) == (b"", b"", 7, True)


def test_stdin_arrives_whole_and_a_reader_waits_for_its_end(serve: Serve, connect: Connect) -> None:
    def sort(request: ProcessRequest) -> ProcessOutput:
        if not request.stdin_closed:
            raise WaitsForInputError
        return ProcessOutput(b"".join(sorted(request.stdin.splitlines(keepends=True))))

    client = connect(serve(sort), operation_timeout_sec=1)
    shell = client.open_shell()
    key = client.run_command(shell, "sort", console_mode_stdin=False)
    client.send_command_input(shell, key, b"b\r\n")
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, key)
    client.send_command_input(shell, key, b"a\r\n", end=True)
    assert client.get_command_output(shell, key)[0] == b"a\r\nb\r\n"
    with pytest.raises(WSManFaultError, match="pipe has been ended"):
        client.send_command_input(shell, key, b"more")


def test_a_failing_stand_in_shows_as_a_failing_process(serve: Serve, connect: Connect, run: Run) -> None:
    def broken(_: ProcessRequest) -> ProcessOutput:
        raise KeyError("no such registry key")

    out = run(connect(serve(broken)))
    assert (out[0], out[2]) == (b"", 255)
    assert b"no such registry key" in out[1]


def test_delete_aborts_the_receive_that_waits(serve: Serve, connect: Connect) -> None:
    gone = threading.Event()
    server = serve(lambda _: ProcessOutput(b"never seen", exit_code=int(gone.wait(5))))
    client, other = connect(server), connect(server)
    shell = client.open_shell()
    key = client.run_command(shell, "ping -t")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other.get_command_output_raw, shell, key)
        time.sleep(0.2)
        threading.Timer(0.1, gone.set).start()
        client.close_shell(shell, close_session=False)
        with pytest.raises(WSManFaultError) as caught:
            waiting.result(5)
    assert caught.value.wsman_fault_code == 995
    assert server.open_shells == ()


def test_an_idle_shell_is_closed_by_its_own_timeout(serve: Serve, connect: Connect) -> None:
    server = serve()
    client = connect(server)
    shell = client.open_shell(idle_timeout="PT0.2S")
    time.sleep(0.4)
    with pytest.raises(WSManFaultError) as caught:
        client.run_command(shell, "whoami")
    assert caught.value.wsman_fault_code == 2150858843
    assert server.open_shells == ()


def test_sixteen_clients_at_once(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()

    def one(number: int) -> bytes:
        return run(connect(server), f"client {number}")[0].split(b"|")[0]

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(one, number) for number in range(48)]
    refused = [request for request in server.requests if request.status not in {200, 401}]
    assert not refused
    assert [each.result() for each in asked] == [f"client {number}".encode() for number in range(48)]
    assert server.connections == 48
    assert server.open_shells == ()


def test_stop_leaves_no_thread_and_no_socket_even_with_clients_hanging(connect: Connect, users: dict[str, str]) -> None:
    before = set(threading.enumerate())
    never = threading.Event()
    server = WsmanServer(lambda _: ProcessOutput(b"", exit_code=int(never.wait(0.5))), users=users)
    server.start()
    client = connect(server)
    shell = client.open_shell()
    key = client.run_command(shell, "hang")
    errors: list[Exception] = []

    def receive() -> None:
        try:
            client.get_command_output_raw(shell, key)
        except (WSManFaultError, requests.exceptions.RequestException, WinRMTransportError) as error:
            errors.append(error)

    with socket.create_connection(("127.0.0.1", server.port)):
        receiver = threading.Thread(target=receive)
        receiver.start()
        time.sleep(0.2)
        began = time.monotonic()
        server.stop()
        server.stop()
        assert time.monotonic() - began < 4, "waits for the process, not for the client's operation timeout"
        receiver.join(5)
    assert set(threading.enumerate()) <= before
    assert len(errors) == 1
    assert server.open_shells == ()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_stopped_server_starts_again_on_its_port(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    port = server.port
    assert run(connect(server))[2] == 7
    server.stop()
    server.start()
    assert server.port == port
    assert run(connect(server))[2] == 7


def test_only_loopback_is_served(users: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        WsmanServer(lambda _: ProcessOutput(b""), users=users, host="0.0.0.0")  # noqa: S104 - its refusal is the point

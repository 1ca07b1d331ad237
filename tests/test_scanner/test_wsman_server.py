"""The WS-Man server against stock pywinrm, requests and bare sockets: what Windows does, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import ssl
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import winrm
from requests_ntlm import HttpNtlmAuth
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from scanner.lab.certificates import CertificateAuthority, TlsFiles
from scanner.lab.wsman import (
    QUOTAS_2008R2,
    ProcessOutput,
    ProcessRequest,
    Quotas,
    WaitsForInputError,
    WsmanFault,
    WsmanServer,
)

USERS = {"CORP\\svc-preflight": "S3cret pass!", "operator": "another: one".replace(":", ";")}
DOMAIN_USER, LOCAL_USER = USERS
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls(authority: CertificateAuthority) -> TlsFiles:
    return authority.server()


def echo(request: ProcessRequest) -> ProcessOutput:
    """Plays a process that says what it was asked."""
    words = [request.command_line, str(request.codepage), request.user, request.stdin.decode("latin-1")]
    words += [f"{name}={value}" for name, value in sorted(request.environment.items())]
    return ProcessOutput("|".join(words).encode(), b"some complaint", 7)


def protocol(server: WsmanServer, user: str = DOMAIN_USER, password: str | None = None, **more: Any) -> Protocol:
    settings = {"transport": "ntlm", "proxy": None, "operation_timeout_sec": 5, "read_timeout_sec": 20, **more}
    return Protocol(server.endpoint, username=user, password=USERS[user] if password is None else password, **settings)


@pytest.fixture
def open_protocol() -> Iterator[Callable[..., Protocol]]:
    """Protocols that are closed afterwards; an open session is a leaked socket."""
    opened: list[Protocol] = []

    def make(server: WsmanServer, user: str = DOMAIN_USER, password: str | None = None, **more: Any) -> Protocol:
        opened.append(protocol(server, user, password, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.transport.close_session()


Opener = Callable[..., Protocol]


def run(client: Protocol, command: str = "whoami") -> tuple[bytes, bytes, int]:
    shell = client.open_shell()
    try:
        key = client.run_command(shell, command)
        out: tuple[bytes, bytes, int] = client.get_command_output(shell, key)
        client.cleanup_command(shell, key)
        return out
    finally:
        client.close_shell(shell)


def actions(server: WsmanServer) -> list[str]:
    return [record.action for record in server.requests]


def test_session_over_sealed_ntlm_takes_the_eight_requests_that_windows_takes() -> None:
    with WsmanServer(echo, users=USERS) as server:
        session = winrm.Session(server.endpoint, auth=(DOMAIN_USER, USERS[DOMAIN_USER]), transport="ntlm", proxy=None)
        answer = session.run_cmd("dir", ["/b", "C:\\Program Files"])

        assert answer.std_out == rb"dir /b C:\Program Files|437|CORP\svc-preflight|"
        assert (answer.std_err, answer.status_code) == (b"some complaint", 7)
        assert actions(server) == ["", "", "", "Create", "Command", "Receive", "Signal", "Delete"]
        assert [record.status for record in server.requests] == [401, 401, 200, 200, 200, 200, 200, 200]
        assert all(record.sealed for record in server.requests[3:])
        assert server.connections == 1
        assert server.open_shells == ()


def test_nothing_readable_crosses_the_wire_under_sealed_ntlm(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    send = socket.socket.sendall

    def spy(self: socket.socket, data: bytes, *flags: int) -> None:
        seen.append(bytes(data))
        send(self, data, *flags)

    monkeypatch.setattr(socket.socket, "sendall", spy)
    with WsmanServer(echo, users=USERS) as server:
        assert run(protocol(server), "needle")[2] == 7
    wire = b"".join(seen)
    assert b"Encrypted Boundary" in wire
    for secret in (b"needle", b"Envelope", USERS[DOMAIN_USER].encode(), base64.b64encode(b"needle")):
        assert secret not in wire


def test_shell_options_reach_the_process(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell(env_vars={"A": "1 & <2>", "B": "x" * 30_000}, codepage=65001, idle_timeout="PT60S")
        key = client.run_command(shell, "tool", ["one", "two three"], console_mode_stdin=False)
        out = client.get_command_output(shell, key)[0].decode()
        assert out == f"tool one two three|65001|CORP\\svc-preflight||A=1 & <2>|B={'x' * 30_000}"


@pytest.mark.parametrize(
    ("user", "password"), [(DOMAIN_USER, "wrong"), ("CORP\\nobody", "S3cret pass!"), ("svc-preflight", "S3cret pass!")]
)
def test_wrong_credentials_are_a_401(user: str, password: str, open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        with pytest.raises(InvalidCredentialsError):
            open_protocol(server, user, password).open_shell()
        assert {record.status for record in server.requests} == {401}
        assert password not in repr(server.requests)


def test_two_accounts_have_shells_of_their_own(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        one, two = open_protocol(server, DOMAIN_USER), open_protocol(server, LOCAL_USER)
        shell = one.open_shell()
        with pytest.raises(WSManFaultError) as caught:
            two.run_command(shell, "whoami")
        assert caught.value.wsman_fault_code == 2150858843
        assert run(two)[0].split(b"|")[2] == b"operator"


def test_servers_with_different_passwords_for_one_name_live_in_one_process() -> None:
    before = os.environ.get("NTLM_USER_FILE")
    with WsmanServer(echo, users={"svc": "first"}) as one, WsmanServer(echo, users={"svc": "second"}) as two:
        for server, password, wrong in [(one, "first", "second"), (two, "second", "first"), (one, "first", "second")]:
            assert run(Protocol(server.endpoint, "ntlm", "svc", password, proxy=None))[2] == 7
            refused = Protocol(server.endpoint, "ntlm", "svc", wrong, proxy=None)
            with pytest.raises(InvalidCredentialsError):
                refused.open_shell()
            refused.transport.close_session()
    assert os.environ.get("NTLM_USER_FILE") == before


@pytest.mark.parametrize("name", ["operator", "LAB\\operator", ".\\OPERATOR"])
def test_a_local_account_may_be_spelled_in_three_ways(name: str) -> None:
    with WsmanServer(echo, users=USERS) as server:
        client = Protocol(server.endpoint, "ntlm", name, USERS[LOCAL_USER], proxy=None)
        assert run(client)[0].split(b"|")[2] == b"operator"


def test_https_with_verification_and_ntlm(tls: TlsFiles, authority: CertificateAuthority) -> None:
    with WsmanServer(echo, users=USERS, tls=tls) as server:
        out = run(protocol(server, ca_trust_path=str(authority.certificate), message_encryption="always"))
        assert out[2] == 7
        assert all(record.sealed for record in server.requests if record.action)


def test_https_ntlm_left_to_itself_sends_the_create_body_three_times(
    tls: TlsFiles, authority: CertificateAuthority
) -> None:
    with WsmanServer(echo, users=USERS, tls=tls) as server:
        run(protocol(server, ca_trust_path=str(authority.certificate)))
        assert len([record for record in server.requests if record.request_bytes > 1000]) == 3 + 4
        assert actions(server)[:3] == ["", "", "Create"]


def test_an_untrusted_certificate_stops_the_client(tls: TlsFiles, open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS, tls=tls) as server:
        with pytest.raises(requests.exceptions.SSLError):
            open_protocol(server).open_shell()
        assert server.requests == ()


def test_channel_bindings_are_checked(tls: TlsFiles, authority: CertificateAuthority, tmp_path: Path) -> None:
    other = CertificateAuthority(tmp_path).server()
    settings: dict[str, Any] = {"ca_trust_path": str(authority.certificate)}
    with WsmanServer(echo, users=USERS, tls=tls) as relaxed:
        assert run(protocol(relaxed, send_cbt=False, **settings))[2] == 7
    with WsmanServer(echo, users=USERS, tls=tls, hardening="strict") as strict:
        assert run(protocol(strict, **settings))[2] == 7
        without = protocol(strict, send_cbt=False, **settings)
        with pytest.raises(InvalidCredentialsError):
            without.open_shell()
        without.transport.close_session()
    with WsmanServer(echo, users=USERS, tls=tls) as relaxed:
        # As if a man in the middle had shown the client another certificate.
        relaxed._site.policy = WsmanServer(echo, users=USERS, tls=other)._site.policy
        bound = protocol(relaxed, **settings)
        with pytest.raises(InvalidCredentialsError):
            bound.open_shell()
        bound.transport.close_session()


def test_basic_over_https_for_local_accounts_only(tls: TlsFiles, authority: CertificateAuthority) -> None:
    settings: dict[str, Any] = {"transport": "basic", "ca_trust_path": str(authority.certificate)}
    with WsmanServer(echo, users=USERS, tls=tls, auth={"basic"}) as server:
        assert run(protocol(server, LOCAL_USER, **settings))[0].split(b"|")[2] == b"operator"
        assert actions(server) == ["Create", "Command", "Receive", "Signal", "Delete"]
        for user, password in [(LOCAL_USER, "wrong"), (DOMAIN_USER, USERS[DOMAIN_USER])]:
            refused = protocol(server, user, password, **settings)
            with pytest.raises(InvalidCredentialsError):
                refused.open_shell()
            refused.transport.close_session()


def test_basic_over_http_is_neither_offered_nor_taken() -> None:
    with WsmanServer(echo, users=USERS, auth={"ntlm", "basic"}) as server:
        answer = requests.post(server.endpoint, data=b"x", auth=(LOCAL_USER, USERS[LOCAL_USER]), timeout=5)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Negotiate")
    with WsmanServer(echo, users=USERS, auth={"ntlm", "basic"}, allow_unencrypted=True) as server:
        assert requests.post(server.endpoint, timeout=5).headers["WWW-Authenticate"] == 'Negotiate, Basic realm="WSMAN"'
        assert run(protocol(server, LOCAL_USER, transport="basic"))[2] == 7


def test_client_certificate(tls: TlsFiles, authority: CertificateAuthority, tmp_path: Path) -> None:
    pair, stranger = authority.client(LOCAL_USER), authority.client("stranger")
    settings: dict[str, Any] = {"transport": "certificate", "ca_trust_path": str(authority.certificate)}
    with WsmanServer(echo, users=USERS, tls=tls, auth={"certificate"}) as server:
        good = protocol(server, cert_pem=str(pair.certificate), cert_key_pem=str(pair.key), **settings)
        assert run(good)[0].split(b"|")[2] == b"operator"
        assert {record.auth for record in server.requests} == {"certificate"}
        unknown = protocol(server, cert_pem=str(stranger.certificate), cert_key_pem=str(stranger.key), **settings)
        with pytest.raises(InvalidCredentialsError):
            unknown.open_shell()
        unknown.transport.close_session()


def test_unsealed_message_over_http_is_refused_with_an_empty_500(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        with pytest.raises(WinRMTransportError) as caught:
            open_protocol(server, message_encryption="never").open_shell()
        assert (caught.value.code, caught.value.response_text) == (500, "")
        assert server.open_shells == ()
    with WsmanServer(echo, users=USERS, allow_unencrypted=True) as server:
        assert run(protocol(server, message_encryption="never"))[2] == 7


def test_lost_login_on_a_kept_connection_is_a_400_and_a_new_session_goes_on(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        server.forget_logins()
        with pytest.raises(WinRMTransportError) as caught:
            client.run_command(shell, "whoami")
        assert caught.value.code == 400
        client.transport.close_session()
        key = client.run_command(shell, "whoami")
        assert client.get_command_output(shell, key)[2] == 7


def test_dropped_connection_makes_the_old_seal_unreadable(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        server.drop_connections()
        with pytest.raises((WinRMTransportError, requests.exceptions.ConnectionError)):
            client.run_command(shell, "whoami")
        client.transport.close_session()
        assert client.run_command(shell, "whoami")


def test_envelope_limit_is_a_413(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS, quotas=QUOTAS_2008R2) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        with pytest.raises(WinRMTransportError) as caught:
            client.run_command(shell, "x" * 160_000)
        assert caught.value.code == 413
    with WsmanServer(echo, users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        assert client.run_command(shell, "x" * 160_000)


def test_shell_quota(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS, quotas=QUOTAS_2008R2) as server:
        client = open_protocol(server)
        shells = [client.open_shell() for _ in range(5)]
        with pytest.raises(WSManFaultError) as caught:
            client.open_shell()
        assert caught.value.wsman_fault_code == 2150859173
        assert "maximum number of 5 concurrent shells" in str(caught.value)
        assert open_protocol(server, LOCAL_USER).open_shell(), "the quota is per account"
        client.close_shell(shells[0], close_session=False)
        assert client.open_shell()


def test_quota_fault_in_its_other_shape(open_protocol: Opener) -> None:
    quotas = Quotas(max_shells_per_user=0)
    with WsmanServer(echo, users=USERS, quotas=quotas, wmi_quota_faults=True) as server:
        with pytest.raises(WSManFaultError) as caught:
            open_protocol(server).open_shell()
        assert (caught.value.wsman_fault_code, caught.value.wmierror_code) == (None, 2150859173)


def test_operations_quota_counts_commands_that_nobody_ended(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS, quotas=Quotas(max_operations_per_user=2)) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        keys = [client.run_command(shell, "one"), client.run_command(shell, "two")]
        with pytest.raises(WSManFaultError) as caught:
            client.run_command(shell, "three")
        assert caught.value.wsman_fault_code == 2150859174
        client.cleanup_command(shell, keys[0])
        assert client.run_command(shell, "three")


def test_commands_per_shell_quota(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS, quotas=Quotas(max_processes_per_shell=1)) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        key = client.run_command(shell, "one")
        client.get_command_output(shell, key)
        with pytest.raises(WSManFaultError, match="commands per shell"):
            client.run_command(shell, "two")
        client.cleanup_command(shell, key)
        assert client.run_command(shell, "two")


def test_operation_timeout_is_a_fault_and_the_output_comes_later(open_protocol: Opener) -> None:
    go = threading.Event()

    def slow(request: ProcessRequest) -> ProcessOutput:
        go.wait(10)
        return echo(request)

    with WsmanServer(slow, users=USERS) as server:
        client = open_protocol(server, operation_timeout_sec=1)
        shell = client.open_shell()
        key = client.run_command(shell, "late")
        began = time.monotonic()
        with pytest.raises(WinRMOperationTimeoutError):
            client.get_command_output_raw(shell, key)
        assert 0.9 < time.monotonic() - began < 3
        assert server.requests[-1].status == 500
        go.set()
        assert client.get_command_output(shell, key)[0].startswith(b"late|")


def test_unknown_shell_and_unknown_command(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        nowhere = str(uuid.uuid4())
        for call in (
            lambda: client.run_command(nowhere, "whoami"),
            lambda: client.get_command_output_raw(shell, nowhere),
            lambda: client.close_shell(nowhere, close_session=False),
        ):
            with pytest.raises(WSManFaultError) as caught:
                call()
            assert (caught.value.wsman_fault_code, caught.value.fault_subcode) == (2150858843, "w:InvalidSelectors")


def test_large_output_comes_in_envelopes_and_reassembles_to_the_byte(open_protocol: Opener) -> None:
    stdout, stderr = os.urandom(700_001), os.urandom(50_003)
    with WsmanServer(lambda _: ProcessOutput(stdout, stderr, 0), users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        key = client.run_command(shell, "flood")
        out = client.get_command_output(shell, key)
        assert hashlib.sha256(out[0]).digest() == hashlib.sha256(stdout).digest()
        assert (out[1], out[2]) == (stderr, 0)
        receives = [record for record in server.requests if record.action == "Receive"]
        assert len(receives) == 7
        assert all(record.response_bytes <= 153_600 for record in receives)


def test_streams_states_and_ends_look_as_windows_writes_them(
    open_protocol: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WsmanServer(lambda _: ProcessOutput(b"o" * 200_000, b"e", 3), users=USERS) as server:
        client = open_protocol(server)
        seen: list[ET.Element] = []
        send = client.transport.send_message

        def spy(message: str | bytes) -> bytes:
            answer: bytes = send(message)
            seen.append(ET.fromstring(answer))  # noqa: S314 - our own server wrote it
            return answer

        monkeypatch.setattr(client.transport, "send_message", spy)
        shell = client.open_shell()
        key = client.run_command(shell, "both")
        client.get_command_output(shell, key)
    first, last = seen[-2:]
    assert len(first.findall(f".//{{{SHELL}}}Stream")) > 1, "one write, several streams"
    state = first.find(f".//{{{SHELL}}}CommandState")
    assert state is not None
    assert (state.get("State", "").rpartition("/")[2], len(state)) == ("Running", 0)
    ends = [(e.get("Name"), e.text) for e in last.iterfind(f".//{{{SHELL}}}Stream") if e.get("End") == "true"]
    assert ends == [("stdout", None), ("stderr", None)]
    assert last.findtext(f".//{{{SHELL}}}CommandState/{{{SHELL}}}ExitCode") == "3"


def test_late_end_tells_the_exit_code_in_an_answer_of_its_own(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS, late_end=True) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        key = client.run_command(shell, "whoami")
        assert client.get_command_output_raw(shell, key)[2:] == (-1, False)
        assert client.get_command_output_raw(shell, key) == (b"", b"", 7, True)


def test_stdin_arrives_whole_and_a_reader_waits_for_its_end(open_protocol: Opener) -> None:
    def sort(request: ProcessRequest) -> ProcessOutput:
        if not request.stdin_closed:
            raise WaitsForInputError
        return ProcessOutput(b"".join(sorted(request.stdin.splitlines(keepends=True))))

    with WsmanServer(sort, users=USERS) as server:
        client = open_protocol(server, operation_timeout_sec=1)
        shell = client.open_shell()
        key = client.run_command(shell, "sort", console_mode_stdin=False)
        client.send_command_input(shell, key, b"b\r\n")
        with pytest.raises(WinRMOperationTimeoutError):
            client.get_command_output_raw(shell, key)
        client.send_command_input(shell, key, b"a\r\n", end=True)
        assert client.get_command_output(shell, key)[0] == b"a\r\nb\r\n"
        with pytest.raises(WSManFaultError, match="pipe has been ended"):
            client.send_command_input(shell, key, b"more")


def test_signal_and_delete_end_what_runs(open_protocol: Opener) -> None:
    gone = threading.Event()

    def endless(_: ProcessRequest) -> ProcessOutput:
        gone.wait(3)
        return ProcessOutput(b"never seen")

    with WsmanServer(endless, users=USERS) as server, ThreadPoolExecutor(1) as pool:
        client, other = open_protocol(server), open_protocol(server)
        shell = client.open_shell()
        key = client.run_command(shell, "ping -t")
        waiting = pool.submit(other.get_command_output_raw, shell, key)
        time.sleep(0.2)
        client.close_shell(shell, close_session=False)
        with pytest.raises(WSManFaultError) as caught:
            waiting.result(5)
        assert caught.value.wsman_fault_code == 995
        assert server.open_shells == ()
        gone.set()


def test_sixteen_clients_at_once() -> None:
    def one(number: int) -> bytes:
        return run(protocol(server), f"client {number}")[0].split(b"|")[0]

    with WsmanServer(echo, users=USERS) as server, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(48))) == [f"client {number}".encode() for number in range(48)]
        assert server.connections == 48
        assert server.open_shells == ()


def test_stop_leaves_no_thread_and_no_socket_even_with_clients_hanging(open_protocol: Opener) -> None:
    before = set(threading.enumerate())
    never = threading.Event()
    server = WsmanServer(lambda _: ProcessOutput(b"", exit_code=int(never.wait(1))), users=USERS)
    server.start()
    client = open_protocol(server)
    shell = client.open_shell()
    key = client.run_command(shell, "hang")
    idle = socket.create_connection(("127.0.0.1", server.port))
    errors: list[Exception] = []

    def receive() -> None:
        try:
            client.get_command_output_raw(shell, key)
        except (WSManFaultError, requests.exceptions.RequestException, WinRMTransportError) as error:
            errors.append(error)

    receiver = threading.Thread(target=receive)
    receiver.start()
    time.sleep(0.2)
    server.stop()
    server.stop()
    receiver.join(5)
    idle.close()
    assert set(threading.enumerate()) <= before
    assert len(errors) == 1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_only_loopback_is_served() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        WsmanServer(echo, users=USERS, host="0.0.0.0")  # noqa: S104 - that it is refused is the point


class Raw:
    """Bare requests in the clear, against a server that allows it."""

    def __init__(self, server: WsmanServer) -> None:
        self._server = server

    def post(self, body: bytes | str) -> requests.Response:
        data = body.encode() if isinstance(body, str) else body
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8"}
        auth = (LOCAL_USER, USERS[LOCAL_USER])
        return requests.post(self._server.endpoint, data=data, headers=headers, auth=auth, timeout=10)

    def fault(self, body: bytes | str) -> tuple[int, str, str]:
        """Fault code, subcode (or code) and RelatesTo."""
        answer = self.post(body)
        assert answer.status_code == 500
        root = ET.fromstring(answer.content)  # noqa: S314 - our own server wrote it
        codes = [e.text or "" for e in root.iter("{http://www.w3.org/2003/05/soap-envelope}Value")]
        found = next(root.iter("{http://schemas.microsoft.com/wbem/wsman/1/wsmanfault}WSManFault"))
        relates = root.findtext(".//{http://schemas.xmlsoap.org/ws/2004/08/addressing}RelatesTo") or ""
        return int(found.get("Code", "0")), codes[-1], relates


@pytest.fixture
def raw() -> Iterator[Raw]:
    with WsmanServer(echo, users=USERS, auth={"basic"}, allow_unencrypted=True) as server:
        yield Raw(server)


MESSAGE_ID = "uuid:6f1b2c3d-0000-4000-8000-123456789abc"


def envelope(change: Callable[[str], str] = lambda text: text) -> str:
    return change(f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
        xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
        xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="{SHELL}">
      <s:Header><a:To>http://somewhere:5985/wsman</a:To><a:MessageID>{MESSAGE_ID}</a:MessageID>
        <a:Action s:mustUnderstand="true">{TRANSFER}/Create</a:Action>
        <w:ResourceURI s:mustUnderstand="true">{SHELL}/cmd</w:ResourceURI>
        <w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize><w:OperationTimeout>PT60.000S</w:OperationTimeout>
        <w:OptionSet><w:Option Name="WINRS_CODEPAGE">437</w:Option></w:OptionSet></s:Header>
      <s:Body><rsp:Shell><rsp:IdleTimeOut>PT60S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>
        <rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell></s:Body></s:Envelope>""")


def test_a_handwritten_create_is_answered(raw: Raw) -> None:
    answer = raw.post(envelope())
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/soap+xml;charset=UTF-8")
    assert MESSAGE_ID in answer.text
    assert re.search(r'<w:Selector Name="ShellId">[0-9A-F-]{36}</w:Selector>', answer.text)


@pytest.mark.parametrize(
    ("old", "new", "code", "subcode"),
    [
        (f"{TRANSFER}/Create", f"{TRANSFER}/Invent", 2150858753, "a:ActionNotSupported"),
        (f"{TRANSFER}/Create", "", 2150858769, "a:MessageInformationHeaderRequired"),
        ("<a:To>http://somewhere:5985/wsman</a:To>", "", 2150858769, "a:MessageInformationHeaderRequired"),
        (f"<a:MessageID>{MESSAGE_ID}</a:MessageID>", "", 2150858769, "a:MessageInformationHeaderRequired"),
        (MESSAGE_ID, "number one", 2150858767, "a:InvalidMessageInformationHeader"),
        (f"{SHELL}/cmd", f"{SHELL}/bash", 2150858754, "a:DestinationUnreachable"),
        ("PT60S", "60", 2150858817, "w:SchemaValidationError"),
        ("PT60S", "PT", 2150858817, "w:SchemaValidationError"),
        ("PT60.000S", "60", 2150858881, "w:InvalidTimeout"),
        (">437<", ">utf-8<", 2150858835, "w:InvalidOptions"),
        ("stdout stderr", "stdout stdlog", 2150858849 + 300, "w:InvalidParameter"),
        (">153600<", ">4096<", 2150858878, "w:EncodingLimit"),
        (">153600<", ">9999999<", 2150858823, "w:EncodingLimit"),
        ("<a:To>", '<a:Vital s:mustUnderstand="true"/><a:To>', 2150858768, "s:MustUnderstand"),
        ("rsp:Shell>", "rsp:Snail>", 2150858817, "w:SchemaValidationError"),
    ],
)
def test_what_windows_faults(raw: Raw, old: str, new: str, code: int, subcode: str) -> None:
    changed = envelope(lambda text: text.replace(old, new))
    assert changed != envelope()
    relates = MESSAGE_ID if MESSAGE_ID in changed else ("number one" if "number one" in changed else "")
    assert raw.fault(changed) == (code, subcode, relates)


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"<s:Envelope",
        b"<Envelope/>",
        b'<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>',
        envelope(lambda text: text.replace("<s:Header>", "<s:Header>\x01")).encode(),
    ],
)
def test_malformed_xml_is_a_400_without_a_fault(raw: Raw, body: bytes) -> None:
    answer = raw.post(body)
    assert answer.status_code == 400
    assert b"Fault" not in answer.content


def test_http_refusals() -> None:
    with WsmanServer(echo, users=USERS) as server:
        plain = requests.post(server.endpoint, data=b"x", timeout=5)
        assert (plain.status_code, plain.headers["WWW-Authenticate"], plain.content) == (401, "Negotiate", b"")
        assert requests.post(server.endpoint.replace("/wsman", "/other"), timeout=5).status_code == 404
        assert requests.get(server.endpoint, timeout=5).status_code == 405
        broken = requests.post(server.endpoint, headers={"Authorization": "Negotiate !!!"}, timeout=5)
        assert broken.status_code == 401
        sealed = {"Content-Type": 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'}
        auth = HttpNtlmAuth(DOMAIN_USER, USERS[DOMAIN_USER])
        assert requests.post(server.endpoint, data=b"x", headers=sealed, auth=auth, timeout=5).status_code == 400
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as bare:
            bare.sendall(b"what is this\r\n\r\n")
            assert bare.recv(100).startswith(b"HTTP/1.1 400")


def test_a_client_that_speaks_no_tls_harms_nobody(tls: TlsFiles, authority: CertificateAuthority) -> None:
    with WsmanServer(echo, users=USERS, tls=tls) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as bare:
            bare.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert bare.recv(100)[:1] != b"H"
        assert run(protocol(server, ca_trust_path=str(authority.certificate)))[2] == 7
        with ssl.create_default_context(cafile=str(authority.certificate)).wrap_socket(
            socket.create_connection(("127.0.0.1", server.port), timeout=5), server_hostname="127.0.0.1"
        ) as secured:
            assert secured.version() == "TLSv1.3"


def faulty(fault: WsmanFault, **more: Any) -> WsmanServer:
    return WsmanServer(lambda _: ProcessOutput(b"0123456789" * 2000), users=USERS, faults={fault}, **more)


def test_fault_refuse() -> None:
    with faulty(WsmanFault.REFUSE) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


@pytest.mark.parametrize("fault", [WsmanFault.SILENT, WsmanFault.DRIBBLE])
def test_faults_that_never_answer(fault: WsmanFault) -> None:
    with faulty(fault, dribble_interval_s=0.05) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=0.4) as bare:
            bare.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            came = b""
            with pytest.raises(TimeoutError):
                came = _read_for(bare, 0.4)
            assert came == b""
        began = time.monotonic()
    assert time.monotonic() - began < 2, "stop does not wait for the silent connection"


def _read_for(bare: socket.socket, seconds: float) -> bytes:
    deadline, came = time.monotonic() + seconds, b""
    while time.monotonic() < deadline:
        piece = bare.recv(100)
        assert len(piece) == 1, "a dribble is one byte at a time"
        came += piece
    assert 3 < len(came) < 20
    raise TimeoutError


@pytest.mark.parametrize("fault", [WsmanFault.HANG_ON_RECEIVE, WsmanFault.DRIBBLE_ON_RECEIVE, WsmanFault.CUT])
def test_faults_at_the_output(fault: WsmanFault, open_protocol: Opener) -> None:
    with faulty(fault, dribble_interval_s=0.1) as server:
        client = open_protocol(server, operation_timeout_sec=1, read_timeout_sec=2)
        shell = client.open_shell()
        key = client.run_command(shell, "whoami")
        began = time.monotonic()
        if fault is WsmanFault.DRIBBLE_ON_RECEIVE:
            threading.Timer(1.5, server.stop).start()
        with pytest.raises(requests.exceptions.RequestException) as caught:
            client.get_command_output_raw(shell, key)
        took = time.monotonic() - began
        if fault is WsmanFault.CUT:
            assert took < 1
            assert not isinstance(caught.value, requests.exceptions.Timeout)
        else:
            assert took > 1.4


def test_fault_garbage_html_empty_and_not_found(open_protocol: Opener) -> None:
    with faulty(WsmanFault.GARBAGE) as server, pytest.raises(requests.exceptions.ConnectionError):
        requests.post(server.endpoint, timeout=5)
    with faulty(WsmanFault.HTML) as server:
        page = requests.post(server.endpoint, timeout=5)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
    with faulty(WsmanFault.EMPTY) as server:
        empty = requests.post(server.endpoint, timeout=5)
        assert (empty.status_code, empty.content) == (200, b"")
    with faulty(WsmanFault.NOT_FOUND) as server:
        assert requests.post(server.endpoint, timeout=5).status_code == 404


def test_fault_truncated_and_babble() -> None:
    with faulty(WsmanFault.TRUNCATED) as server:
        assert run(protocol(server)) == (b"0123456789" * 1000, b"", 0)
    with faulty(WsmanFault.BABBLE, babble_bytes=3_000_000) as server:
        assert len(run(protocol(server))[0]) == 3_000_000


@pytest.mark.parametrize(("fault", "code"), [(WsmanFault.QUOTA, 2150859173), (WsmanFault.ACCESS_DENIED, 5)])
def test_faults_at_create(fault: WsmanFault, code: int, open_protocol: Opener) -> None:
    with faulty(fault) as server:
        with pytest.raises(WSManFaultError) as caught:
            open_protocol(server).open_shell()
        assert caught.value.wsman_fault_code == code


def test_fault_slow_gives_operation_timeouts_first(open_protocol: Opener) -> None:
    with faulty(WsmanFault.SLOW, slow_s=1.5) as server:
        client = open_protocol(server)
        shell = client.open_shell()
        key = client.run_command(shell, "whoami")
        with pytest.raises(WinRMOperationTimeoutError):
            client.get_command_output_raw(shell, key)
        assert client.get_command_output_raw(shell, key)[3]


def test_an_idle_shell_is_closed_by_its_own_timeout(open_protocol: Opener) -> None:
    with WsmanServer(echo, users=USERS) as server:
        client = open_protocol(server)
        shell = client.open_shell(idle_timeout="PT0.2S")
        time.sleep(0.4)
        with pytest.raises(WSManFaultError) as caught:
            client.run_command(shell, "whoami")
        assert caught.value.wsman_fault_code == 2150858843
        assert server.open_shells == ()

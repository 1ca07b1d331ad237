"""Conversations with a WS-Man server that speaks the real protocol: what they cost, what they bear, what they leave."""

from __future__ import annotations

import base64
import random
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import pytest

from scanner.clock import now_s
from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.lab.machines.windows import powershell_process
from scanner.lab.servers.certificates import CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.host import ShellHost
from scanner.lab.servers.wsman.server import QUOTAS_2008R2, ProcessOutput, ProcessRequest, WsmanFault, WsmanServer
from scanner.transports.deadline import Deadline, end_all
from scanner.transports.powershell.script_delivery import ENVELOPE_BYTES, deliver
from scanner.transports.winrm import transport as transport_module
from scanner.transports.winrm.transport import WinrmTransport

Serve = Callable[..., WsmanServer]
Door = Callable[..., WinrmTransport]

SMALL = "Get-Date"
_LETTERS = random.Random(7)
LARGE = "\n".join(f"$v{n} = '{''.join(_LETTERS.choices(string.ascii_letters, k=40))}'" for n in range(1500))


def answer(output: bytes, errors: bytes = b"", code: int = 0) -> Callable[[ProcessRequest], ProcessOutput]:
    return lambda _: ProcessOutput(output, errors, code)


@pytest.mark.parametrize("script", [SMALL, LARGE], ids=["command line", "environment"])
def test_ntlm_over_http_is_sealed_and_takes_seven_requests_whatever_the_size(
    serve: Serve, door: Door, script: str
) -> None:
    server = serve()
    transport = door(server)
    assert transport.run(script).decode() == script
    transport.close()
    assert (transport.usage.connections, transport.usage.commands, transport.usage.requests) == (1, 1, 7)
    assert [record.action for record in server.requests] == ["", "", "", "Create", "Command", "Receive", "Delete"]
    assert all(record.sealed for record in server.requests if record.action)
    assert server.connections == 1
    assert server.open_shells == ()


@pytest.mark.parametrize("script", [SMALL, LARGE], ids=["command line", "environment"])
def test_ntlm_over_https_sends_nothing_twice(serve: Serve, door: Door, tls: TlsFiles, script: str) -> None:
    server = serve(tls=tls, hardening="strict")
    transport = door(server)
    assert transport.run(script).decode() == script
    transport.close()
    assert (transport.usage.connections, transport.usage.requests, server.connections) == (1, 7, 1)
    assert [record.action for record in server.requests].count("Create") == 1
    assert server.open_shells == ()


@pytest.mark.parametrize("script", [SMALL, LARGE], ids=["command line", "environment"])
def test_basic_over_https_takes_four_requests(serve: Serve, door: Door, tls: TlsFiles, script: str) -> None:
    server = serve(tls=tls, auth={"basic"})
    transport = door(server, auth="basic", user="operator")
    assert transport.run(script).decode() == script
    transport.close()
    assert [record.action for record in server.requests] == ["Create", "Command", "Receive", "Delete"]
    assert (transport.usage.connections, transport.usage.requests) == (1, 4)
    assert server.open_shells == ()


def test_a_client_certificate_takes_four_requests(
    serve: Serve, door: Door, tls: TlsFiles, authority: CertificateAuthority
) -> None:
    server = serve(tls=tls, auth={"certificate"})
    pair = authority.client("operator")
    transport = door(server, auth="certificate", user="", cert_file=str(pair.certificate), key_file=str(pair.key))
    assert transport.run(SMALL) == SMALL.encode()
    transport.close()
    assert (transport.usage.connections, transport.usage.requests) == (1, 4)
    assert {record.user for record in server.requests} == {"operator"}


def test_standard_input_costs_one_more_request(serve: Serve, door: Door) -> None:
    server = serve()
    transport = door(server, delivery="stdin")
    assert transport.run(LARGE).decode() == LARGE
    transport.close()
    assert transport.usage.requests == 8
    assert server.open_shells == ()


def test_standard_input_beyond_one_envelope_is_sent_in_parts(serve: Serve, door: Door) -> None:
    server = serve(quotas=QUOTAS_2008R2)
    script = LARGE * 4
    transport = door(server, delivery="stdin")
    assert transport.run(script).decode() == script
    assert [record.action for record in server.requests].count("Send") == -(-len(script) // (96 * 1024))


def test_the_oldest_windows_takes_it_too(serve: Serve, door: Door) -> None:
    server = serve(quotas=QUOTAS_2008R2)
    assert door(server).run(LARGE).decode() == LARGE


def test_what_fits_no_envelope_is_refused_before_anything_is_sent(serve: Serve, door: Door) -> None:
    server = serve(quotas=QUOTAS_2008R2)
    dense = script_of(400_000)
    with pytest.raises(
        RefusedError, match=r"one message of (\d+) kB, and WinRM takes 150 kB .*nothing was sent"
    ) as caught:
        door(server).run(dense)
    assert 'delivery = "stdin"' in caught.value.hint
    assert (server.requests, server.connections) == ((), 0)
    # A secret that is handed over beside it counts as well.
    with pytest.raises(RefusedError, match=r"one message of 15[0-9] kB"):
        door(server).run(SMALL, {"PREFLIGHT_SECRET": "x" * 150_000})
    assert server.connections == 0
    assert door(server, delivery="stdin").run(dense).decode() == dense


def test_the_largest_that_is_sent_fits_the_oldest_windows(serve: Serve, door: Door) -> None:
    # The estimate must not lag behind what is really sent: 150 kB exactly are too many.
    size = next(
        size for size in range(190_000, 120_000, -1_000) if deliver(script_of(size)).creation_bytes <= ENVELOPE_BYTES
    )
    server = serve(quotas=QUOTAS_2008R2)
    assert door(server).run(script_of(size)).decode() == script_of(size)
    (creation,) = [record for record in server.requests if record.action == "Create"]
    assert ENVELOPE_BYTES - 8 * 1024 < creation.request_bytes <= ENVELOPE_BYTES


def script_of(size: int) -> str:
    """As hard to compress as letters can be."""
    letters = random.Random(size)
    return "\n".join("".join(letters.choices(string.printable[:94], k=70)) for _ in range(size // 71))


def test_output_of_many_envelopes_arrives_whole(serve: Serve, door: Door) -> None:
    output = random.Random(3).randbytes(400_000)
    assert door(serve(answer(output))).run(SMALL) == output


def test_operation_timeouts_are_waited_out(serve: Serve, door: Door) -> None:
    server = serve(faults={WsmanFault.SLOW}, slow_s=2.3)
    transport = door(server, timeout_s=8)
    assert transport.run(SMALL) == SMALL.encode()
    transport.close()
    assert [record.status for record in server.requests if record.action == "Receive"] == [500, 500, 200]
    assert server.open_shells == ()


def test_an_exit_code_that_comes_late_is_waited_for(serve: Serve, door: Door) -> None:
    assert door(serve(late_end=True)).run(SMALL) == SMALL.encode()


@pytest.mark.parametrize(
    ("auth", "user", "hint"),
    [("ntlm", "CORP\\svc-preflight", "Restrict NTLM"), ("ntlm", "operator", "LocalAccountTokenFilterPolicy")],
)
def test_a_wrong_password_is_told_with_what_else_it_may_be(
    serve: Serve, door: Door, auth: str, user: str, hint: str
) -> None:
    server = serve()
    transport = door(server, auth=auth, user=user, password="wr0ng-canary")
    with pytest.raises(AuthenticationError, match="rejects the ntlm login of") as caught:
        transport.run(SMALL)
    assert "check `user` and the password" in caught.value.hint
    assert hint in caught.value.hint
    assert "wr0ng-canary" not in f"{caught.value!r} {caught.value} {caught.value.hint}"
    # One attempt; two more messages ask for the names behind the address, and prove nothing.
    assert transport.usage.requests == 5


def test_a_wrong_password_with_basic(serve: Serve, door: Door, tls: TlsFiles) -> None:
    server = serve(tls=tls, auth={"basic"})
    with pytest.raises(AuthenticationError, match="rejects the basic login of operator"):
        door(server, auth="basic", user="operator", password="wrong").run(SMALL)


def test_a_login_that_is_not_offered_is_said(serve: Serve, door: Door, tls: TlsFiles) -> None:
    with pytest.raises(AuthenticationError, match=r"does not offer basic logins .*Negotiate"):
        door(serve(tls=tls), auth="basic", user="operator").run(SMALL)
    with pytest.raises(AuthenticationError, match=r"does not offer ntlm logins .*Basic"):
        door(serve(tls=tls, auth={"basic"})).run(SMALL)


def test_an_untrusted_certificate_gets_no_request(serve: Serve, door: Door, tls: TlsFiles) -> None:
    server = serve(tls=tls)
    transport = door(server, ca_file="")
    with pytest.raises(UntrustedPeerError, match="not trusted: self-signed certificate in certificate chain") as caught:
        transport.run(SMALL)
    assert "ca_file" in caught.value.hint
    assert server.requests == ()


def test_a_certificate_for_another_name_is_said(serve: Serve, door: Door, authority: CertificateAuthority) -> None:
    server = serve(tls=authority.server("elsewhere", hosts=("elsewhere.example",)))
    with pytest.raises(UntrustedPeerError, match=r"not made out to 127\.0\.0\.1") as caught:
        door(server).run(SMALL)
    assert "`host`" in caught.value.hint
    assert server.requests == ()


def test_verification_can_be_switched_off(serve: Serve, door: Door, authority: CertificateAuthority) -> None:
    server = serve(tls=authority.server("elsewhere", hosts=("elsewhere.example",)))
    assert door(server, ca_file="", verify=False).run(SMALL) == SMALL.encode()


def test_files_that_cannot_be_used_are_named(serve: Serve, door: Door, tls: TlsFiles) -> None:
    server = serve(tls=tls)
    with pytest.raises(UntrustedPeerError, match=r"ca_file /nonexistent\.pem cannot be used"):
        door(server, ca_file="/nonexistent.pem").run(SMALL)
    with pytest.raises(AuthenticationError, match=r"client certificate /nonexistent\.pem"):
        door(server, auth="certificate", cert_file="/nonexistent.pem", key_file="/nonexistent.key").run(SMALL)
    assert server.connections == 0


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
def test_credssp_logs_in_and_seals_in_parts(serve: Serve, door: Door, tls: TlsFiles, secured: bool) -> None:
    server = serve(auth={"credssp"}, tls=tls if secured else None)
    transport = door(server, auth="credssp")
    assert transport.run(LARGE).decode() == LARGE
    transport.close()
    assert transport.usage.connections == 1
    assert [record.action for record in server.requests if record.action] == ["Create", "Command", "Receive", "Delete"]
    assert all(record.sealed for record in server.requests if record.action)
    assert server.open_shells == ()


def test_credssp_says_with_windows_number_why_not(serve: Serve, door: Door) -> None:
    server = serve(auth={"credssp"})
    with pytest.raises(AuthenticationError, match=r"user name or password is wrong \(SEC_E_LOGON_DENIED\)") as caught:
        door(server, auth="credssp", password="wr0ng-canary").run(SMALL)
    assert "lock the account" in caught.value.hint
    assert "wr0ng-canary" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(AuthenticationError, match="does not offer credssp logins") as caught:
        door(serve(), auth="credssp").run(SMALL)
    assert "Enable-WSManCredSSP" in caught.value.hint


@pytest.mark.parametrize("auth", ["ntlm", "credssp"])
@pytest.mark.parametrize("password", [None, "wrong"])
@pytest.mark.parametrize("fault", [WsmanFault.LOGIN_CUT, WsmanFault.LOGIN_UNANSWERED, WsmanFault.LOGIN_FORGOTTEN])
def test_a_login_that_somebody_breaks_is_no_wrong_password(
    serve: Serve, door: Door, auth: str, password: str | None, fault: WsmanFault
) -> None:
    server = serve(auth={auth}, faults={fault})
    transport = door(server, auth=auth, password=password)
    with pytest.raises(NodeError) as caught:
        transport.run(SMALL)
    told = f"{caught.value} {caught.value.hint}"
    if password is not None and fault is not WsmanFault.LOGIN_UNANSWERED:
        # Refused before anybody breaks it.
        assert isinstance(caught.value, AuthenticationError)
        return
    assert not isinstance(caught.value, AuthenticationError)
    assert "check `user`" not in told
    assert "load balancer" in told
    # Never tried again, on no other connection.
    assert transport.usage.connections == 1


def test_a_missing_package_is_named_before_anything_is_sent(
    serve: Serve, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scanner.transports.winrm.authentication import kerberos

    monkeypatch.setattr(kerberos, "available", lambda: False)
    server = serve()
    with pytest.raises(AuthenticationError, match="not installed") as caught:
        door(server, auth="kerberos").run(SMALL)
    assert "preflight-scanner[kerberos]" in caught.value.hint
    assert server.connections == 0


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (WsmanFault.CUT, ConnectionLostError, "mid-conversation"),
        (WsmanFault.GARBAGE, ProtocolError, "does not speak HTTP"),
        (WsmanFault.HTML, ProtocolError, r"a web page .*\"Welcome\".*is it WinRM"),
        (WsmanFault.EMPTY, ProtocolError, "is it WinRM"),
        (WsmanFault.NOT_FOUND, ProtocolError, "nothing serves /wsman"),
        (WsmanFault.QUOTA, RefusedError, "as many WinRM shells"),
        (WsmanFault.ACCESS_DENIED, RefusedError, "access is denied"),
        (WsmanFault.REFUSE, UnreachableError, "refuses connections"),
    ],
)
def test_each_fault_has_its_own_words(
    serve: Serve, door: Door, fault: WsmanFault, error: type[NodeError], message: str
) -> None:
    server = serve(faults={fault})
    transport = door(server)
    with pytest.raises(error, match=message) as caught:
        transport.run(SMALL)
    transport.close()
    assert str(caught.value).isprintable()
    assert server.open_shells == ()


def test_the_other_shape_of_quota_faults_is_understood(serve: Serve, door: Door) -> None:
    with pytest.raises(RefusedError, match="as many WinRM shells") as caught:
        door(serve(faults={WsmanFault.QUOTA}, wmi_quota_faults=True)).run(SMALL)
    assert "MaxShellsPerUser" in caught.value.hint


@pytest.mark.parametrize(
    "fault", [WsmanFault.SILENT, WsmanFault.HANG_ON_RECEIVE, WsmanFault.DRIBBLE, WsmanFault.DRIBBLE_ON_RECEIVE]
)
def test_nobody_holds_us_longer_than_the_deadline(serve: Serve, door: Door, fault: WsmanFault) -> None:
    server = serve(faults={fault}, dribble_interval_s=0.1)
    transport = door(server, timeout_s=1.2)
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"no full answer within 1\.2 s"):
        transport.run(SMALL)
    # For ever otherwise; a loaded machine may be slow.
    assert 1.1 < time.monotonic() - started < 15
    transport.close()
    assert server.open_shells == ()


def test_what_came_before_the_deadline_is_kept(serve: Serve, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    from scanner.transports.winrm.exchange.channel import Channel

    answers = iter([b"first frame", b", second frame"])
    original = Channel.send_message

    def answered(self: Channel, message: str) -> bytes:
        come = next(answers, None) if "/shell/Receive<" in message else None
        if come is None:
            return original(self, message)
        return b'<a><Stream Name="stdout">%s</Stream></a>' % base64.b64encode(come)

    monkeypatch.setattr(Channel, "send_message", answered)
    server = serve(faults={WsmanFault.HANG_ON_RECEIVE})
    with pytest.raises(DeadlineError) as caught:
        door(server, timeout_s=1).run(SMALL)
    assert caught.value.partial == b"first frame, second frame"


def test_fifty_megabytes_end_at_the_cap(serve: Serve, door: Door) -> None:
    server = serve(faults={WsmanFault.BABBLE})
    transport = door(server, answer_bytes=500_000)
    started = time.monotonic()
    with pytest.raises(AnswerTooLargeError, match="more output than 500000 bytes") as caught:
        transport.run(SMALL)
    assert time.monotonic() - started < 15
    assert len(caught.value.partial) == 500_000
    transport.close()
    assert transport.usage.connections == 1
    assert server.open_shells == ()


def test_a_shell_is_deleted_after_a_cut_connection(serve: Serve, door: Door) -> None:
    server = serve(faults={WsmanFault.CUT})
    transport = door(server)
    with pytest.raises(ConnectionLostError):
        transport.run(SMALL)
    left = list(server.open_shells)
    transport.close()
    assert (len(left), len(server.open_shells)) == (1, 0)
    assert transport.usage.connections == 2


def test_closing_is_bounded_silent_and_may_happen_twice(
    serve: Serve, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scanner.transports.winrm.transport

    monkeypatch.setattr(scanner.transports.winrm.transport, "_FAREWELL_S", 0.5)
    stuck = threading.Event()
    server = serve()
    transport = door(server)
    transport.run(SMALL)

    def handle(*_: object) -> bytes:
        stuck.wait(3)
        raise ConnectionResetError

    monkeypatch.setattr(server._site.host, "handle", handle)
    started = time.monotonic()
    transport.close()
    transport.close()
    stuck.set()
    assert time.monotonic() - started < 2.5


def test_a_transport_that_never_ran_closes(door: Door) -> None:
    transport = door(1)
    transport.close()
    assert transport.usage.connections == 0


def test_constrained_language_is_refused_in_plain_words(serve: Serve, door: Door) -> None:
    server = serve(
        lambda request: powershell_process.run(request, lambda _: ProcessOutput(b""), constrained_language=True)
    )
    for delivery in ("auto", "stdin"):
        with pytest.raises(RefusedError, match="Constrained Language Mode") as caught:
            door(server, delivery=delivery).run(SMALL)
        assert "AppLocker" in caught.value.hint


def test_a_failing_powershell_says_why(serve: Serve, door: Door) -> None:
    clixml = (
        b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        b'<Obj S="progress" RefId="0"><TN RefId="0"><T>x</T></TN></Obj>'
        b'<S S="Error">Cannot find drive. _x000D__x000A_</S><S S="Error">At line:1_x000D__x000A_</S></Objs>'
    )
    with pytest.raises(RefusedError, match=r"^PowerShell ended with exit code 1: Cannot find drive\.$") as caught:
        door(serve(answer(b"half", clixml, 1))).run(SMALL)
    assert caught.value.partial == b"half"
    with pytest.raises(RefusedError, match=r"'powershell\.exe' is not recognized"):
        door(serve(answer(b"", b"'powershell.exe' is not recognized as an internal command\r\n", 1))).run(SMALL)
    with pytest.raises(ProtocolError, match="PowerShell printed nothing and gave no reason"):
        door(serve(answer(b"\r\n"))).run(SMALL)


def test_an_exit_code_needs_no_second_login_to_leave(serve: Serve, door: Door) -> None:
    server = serve(answer(b"", b"no", 3))
    transport = door(server)
    with pytest.raises(RefusedError, match="exit code 3: no"):
        transport.run(SMALL)
    transport.close()
    assert (transport.usage.connections, transport.usage.requests) == (1, 7)
    assert server.open_shells == ()


def test_a_connection_dropped_while_waiting_for_the_gate_is_dialled_again(serve: Serve, door: Door) -> None:
    server = serve()

    @contextmanager
    def gate() -> Iterator[None]:
        while not server._connections:
            time.sleep(0.01)
        server.drop_connections()
        time.sleep(0.1)
        yield

    transport = door(server, gate=gate())
    assert transport.run(SMALL) == SMALL.encode()
    assert transport.usage.connections == 2


def test_a_forgotten_login_is_not_taken_for_an_answer(serve: Serve, door: Door) -> None:
    def forgetful(request: ProcessRequest) -> ProcessOutput:
        server.forget_logins()
        return ProcessOutput(b"too late")

    server = serve(forgetful, late_end=True)
    transport = door(server)
    with pytest.raises(ConnectionLostError, match="no longer knows the login"):
        transport.run(SMALL)
    transport.close()
    assert server.open_shells == ()


def test_a_dropped_connection_is_not_taken_up_again(serve: Serve, door: Door) -> None:
    def dropping(request: ProcessRequest) -> ProcessOutput:
        server.drop_connections()
        return ProcessOutput(b"unheard")

    server = serve(dropping)
    transport = door(server)
    with pytest.raises(ConnectionLostError):
        transport.run(SMALL)
    assert transport.usage.connections == 1
    transport.close()
    assert server.open_shells == ()


def test_the_shell_is_deleted_outside_the_gate(serve: Serve, door: Door) -> None:
    server = serve()
    left: list[str] = []

    @contextmanager
    def gate() -> Iterator[None]:
        yield
        left.extend(server.open_shells)

    transport = door(server, gate=gate())
    transport.run(SMALL)
    assert len(left) == 1


def test_a_dead_host_waits_outside_the_gate_and_for_the_connect_timeout_only(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scanner.transports.winrm.connection

    asked: list[float] = []

    def nobody(_host: str, _port: int, timeout_s: float) -> None:
        asked.append(timeout_s)
        raise TimeoutError

    monkeypatch.setattr(scanner.transports.winrm.connection, "dial", nobody)

    entered: list[bool] = []

    @contextmanager
    def gate() -> Iterator[None]:
        entered.append(True)
        yield

    with pytest.raises(UnreachableError, match="no answer from port 5985 within 2 s"):
        door(5985, gate=gate()).run(SMALL)
    assert asked == [2.0]
    assert not entered


def test_an_unknown_name_is_unreachable(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError, match=r"the name no-such-host\.invalid cannot be resolved"):
        door(5985, host="no-such-host.invalid").run(SMALL)


def test_many_transports_work_side_by_side(serve: Serve, door: Door, tls: TlsFiles) -> None:
    from concurrent.futures import ThreadPoolExecutor

    server = serve(tls=tls)
    transports = [door(server) for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda transport: transport.run(SMALL), transports))
        list(pool.map(lambda transport: transport.close(), transports))
    assert answers == [SMALL.encode()] * 24
    assert server.open_shells == ()
    assert {transport.usage.requests for transport in transports} == {7}


def test_importing_the_transport_is_cheap() -> None:
    code = (
        "import sys, scanner.transports.winrm.transport; "
        "print([m for m in ('winrm', 'requests', 'spnego') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("listening", "asked"), [("::1", "::1"), ("127.0.0.1", "localhost")])
def test_addresses_and_names(
    serve: Serve, door: Door, tls: TlsFiles, listening: str, asked: str, secured: bool
) -> None:
    try:
        server = serve(host=listening, tls=tls if secured else None)
    except OSError:
        pytest.skip(f"this machine has no {listening}")
    assert door(server, host=asked).run(SMALL) == SMALL.encode()


@pytest.mark.parametrize("delivery", ["auto", "stdin"])
def test_it_notes_when_the_script_left_and_when_the_answer_was_there(serve: Serve, door: Door, delivery: str) -> None:
    at: dict[str, float] = {}

    def execute(request: ProcessRequest) -> ProcessOutput:
        at["ran"] = now_s()
        # The last time counts: PowerShell comes by here as often as input does.
        return powershell_process.run(request, lambda script: ProcessOutput(script.encode()))

    @contextmanager
    def gate() -> Iterator[None]:
        at["entered"] = now_s()
        yield
        at["left"] = now_s()

    transport = door(serve(execute), gate=gate(), delivery=delivery)
    transport.run(SMALL)
    moments = transport.moments
    assert moments.sent_s is not None
    assert moments.received_s is not None
    # Neither the login, which comes first, nor the waiting for one's turn widens what is known of the node's clock.
    assert at["entered"] < moments.sent_s < at["ran"] < moments.received_s < at["left"]


def test_a_node_that_answers_nothing_leaves_the_moment_open(serve: Serve, door: Door) -> None:
    transport = door(serve(answer(b"")))
    with pytest.raises(ProtocolError):
        transport.run(SMALL)
    assert transport.moments.received_s is None


def test_an_interrupt_closes_the_shell_whose_creation_is_under_way(
    serve: Serve, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node has made it, and its answer with the name is still to come."""
    create = ShellHost._create
    created = threading.Event()

    def slowly(*arguments: Any) -> tuple[str, str]:
        made = create(*arguments)
        created.set()
        time.sleep(0.4)
        return made

    monkeypatch.setattr(ShellHost, "_create", slowly)
    server = serve()
    opened = door(server)

    def interrupt() -> None:
        created.wait(10)
        end_all()

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(NodeError):
        opened.run(SMALL)
    opened.close()
    interrupting.join()
    assert created.is_set()
    assert server.open_shells == ()


def test_a_conversation_that_is_called_off_when_it_has_just_ended_leaves_no_shell(
    serve: Callable[..., WsmanServer], door: Callable[..., WinrmTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt cuts what is under way: the shell is taken away over a connection that is not."""

    class CalledOffAtTheEnd(Deadline):
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            if self.seconds == 10.0:
                self.fire()
            super().__exit__(kind, error, trace)

    monkeypatch.setattr(transport_module, "Deadline", CalledOffAtTheEnd)
    server = serve()
    transport = door(server, timeout_s=10.0)
    assert transport.run("1")
    left = list(server.open_shells)
    transport.close()
    assert (len(left), len(server.open_shells)) == (1, 0)

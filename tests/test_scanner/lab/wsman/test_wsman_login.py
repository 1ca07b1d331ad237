"""Logging in to the WS-Man server: NTLM and its seal, Basic, certificates, TLS, and what is refused."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import spnego
import winrm
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError
from winrm.protocol import Protocol

from scanner.lab.servers.certificates import CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.server import WsmanServer

Serve = Callable[..., WsmanServer]
Connect = Callable[..., Protocol]
Run = Callable[..., tuple[bytes, bytes, int]]

DOMAIN_USER, LOCAL_USER = "CORP\\svc-preflight", "operator"


def actions(server: WsmanServer) -> list[str]:
    return [record.action for record in server.requests]


def owner(output: tuple[bytes, bytes, int]) -> str:
    return output[0].split(b"|")[2].decode()


def test_session_over_sealed_ntlm_takes_the_eight_requests_that_windows_takes(
    serve: Serve, users: dict[str, str]
) -> None:
    server = serve()
    session = winrm.Session(server.endpoint, auth=(DOMAIN_USER, users[DOMAIN_USER]), transport="ntlm", proxy=None)
    answer = session.run_cmd("dir", ["/b", "C:\\Program Files"])

    assert answer.std_out == rb"dir /b C:\Program Files|437|CORP\svc-preflight|"
    assert (answer.std_err, answer.status_code) == (b"some complaint", 7)
    assert actions(server) == ["", "", "", "Create", "Command", "Receive", "Signal", "Delete"]
    assert [record.status for record in server.requests] == [401, 401, 200, 200, 200, 200, 200, 200]
    assert all(record.sealed for record in server.requests[3:])
    assert server.connections == 1
    assert server.open_shells == ()


def test_nothing_readable_crosses_the_wire_under_sealed_ntlm(
    serve: Serve, connect: Connect, run: Run, users: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    send = socket.socket.sendall

    def spy(self: socket.socket, data: bytes, *flags: int) -> None:
        seen.append(bytes(data))
        send(self, data, *flags)

    monkeypatch.setattr(socket.socket, "sendall", spy)
    run(connect(serve()), "needle")
    wire = b"".join(seen)
    assert b"Encrypted Boundary" in wire
    for secret in (b"needle", b"Envelope", users[DOMAIN_USER].encode(), base64.b64encode(b"needle")):
        assert secret not in wire


def test_spnego_clients_get_the_last_token_on_the_200(serve: Serve, users: dict[str, str]) -> None:
    server = serve()
    client = spnego.client(DOMAIN_USER, users[DOMAIN_USER], hostname="127.0.0.1", service="http")
    with requests.Session() as session:
        token = client.step()
        for expected in (401, 200):
            header = {"Authorization": f"Negotiate {base64.b64encode(token or b'').decode()}"}
            answer = session.post(server.endpoint, headers=header, timeout=5)
            assert answer.status_code == expected
            token = client.step(base64.b64decode(answer.headers["WWW-Authenticate"].removeprefix("Negotiate ")))
    assert client.complete
    assert token is None


@pytest.mark.parametrize(
    ("user", "password"), [(DOMAIN_USER, "wrong"), ("CORP\\nobody", "S3cret pass!"), ("svc-preflight", "S3cret pass!")]
)
def test_wrong_credentials_are_a_401(serve: Serve, connect: Connect, user: str, password: str) -> None:
    server = serve()
    with pytest.raises(InvalidCredentialsError):
        connect(server, user, password).open_shell()
    assert {record.status for record in server.requests} == {401}
    assert password not in repr(server.requests)


def test_servers_with_different_passwords_for_one_name_live_in_one_process(
    connect: Connect, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NTLM_USER_FILE", "/somewhere/else")
    with (
        WsmanServer(lambda _: pytest.fail("no command"), users={"svc": "unused"}),
        WsmanServer(lambda _: pytest.fail("no command"), users={"svc": "first"}) as one,
        WsmanServer(lambda _: pytest.fail("no command"), users={"svc": "second"}) as two,
    ):
        for server, password, wrong in [(one, "first", "second"), (two, "second", "first"), (one, "first", "second")]:
            assert connect(server, "svc", password).open_shell()
            with pytest.raises(InvalidCredentialsError):
                connect(server, "svc", wrong).open_shell()
    assert os.environ["NTLM_USER_FILE"] == "/somewhere/else"


@pytest.mark.parametrize("name", ["operator", "LAB\\operator", ".\\OPERATOR"])
def test_a_local_account_may_be_spelled_in_three_ways(
    serve: Serve, connect: Connect, run: Run, users: dict[str, str], name: str
) -> None:
    assert owner(run(connect(serve(), name, users[LOCAL_USER]))) == LOCAL_USER


def test_a_password_that_the_account_file_cannot_hold_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="cannot hold colons"):
        WsmanServer(lambda _: pytest.fail("no command"), users={"svc": "a:b"})


def test_https_with_verification_and_sealed_ntlm(serve: Serve, connect: Connect, run: Run, tls: TlsFiles) -> None:
    server = serve(tls=tls)
    assert run(connect(server, message_encryption="always"))[2] == 7
    assert all(record.sealed for record in server.requests if record.action)


def test_https_ntlm_left_to_itself_sends_the_create_body_three_times(
    serve: Serve, connect: Connect, run: Run, tls: TlsFiles
) -> None:
    server = serve(tls=tls)
    run(connect(server))
    assert actions(server) == ["", "", "Create", "Command", "Receive", "Signal", "Delete"]
    assert [record.request_bytes > 1000 for record in server.requests] == [True] * 7


def test_an_untrusted_certificate_stops_the_client(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    server = serve(tls=CertificateAuthority(tmp_path).server())
    with pytest.raises(requests.exceptions.SSLError):
        connect(server).open_shell()
    assert server.requests == ()


def test_channel_bindings_are_checked_as_strictly_as_asked(
    serve: Serve, connect: Connect, run: Run, tls: TlsFiles
) -> None:
    assert run(connect(serve(tls=tls), send_cbt=False))[2] == 7
    strict = serve(tls=tls, hardening="strict")
    assert run(connect(strict))[2] == 7
    with pytest.raises(InvalidCredentialsError):
        connect(strict, send_cbt=False).open_shell()


def test_bindings_to_another_certificate_are_refused(
    serve: Serve, connect: Connect, run: Run, tls: TlsFiles, tmp_path: Path
) -> None:
    """As if somebody in the middle had shown the client a certificate of their own."""
    server, behind = serve(tls=tls), serve(tls=CertificateAuthority(tmp_path).server())
    server._site.policy = behind._site.policy
    with pytest.raises(InvalidCredentialsError):
        connect(server).open_shell()
    assert run(connect(server, send_cbt=False))[2] == 7


def test_basic_over_https_for_local_accounts_only(serve: Serve, connect: Connect, run: Run, tls: TlsFiles) -> None:
    server = serve(tls=tls, auth={"basic"})
    assert owner(run(connect(server, LOCAL_USER, transport="basic"))) == LOCAL_USER
    assert actions(server) == ["Create", "Command", "Receive", "Signal", "Delete"]
    for user, password in [(LOCAL_USER, "wrong"), (DOMAIN_USER, None)]:
        with pytest.raises(InvalidCredentialsError):
            connect(server, user, password, transport="basic").open_shell()


def test_basic_over_http_is_neither_offered_nor_taken(
    serve: Serve, connect: Connect, run: Run, users: dict[str, str]
) -> None:
    server = serve(auth={"ntlm", "basic"})
    answer = requests.post(server.endpoint, data=b"x", auth=(LOCAL_USER, users[LOCAL_USER]), timeout=5)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Negotiate")

    server = serve(auth={"ntlm", "basic"}, allow_unencrypted=True)
    assert requests.post(server.endpoint, timeout=5).headers["WWW-Authenticate"] == 'Negotiate, Basic realm="WSMAN"'
    assert run(connect(server, LOCAL_USER, transport="basic"))[2] == 7


def test_client_certificate(
    serve: Serve, connect: Connect, run: Run, tls: TlsFiles, authority: CertificateAuthority
) -> None:
    def files(user: str) -> dict[str, Any]:
        pair = authority.client(user)
        return {"transport": "certificate", "cert_pem": str(pair.certificate), "cert_key_pem": str(pair.key)}

    server = serve(tls=tls, auth={"certificate"})
    assert owner(run(connect(server, **{"user": LOCAL_USER, **files(LOCAL_USER)}))) == LOCAL_USER
    assert {record.auth for record in server.requests} == {"certificate"}
    with pytest.raises(InvalidCredentialsError):
        connect(server, **files("stranger")).open_shell()
    with pytest.raises(InvalidCredentialsError):
        connect(serve(tls=tls), **files(LOCAL_USER)).open_shell()


def test_unsealed_message_over_http_is_refused_with_an_empty_500(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    with pytest.raises(WinRMTransportError) as caught:
        connect(server, message_encryption="never").open_shell()
    assert (caught.value.code, caught.value.response_text) == (500, "")
    assert server.open_shells == ()
    assert run(connect(serve(allow_unencrypted=True), message_encryption="never"))[2] == 7


def test_lost_login_on_a_kept_connection_is_a_400_and_a_new_session_goes_on(serve: Serve, connect: Connect) -> None:
    server = serve()
    client = connect(server)
    shell = client.open_shell()
    server.forget_logins()
    with pytest.raises(WinRMTransportError) as caught:
        client.run_command(shell, "whoami")
    assert caught.value.code == 400
    assert server.requests[-1].why == "the login of this connection is gone"
    client.transport.close_session()
    key = client.run_command(shell, "whoami")
    assert client.get_command_output(shell, key)[2] == 7


def sealed(client: spnego.ContextProxy, message: bytes, length: int) -> bytes:
    """A body as [MS-WSMV] 2.2.9.1.1 has it, which says that the message is `length` long."""
    wrapped = client.wrap_winrm(message)
    return (
        b"--Encrypted Boundary\r\nContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        b"OriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"
        b"--Encrypted Boundary\r\nContent-Type: application/octet-stream\r\n%s%s%s--Encrypted Boundary--\r\n"
        % (length, len(wrapped.header).to_bytes(4, "little"), wrapped.header, wrapped.data)
    )


@pytest.mark.parametrize("harm", ["none", "tampered", "wrong length", "sent twice", "login forgotten"])
def test_a_sealed_body_is_believed_once_and_whole(serve: Serve, users: dict[str, str], harm: str) -> None:
    server = serve()
    client = spnego.client(DOMAIN_USER, users[DOMAIN_USER], protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    kind = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
    message = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body/></s:Envelope>'
    with requests.Session() as session:
        token = client.step()
        for _ in range(2):
            header = {"Authorization": f"Negotiate {base64.b64encode(token or b'').decode()}"}
            answer = session.post(server.endpoint, headers=header, timeout=5)
            if answer.status_code == 401:
                token = client.step(base64.b64decode(answer.headers["WWW-Authenticate"].removeprefix("Negotiate ")))
        body = sealed(client, message, len(message) + (harm == "wrong length"))
        if harm == "tampered":
            body = body.replace(body[-30:-25], bytes(byte ^ 1 for byte in body[-30:-25]))
        if harm == "sent twice":
            session.post(server.endpoint, data=body, headers={"Content-Type": kind}, timeout=5)
        if harm == "login forgotten":
            server.forget_logins()
        answer = session.post(server.endpoint, data=body, headers={"Content-Type": kind}, timeout=5)
    # What could be unsealed gets a fault, for it says nothing; what could not is a bare 400.
    assert answer.status_code == (500 if harm == "none" else 400)
    assert server.connections == 1


def test_dropped_connection_makes_the_old_seal_unreadable(serve: Serve, connect: Connect) -> None:
    server = serve()
    client = connect(server)
    shell = client.open_shell()
    server.drop_connections()
    with pytest.raises((WinRMTransportError, requests.exceptions.ConnectionError)):
        client.run_command(shell, "whoami")
    client.transport.close_session()
    assert client.run_command(shell, "whoami")


def test_a_client_that_speaks_no_tls_harms_nobody(
    serve: Serve, connect: Connect, run: Run, tls: TlsFiles, authority: CertificateAuthority
) -> None:
    server = serve(tls=tls)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as bare:
        bare.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert bare.recv(100)[:1] != b"H"
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as bare,
        context.wrap_socket(bare, server_hostname="localhost") as secured,
    ):
        assert secured.version() == "TLSv1.3"
    assert run(connect(server))[2] == 7

"""Several servers behind one address: a login that wanders between them is never told as a wrong password."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from scanner.errors import AuthenticationError, ProtocolError
from scanner.inventory.model import WinrmSettings
from scanner.lab.servers.wsman.auth import ConnectionLogin
from scanner.lab.servers.wsman.server import WsmanServer
from scanner.secrets.secret import Secret
from scanner.transports.winrm.authentication.login import RefusedStepError, Stage
from scanner.transports.winrm.errors import translate
from scanner.transports.winrm.exchange.answer import Headers
from scanner.transports.winrm.several_servers import Clues
from scanner.transports.winrm.situation import Situation
from scanner.transports.winrm.transport import WinrmTransport

Serve = Callable[..., WsmanServer]
Door = Callable[..., WinrmTransport]
Listen = Callable[[Callable[[socket.socket], None]], int]
SCRIPT = "Write-Output small"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Each server of the lab calls itself by its own machine's name in the login, as Windows does.

    Gives the messages of logins that have come: at which machine, and NTLM's number for it.
    """
    here = threading.local()
    came: list[tuple[str, int]] = []
    exchange = ConnectionLogin._exchange

    def as_machine(self: ConnectionLogin, scheme: str, value: str) -> Any:
        here.name = self._policy.accounts.machine
        came.append((here.name, base64.b64decode(value)[8]))
        return exchange(self, scheme, value)

    monkeypatch.setattr(ConnectionLogin, "_exchange", as_machine)
    monkeypatch.setattr(socket, "gethostname", lambda: getattr(here, "name", "SCANNER"))
    return came


def balancer(ports: list[int], *, requests: int) -> Callable[[socket.socket], None]:
    """What a balancer of HTTP does with a connection: each `requests` of its requests go to the next server.

    It keeps a connection to each server for the client's, and adds and takes away nothing.
    """
    turn = count()

    def carry(client: socket.socket) -> None:
        servers: dict[int, socket.socket] = {}
        try:
            while message := read_message(client):
                port = ports[next(turn) // requests % len(ports)]
                if port not in servers:
                    servers[port] = socket.create_connection(("127.0.0.1", port), 5)
                servers[port].sendall(message)
                answer = read_message(servers[port])
                client.sendall(answer)
        finally:
            for server in servers.values():
                server.close()

    return carry


def read_message(wire: socket.socket) -> bytes:
    """One HTTP message with its body; nothing at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = b""
        with suppress(OSError):
            chunk = wire.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += wire.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_balancer_that_hands_each_message_to_another_server_is_no_wrong_password(
    serve: Serve, door: Door, listen: Listen, named: list[tuple[str, int]], password: str | None
) -> None:
    """Whatever the password: neither server was asked for it in one conversation."""
    servers = [serve(machine="WEB1"), serve(machine="WEB2")]
    port = listen(balancer([server.port for server in servers], requests=1))
    transport = door(port, password=password)
    with pytest.raises(ProtocolError, match="more than one server answers") as caught:
        transport.run(SCRIPT)
    told = f"{caught.value} {caught.value.hint}"
    assert {"WEB1", "WEB2"} <= set(told.replace(":", " ").replace(";", " ").split())
    assert "check `user`" not in told
    assert "says nothing of user and password" in told
    assert "by a name of its own" in told
    # The password was proven once, and names are asked for with messages that prove nothing.
    assert [kind for _, kind in named] == [1, 3, 1, 1]


@pytest.mark.usefixtures("named")
def test_a_balancer_of_connections_keeps_a_login_together(serve: Serve, door: Door, listen: Listen) -> None:
    servers = [serve(machine="WEB1"), serve(machine="WEB2")]
    port = listen(balancer([server.port for server in servers], requests=1000))
    assert b"small" in door(port).run(SCRIPT)


def test_a_wrong_password_at_one_server_is_told_as_that_and_names_what_cannot_be_excluded(
    serve: Serve, door: Door, named: list[tuple[str, int]]
) -> None:
    transport = door(serve(machine="WEB1"), password="wrong")
    with pytest.raises(AuthenticationError, match=r"calls itself WEB1\) rejects the ntlm login") as caught:
        transport.run(SCRIPT)
    assert "check `user` and the password, once" in caught.value.hint
    assert "several servers behind one address" in caught.value.hint
    # One more connection, for the names; no second attempt.
    assert transport.usage.connections == 2
    assert [kind for _, kind in named] == [1, 3, 1, 1]


@pytest.mark.usefixtures("named")
def test_a_session_that_moves_to_another_server_is_told_as_that(serve: Serve, door: Door, listen: Listen) -> None:
    servers = [serve(machine="WEB1"), serve(machine="WEB2")]
    port = listen(balancer([server.port for server in servers], requests=4))
    with pytest.raises(Exception, match=r"had accepted the login|more than one server") as caught:
        door(port).run(SCRIPT)
    assert not isinstance(caught.value, AuthenticationError)


@pytest.mark.parametrize("auth", ["ntlm", "kerberos", "credssp"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_refusal_leaves_the_password_as_the_only_way(auth: str, scheme: str) -> None:
    settings = WinrmSettings(user="CORP\\svc", password=Secret("canary"), auth=auth, scheme=scheme)
    for stage in Stage:
        for several in ("", "its answers come from a/1 and from b/2"):
            at = Situation(
                host="web1", settings=settings, requests=3, stage=stage, offered="Negotiate, CredSSP", several=several
            )
            told = translate(RefusedStepError(), at)
            assert told is not None
            said = f"{told} {told.hint}"
            assert "load balancer" in said, stage
            assert "name of its own" in said, stage
            if several and stage is not Stage.ACCEPTED:
                assert not isinstance(told, AuthenticationError)
                assert several in said
    one = Situation(
        host="web1", settings=replace(settings, auth="ntlm"), stage=Stage.ANSWERED, node="WEB1", names=lambda: ("WEB1",)
    )
    assert isinstance(translate(RefusedStepError(), one), AuthenticationError)
    two = replace(one, names=lambda: ("WEB1", "WEB2"))
    assert "they call themselves WEB1 and WEB2" in str(translate(RefusedStepError(), two))


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        ([{"Server": "a"}, {"Server": "a"}], ""),
        ([{"Server": "a"}, {}, {"Server": "a"}], ""),
        ([{"Server": "a/1"}, {"Server": "b/2"}], "its answers come from a/1 and from b/2"),
        ([{"Date": "Thu, 26 Nov 2026 06:00:10 GMT"}, {"Date": "Thu, 26 Nov 2026 06:00:30 GMT"}], ""),
        ([{"Date": "Thu, 26 Nov 2026 06:00:11 GMT"}, {"Date": "Thu, 26 Nov 2026 06:00:10 GMT"}], ""),
        (
            [{"Date": "Thu, 26 Nov 2026 06:00:30 GMT"}, {"Date": "Thu, 26 Nov 2026 06:00:10 GMT"}],
            "the clock in its answers went back by 20 s",
        ),
        ([{"Date": "soon"}, {"Date": "Thu, 99 Nov 2026 06:00:10 GMT"}, {"Date": ""}], ""),
    ],
)
def test_what_one_server_does_not_change_between_two_answers(heads: list[dict[str, str]], told: str) -> None:
    clues = Clues()
    for head in heads:
        clues.note(Headers(head.items()))
    assert clues.told == told

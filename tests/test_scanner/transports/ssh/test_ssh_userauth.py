"""The client's side of the login, against servers that say what no server should; and what it leans on in paramiko."""

from __future__ import annotations

import re
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import paramiko
import pytest
from packaging.requirements import Requirement
from paramiko.message import Message
from paramiko.transport import Transport

from scanner.errors import AuthenticationError, ConnectionLostError, NodeError, ProtocolError
from scanner.secrets.secret import Secret
from scanner.transports.ssh.client import Client
from scanner.transports.ssh.userauth import Accepted, KeyTaken, PasswordExpired, Questions, Refused, UserAuth
from scanner.transports.ssh.wire.socket import SshStream
from tests.test_scanner.transports.ssh.test_ssh_transport import HOST_KEY, transport

NO = False
PK_OK = PASSWD_CHANGEREQ = INFO_REQUEST = 60


def message(kind: int, *parts: str | bytes | int) -> Message:
    said = Message()
    said.add_byte(bytes([kind]))
    for part in parts:
        if isinstance(part, bool):
            said.add_boolean(part)
        elif isinstance(part, int):
            said.add_int(part)
        else:
            said.add_string(part)
    return said


class Scripted(paramiko.Transport):
    """A server that answers a login as it is told: one list of messages for each request."""

    def __init__(self, wire: socket.socket, answers: list[list[Message]]) -> None:
        super().__init__(wire)
        self.answers = answers
        self.asked: list[bytes] = []
        self.add_server_key(HOST_KEY)

    def _parse_newkeys(self, m: Message) -> None:
        super()._parse_newkeys(m)  # type: ignore[misc]  # not in its stubs
        table = {5: self.on_service, 50: self.on_request, 61: self.on_request}
        self.auth_handler = type("Handler", (), {"_handler_table": table, "abort": lambda _: None})()

    def is_authenticated(self) -> bool:
        return True

    def on_service(self, _: Message) -> None:
        self._send_message(message(6, "ssh-userauth"))  # type: ignore[attr-defined]  # not in its stubs

    def on_request(self, m: Message) -> None:
        self.asked.append(m.asbytes())
        for answer in self.answers.pop(0) if self.answers else []:
            self._send_message(answer)  # type: ignore[attr-defined]  # the same


@contextmanager
def login(*answers: list[Message]) -> Iterator[tuple[UserAuth, Scripted]]:
    ours, theirs = socket.socketpair()
    server = Scripted(theirs, list(answers))
    server.start_server(event=threading.Event(), server=paramiko.ServerInterface())
    client = Client(SshStream(ours))
    try:
        client.shake_hands(("ecdsa-sha2-nistp256",), banner_s=5)
        door = UserAuth(client)
        client.auth_handler = door
        door.start()
        yield door, server
    finally:
        client.close()
        server.close()
        server.join(5)


def refused(*methods: str, partial: bool = False) -> list[Message]:
    return [message(51, ",".join(methods), partial)]


def test_each_answer_is_what_it_is() -> None:
    with login(
        refused("publickey", "password"),
        [message(PK_OK, "ssh-ed25519", b"blob")],
        refused("password", partial=True),
        [message(PASSWD_CHANGEREQ, "change it", "")],
        [message(INFO_REQUEST, "title", "read this", "", 1, "Password: ", NO)],
        [message(53, "hello\n", ""), message(52)],
    ) as (door, server):
        assert door.query_key("u", "ssh-ed25519", b"other") == Refused(("publickey", "password"))
        assert door.query_key("u", "ssh-ed25519", b"blob") == KeyTaken()
        assert door.offer_key("u", "ssh-ed25519", b"blob", lambda data: b"signed") == Refused(
            ("password",), partial=True
        )
        assert door.offer_password("u", "old") == PasswordExpired("change it")
        assert door.ask_for_questions("u") == Questions("title", "read this", (("Password: ", False),))
        assert not door.is_authenticated()
        assert door.answer(["secret"]) == Accepted()
        assert door.is_authenticated()
        assert door.banner == b"hello\n"
        assert [b"signed" in request for request in server.asked] == [False, False, True, False, False, False]


def test_what_is_signed_is_the_session_and_the_request() -> None:
    seen: list[bytes] = []

    def sign(data: bytes) -> bytes:
        seen.append(data)
        return b"signature"

    with login(refused()) as (door, server):
        door.offer_key("amy", "rsa-sha2-512", b"blob", sign)
        (request,) = server.asked
        said = Message(seen[0])
        assert said.get_binary() == server.session_id
        assert seen[0].endswith(request[: request.index(b"signature") - 4].removeprefix(b"\x32")[-20:])
        assert seen[0].count(b"ssh-connection") == 1


NOBODY_ASKED: list[tuple[str, list[Message]]] = [
    ("in without a login", [message(52)]),
    ("another key", [message(PK_OK, "ssh-ed25519", b"another")]),
    ("another algorithm", [message(PK_OK, "ssh-rsa", b"blob")]),
    ("another service", [message(6, "ssh-connection")]),
    ("no message at all", [message(255)]),
]


@pytest.mark.parametrize(("what", "answer"), NOBODY_ASKED, ids=[what for what, _ in NOBODY_ASKED])
def test_a_query_lets_nobody_in_and_takes_no_other_answer(what: str, answer: list[Message]) -> None:
    with login(answer) as (door, _), pytest.raises((paramiko.SSHException, EOFError, KeyError)):
        door.query_key("u", "ssh-ed25519", b"blob")
    assert not door.is_authenticated()


def test_a_flood_of_questions_and_banners_is_bounded() -> None:
    with login([message(53, b"x" * 30000, "")] * 3 + [message(INFO_REQUEST, "", "", "", 2**31)]) as (door, _):
        with pytest.raises(paramiko.SSHException, match="questions at once"):
            door.ask_for_questions("u")
        assert door.banner is not None
        assert len(door.banner) <= 16 * 1024


def test_a_password_that_has_expired_is_told() -> None:
    error = scripted(AuthenticationError, [[message(PASSWD_CHANGEREQ, "Your password has expired.", "")]])
    assert "the password has expired" in str(error)


def test_a_server_that_hangs_up_in_the_login_is_told() -> None:
    error = scripted(ConnectionLostError, [[message(1, 2, "going down for maintenance", "")]])
    assert "going down for maintenance" in str(error)


def test_a_server_that_lets_in_whom_nobody_named_is_no_server() -> None:
    scripted(ProtocolError, [[message(6, "ssh-userauth")]])


def scripted(kind: type[NodeError], answers: list[list[Message]]) -> NodeError:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        servers: list[Scripted] = []

        def serve() -> None:
            wire, _ = listener.accept()
            servers.append(Scripted(wire, answers))
            servers[0].start_server(event=threading.Event(), server=paramiko.ServerInterface())

        thread = threading.Thread(target=serve)
        thread.start()
        door = transport(listener.getsockname()[1], host_key=HOST_KEY.fingerprint, password=Secret("secret-canary"))
        try:
            with pytest.raises(kind) as caught:
                door.run("true")
        finally:
            thread.join(5)
            servers[0].close()
            servers[0].join(5)
    assert "canary" not in str(caught.value)
    return caught.value


# What is leaned on, so that a new version of the library is met here and not at a customer's.


def test_the_library_still_has_what_the_login_uses() -> None:
    source = Transport.run.__code__.co_names
    assert {"auth_handler", "_handler_table"} <= set(source)
    for name in ("_send_message", "_auth_trigger", "get_exception", "is_active", "_parse_ext_info"):
        assert callable(getattr(Transport, name))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made: Any = paramiko.Transport(ours)
        assert made.auth_handler is None
        assert made.server_extensions == {}
        assert made.session_id is None
        assert made.host_key_type is None or isinstance(made.host_key_type, str)
        made.close()


def test_the_library_has_a_bound_on_its_version() -> None:
    """Private parts of it are used: a version that nobody has tried is not taken unseen."""
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = [one for text in project["dependencies"] if (one := Requirement(text)).name == "paramiko"]
    assert wanted.specifier.contains(version("paramiko"))
    assert re.search(r"<\d", str(wanted.specifier)), wanted

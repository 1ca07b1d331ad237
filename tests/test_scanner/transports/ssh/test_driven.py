"""A connection that whoever waits for it drives: what it does with a packet is what the library does in its thread."""

from __future__ import annotations

import hashlib
import inspect
import io
import socket
import textwrap
import threading
import time
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paramiko
import pytest
from paramiko.common import MSG_NEWKEYS, OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED, OPEN_SUCCEEDED
from paramiko.message import Message

from scanner.transports.ssh.client import Client
from scanner.transports.ssh.wire.gathered import Gathered
from scanner.transports.ssh.wire.socket import SshStream
from tests.test_scanner.transports.ssh.test_ssh_transport import HOST_KEY

PATIENCE_S = 10.0
KNOWN_LOOPS = {"64e170e633e8ed25"}
"""Of `Transport.run`, as `digest` makes it."""


def digest(function: Any) -> str:
    """Of what it does: comments and layout apart."""
    lines = io.StringIO(textwrap.dedent(inspect.getsource(function)))
    words = [each.string for each in tokenize.generate_tokens(lines.readline) if each.type != tokenize.COMMENT]
    return hashlib.sha256(" ".join(" ".join(words).split()).encode()).hexdigest()[:16]


def test_the_library_reads_in_its_thread_what_we_read_in_ours() -> None:
    """It has other words where this fails: compare `Driven._act` with `Transport.run`, and then add the new digest."""
    assert digest(paramiko.Transport.run) in KNOWN_LOOPS


def test_the_library_has_what_is_read_with() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made: Any = paramiko.Transport(ours)
        assert made._expected_packet == ()
        assert isinstance(made._handler_table, dict)
        assert made._channels.get(0) is None
        assert made.channel_events == made.channels_seen == {}
        assert (made.active, made.initial_kex_done, made.agreed_on_strict_kex) == (False, False, False)
        made.close()


class Server(paramiko.Transport):
    """Lets everybody in, and sends what a test wants."""

    def __init__(self, wire: socket.socket) -> None:
        super().__init__(wire)
        self.add_server_key(HOST_KEY)
        self.seen: list[int] = []

    def say(self, *parts: bytes) -> None:
        message = Message()
        for part in parts:
            message.add_bytes(part)
        self._send_message(message)  # type: ignore[attr-defined]  # not in its stubs


class Open(paramiko.ServerInterface):
    """Sessions may be opened, and run nothing."""

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


@contextmanager
def connected() -> Iterator[tuple[Client, Server]]:
    ours, theirs = socket.socketpair()
    server = Server(theirs)
    agreed = threading.Event()
    server.start_server(event=agreed, server=Open())
    stream = SshStream(ours)
    client = Client(stream)
    try:
        client.shake_hands(("ecdsa-sha2-nistp256",), banner_s=5)
        stream.flush()  # as whatever it waits for next would
        assert agreed.wait(PATIENCE_S)
        assert client.take(), "which signatures it takes (RFC 8308)"
        server.auth_handler = type("Handler", (), {"is_authenticated": lambda _: True, "abort": lambda _: None})()
        yield client, server
    finally:
        client.close()
        server.close()
        server.join(5)


def test_nobody_but_who_waits_reads() -> None:
    with connected() as (client, server):
        assert client.is_active()
        assert not client.is_alive(), "no thread of its own"
        assert server.is_alive(), "as the library's have one"


def test_a_message_that_is_only_to_be_read_changes_nothing_and_one_that_nobody_knows_ends_it() -> None:
    with connected() as (client, server):
        server.say(b"\x02", b"\0\0\0\1x")  # SSH_MSG_IGNORE
        assert client.take()
        server.say(b"\xff")
        assert not client.take()
        assert not client.is_active()
        assert "255" in str(client.get_exception())
        assert not client.take(), "and it stays so"


def test_a_farewell_is_kept_and_ends_it_without_an_error() -> None:
    with connected() as (client, server):
        server.say(b"\x01", (2).to_bytes(4, "big"), b"\0\0\0\4", b"gone", b"\0\0\0\0")
        assert not client.take()
        assert (client.farewell, client.get_exception()) == ("gone", None)


def test_a_wait_that_is_bounded_ends_and_leaves_the_connection_as_it_is() -> None:
    with connected() as (client, server):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            client.take(began + 0.05)
        assert 0.04 < time.monotonic() - began < PATIENCE_S
        server.say(b"\x02", b"\0\0\0\1x")
        assert client.take(time.monotonic() + PATIENCE_S)


def test_new_keys_that_the_server_asks_for_are_agreed_on_while_something_else_is_waited_for() -> None:
    with connected() as (client, server):
        first = client.H
        asking = threading.Thread(target=server.renegotiate_keys, daemon=True)
        asking.start()
        while first == client.H:
            assert client.take()
        channel = client.open_shell(Gathered(lambda _: False))
        assert not channel.closed
        asking.join(PATIENCE_S)
        assert not asking.is_alive()


def test_what_a_shell_prints_is_its_own_whatever_comes_in_between() -> None:
    """Other messages, new keys, and another channel's data, which is nobody's here and ends it."""
    with connected() as (client, server):
        answer = Gathered(lambda said: said.endswith(b"end"))
        shell, there = client.open_shell(answer), server.accept(PATIENCE_S)

        def printed(text: bytes, channel: int = shell.chanid) -> None:
            server.say(b"\x5e", channel.to_bytes(4, "big"), len(text).to_bytes(4, "big"), text)

        def speak() -> None:
            printed(b"one ")
            server.say(b"\x02", b"\0\0\0\1x")  # SSH_MSG_IGNORE
            printed(b"two ")
            server.renegotiate_keys()
            printed(b"three end")
            printed(b"not ours", shell.chanid + 1)

        speaking = threading.Thread(target=speak, daemon=True)
        speaking.start()
        while not answer.is_due() and client.take():
            pass
        assert answer.read(100) == b"one two three end"
        while client.take():
            pass
        speaking.join(PATIENCE_S)
        assert not answer, "another channel's"
        assert there


def test_what_a_server_offers_is_its_own_however_many_were_asked_before() -> None:
    """What is alike is taken apart once; who offers something else is understood as he is."""
    with connected() as (client, _), connected() as (again, _):
        assert client.offered == again.offered
        assert client.offered["kex_algo_list"] is not again.offered["kex_algo_list"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Server, "_preferred_kex", ("curve25519-sha256@libssh.org",))
        with connected() as (other, _):
            assert other.offered["kex_algo_list"] != client.offered["kex_algo_list"]
            assert other.offered["kex_algo_list"][0] == "curve25519-sha256@libssh.org"


def test_a_channel_that_is_refused_is_told_and_one_that_is_granted_is_open() -> None:
    with connected() as (client, _):
        with pytest.raises(paramiko.ChannelException):
            client.forward("127.0.0.1", 1, PATIENCE_S)
        assert client.is_active()
        assert client.open_shell(Gathered(lambda _: False)).active


@pytest.mark.parametrize(
    ("slipped", "told"), [(b"\x02\0\0\0\1x", "strict-kex"), (b"\x50\0\0\0\1x\0", "Expecting packet")]
)
def test_what_a_strict_key_exchange_forbids_ends_it(slipped: bytes, told: str) -> None:
    """Terrapin (CVE-2023-48795): what is slipped in before the keys are agreed on."""

    class Slips(Server):
        def _send_kex_init(self) -> None:
            super()._send_kex_init()  # type: ignore[misc]  # not in its stubs
            self.say(slipped)

    ours, theirs = socket.socketpair()
    server = Slips(theirs)
    server.start_server(event=threading.Event(), server=Open())
    client = Client(SshStream(ours))
    try:
        with pytest.raises(paramiko.SSHException, match=told):
            client.shake_hands(("ecdsa-sha2-nistp256",), banner_s=5)
    finally:
        client.close()
        server.close()
        server.join(5)


def test_nothing_is_taken_of_a_shell_while_keys_are_agreed_on_anew() -> None:
    with connected() as (client, server):
        answer = Gathered(lambda _: False)
        shell, there = client.open_shell(answer), server.accept(PATIENCE_S)
        client._expect_packet(MSG_NEWKEYS)
        server.say(b"\x5e", shell.chanid.to_bytes(4, "big"), b"\0\0\0\4", b"slip")
        assert not client.take()
        assert "Expecting packet from" in str(client.get_exception())
        assert not answer
        assert there

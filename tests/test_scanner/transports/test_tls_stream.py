"""TLS over a socket of any kind says and hears what Python's own TLS socket does, in a thread and in a loop."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from scanner.lab.servers.certificates import CertificateAuthority
from scanner.transports.network.dialling import dial
from scanner.transports.network.green.executor import POSSIBLE, GreenExecutor
from scanner.transports.tls.stream import TlsStream
from scanner.transports.tls.trust import trusting

PATIENCE_S = 20.0
T = TypeVar("T")
Ask = Callable[[Callable[[], T]], T]
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["thread", pytest.param("loop", marks=pytest.mark.skipif(not POSSIBLE, reason="needs epoll"))])
def ask(request: pytest.FixtureRequest) -> Ask[object]:
    """What a conversation comes to, wherever it is held."""

    def in_loop(work: Callable[[], object]) -> object:
        executor = GreenExecutor(1)
        try:
            return executor.submit(work).result(PATIENCE_S)
        finally:
            executor.shutdown(wait=True)

    return in_loop if request.param == "loop" else lambda work: work()


@contextmanager
def server(
    authority: CertificateAuthority,
    serve: Callable[[ssl.SSLSocket], object],
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    *,
    later: bool = False,
) -> Iterator[tuple[int, list[Exception]]]:
    """The port of one who serves the first that connects, and what went wrong for him. `later`: asks for a client's
    certificate once he wants to.
    """
    files = authority.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.minimum_version = context.maximum_version = version
    if later:
        context.verify_mode, context.post_handshake_auth = ssl.CERT_REQUIRED, True
        context.load_verify_locations(authority.certificate)
    failures: list[Exception] = []

    def one(listener: socket.socket) -> None:
        wire, _ = listener.accept()
        wire.settimeout(PATIENCE_S)
        with wire:
            try:
                with context.wrap_socket(wire, server_side=True) as secured:
                    serve(secured)
            except Exception as error:  # noqa: BLE001  for the test
                failures.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=one, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1], failures
        finally:
            thread.join(PATIENCE_S)


def stream(port: int, trusted: Path, client: tuple[Path, Path] | None = None, bound_s: float = 10.0) -> TlsStream:
    context = trusting(verify=True, ca_file=str(trusted) if trusted.name else "")
    if client:
        context.load_cert_chain(*client)
        context.post_handshake_auth = True
    wire = dial("127.0.0.1", port, PATIENCE_S)
    wire.settimeout(bound_s)
    return TlsStream(wire, context, "127.0.0.1")


def whole(peer: TlsStream, size: int) -> bytes:
    said = b""
    while len(said) < size and (block := peer.recv(100_000)):
        said += block
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_what_takes_many_records_comes_whole(
    version: ssl.TLSVersion, ask: Ask[bytes], authority: CertificateAuthority
) -> None:
    sent = bytes(range(256)) * 2_000

    def serve(peer: ssl.SSLSocket) -> None:
        come = b""
        while len(come) < len(sent):
            come += peer.recv(65536)
        peer.sendall(come[::-1])

    def converse() -> bytes:
        peer = stream(port, authority.certificate)
        peer.shake_hands()
        assert peer.certificate
        peer.sendall(sent)
        said = whole(peer, len(sent))
        peer.close()
        return said

    with server(authority, serve, version) as (port, failures):
        assert ask(converse) == sent[::-1]
    assert failures == []


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "without a word"])
def test_the_end_is_nothing_more_to_read(
    ask: Ask[tuple[bytes, bytes]], authority: CertificateAuthority, *, announced: bool
) -> None:
    def serve(peer: ssl.SSLSocket) -> None:
        peer.recv(10)
        peer.sendall(b"bye")
        if announced:
            with suppress(OSError):
                peer.unwrap()

    def converse() -> tuple[bytes, bytes]:
        peer = stream(port, authority.certificate)
        peer.shake_hands()
        peer.sendall(b"hello")
        said = peer.recv(100), peer.recv(100)
        peer.close()
        return said

    with server(authority, serve) as (port, _):
        assert ask(converse) == (b"bye", b"")


def test_a_certificate_that_is_asked_for_later_is_shown(ask: Ask[bytes], authority: CertificateAuthority) -> None:
    """HTTP.sys asks for it once it knows what is wanted of it."""
    shown: list[object] = []

    def serve(peer: ssl.SSLSocket) -> None:
        asked = peer.recv(10)
        peer.verify_client_post_handshake()
        peer.sendall(asked)
        asked = peer.recv(10)
        shown.append(peer.getpeercert())
        peer.sendall(asked)

    pair = authority.client("operator@corp.example")

    def converse() -> bytes:
        peer = stream(port, authority.certificate, (pair.certificate, pair.key))
        peer.shake_hands()
        peer.sendall(b"one")
        said = whole(peer, 3)
        peer.sendall(b"two")
        said += whole(peer, 3)
        peer.close()
        return said

    with server(authority, serve, later=True) as (port, failures):
        assert ask(converse) == b"onetwo"
    assert failures == []
    assert shown != [None]
    assert shown != [{}]


def test_who_is_not_believed_is_told_why(ask: Ask[str], authority: CertificateAuthority, tmp_path: Path) -> None:
    """In its log, where somebody may look who wonders that no scan comes through."""
    other = CertificateAuthority(tmp_path, "another")

    def converse() -> str:
        peer = stream(port, other.certificate)
        with pytest.raises(ssl.SSLCertVerificationError) as raised:
            peer.shake_hands()
        peer.close()
        return raised.value.verify_message

    with server(authority, lambda peer: peer.recv(1)) as (port, failures):
        assert "issuer" in ask(converse)
    assert "ALERT_UNKNOWN_CA" in str(failures).upper()


class Counted:
    """A socket that remembers what was sent over it."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self.sent: list[bytes] = []
        self.recv = wire.recv

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)
        self.wire.sendall(data)


def test_the_last_of_a_handshake_goes_with_the_first_message(ask: Ask[int], authority: CertificateAuthority) -> None:
    """A packet less for each node, for which nobody is woken."""

    def converse() -> int:
        with dial("127.0.0.1", port, PATIENCE_S) as wire:
            counted: Any = Counted(wire)
            peer = TlsStream(counted, trusting(verify=True, ca_file=str(authority.certificate)), "127.0.0.1")
            peer.shake_hands()
            peer.sendall(b"hello")
            assert peer.recv(10) == b"hello"
            return len(counted.sent)

    with server(authority, lambda peer: peer.sendall(peer.recv(10))) as (port, _):
        assert ask(converse) == 2


def test_who_says_nothing_is_not_waited_for_any_longer(ask: Ask[type[BaseException]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def converse() -> type[BaseException]:
            peer = stream(listener.getsockname()[1], Path(), bound_s=0.2)
            with pytest.raises(TimeoutError) as raised:
                peer.shake_hands()
            peer.close()
            return raised.type

        assert ask(converse) is TimeoutError


def test_who_hangs_up_in_the_handshake_has_ended_it(ask: Ask[object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            wire, _ = listener.accept()
            wire.recv(10_000)
            wire.close()

        thread = threading.Thread(target=hang_up)
        thread.start()

        def converse() -> None:
            peer = stream(listener.getsockname()[1], Path())
            with pytest.raises(ssl.SSLEOFError):
                peer.shake_hands()
            peer.close()

        ask(converse)
        thread.join(PATIENCE_S)

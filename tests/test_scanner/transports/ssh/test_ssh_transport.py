"""The SSH transport against peers that are no sshd: silent, babbling, garbled, gone; and passwords."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.inventory.model import Node, SshSettings
from scanner.secrets.secret import Secret
from scanner.transports.protocol import Limits
from scanner.transports.ssh.transport import SshTransport
from tests.threads import no_threads_left

__all__ = ["no_threads_left"]

Serve = Callable[[socket.socket], object]


@pytest.fixture
def listen() -> Iterator[Callable[[Serve], int]]:
    """Serves every connection with a function in a thread; the port."""
    listeners: list[socket.socket] = []
    wires: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(wire: socket.socket, function: Serve) -> None:
        with suppress(OSError, EOFError, paramiko.SSHException):
            function(wire)

    def accept(listener: socket.socket, function: Serve) -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            wires.append(wire)
            threads.append(threading.Thread(target=serve, args=(wire, function)))
            threads[-1].start()

    def start(function: Serve) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=accept, args=(listener, function)))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for one in (*listeners, *wires):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
    for thread in threads:
        thread.join(5)


def transport(
    port: int, timeout_s: float = 10, /, *, gate: threading.Semaphore | None = None, **changes: object
) -> SshTransport:
    settings: dict[str, object] = {"user": "u", "port": port, "agent": False, "ssh_config": "", "known_hosts": "/none"}
    host = str(changes.pop("host", "127.0.0.1"))
    ssh = SshSettings(**{**settings, **changes})  # type: ignore[arg-type]
    node = Node(cluster="c", name="n", host=host, product="chef-backend", roles=("backend",), transport="ssh", ssh=ssh)
    return SshTransport(node, Limits(timeout_s=timeout_s), gate=gate)


def fails(kind: type[NodeError], door: SshTransport, match: str) -> NodeError:
    with pytest.raises(NodeError, match=match) as caught:
        door.run("true")
    assert isinstance(caught.value, kind), repr(caught.value)
    return caught.value


def quietly(wire: socket.socket) -> None:
    while wire.recv(4096):
        pass


def test_a_silent_server_ends_at_the_deadline(listen: Callable[[Serve], int]) -> None:
    started = time.monotonic()
    fails(DeadlineError, transport(listen(quietly), 0.5), "did not get through the SSH handshake within 0.5 s")
    assert time.monotonic() - started < 2


def test_an_endless_banner_ends_before_the_deadline(listen: Callable[[Serve], int]) -> None:
    def babble(wire: socket.socket) -> None:
        while True:
            wire.sendall(b"x" * 4096)

    fails(ProtocolError, transport(listen(babble)), "answers 'xxxxx.*', which is not SSH")


def test_endless_lines_before_the_banner(listen: Callable[[Serve], int]) -> None:
    def babble(wire: socket.socket) -> None:
        while True:
            wire.sendall(b"hello\r\n" * 10)

    fails(ProtocolError, transport(listen(babble)), "answers 'hello', which is not SSH")


def test_a_web_server(listen: Callable[[Serve], int]) -> None:
    def http(wire: socket.socket) -> None:
        wire.recv(100)
        wire.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n")
        wire.shutdown(socket.SHUT_WR)

    door = transport(listen(http))
    error = fails(ProtocolError, door, "answers 'HTTP/1.1 400 Bad Request', which is not SSH")
    assert "port" in error.hint
    assert door.usage.connections == 1


def test_a_packet_of_two_gigabytes_is_not_collected(listen: Callable[[Serve], int]) -> None:
    def flood(wire: socket.socket) -> None:
        wire.sendall(b"SSH-2.0-x\r\n" + (2**31 - 4).to_bytes(4, "big") + b"\x04\x14" + b"x" * 1000)
        quietly(wire)

    started = time.monotonic()
    fails(ProtocolError, transport(listen(flood), 5), "a packet of 21474836.. bytes")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-x\r\n" + b"\xff" * 4096, b"SSH-2.0-x\r\n\0\0\0\x0c\x04" + b"\x63" * 60, b"SSH-1.5-old\r\n"]
)
def test_garbage_after_the_version_line(listen: Callable[[Serve], int], garbage: bytes) -> None:
    def babble(wire: socket.socket) -> None:
        wire.sendall(garbage)
        wire.shutdown(socket.SHUT_WR)
        quietly(wire)

    with pytest.raises((ProtocolError, ConnectionLostError)):
        transport(listen(babble)).run("true")


def test_a_server_that_hangs_up_at_once_gets_one_more_knock(listen: Callable[[Serve], int]) -> None:
    def hang_up(wire: socket.socket) -> None:
        wire.shutdown(socket.SHUT_RDWR)

    door = transport(listen(hang_up))
    error = fails(ConnectionLostError, door, "closed the connection before saying anything")
    assert "MaxStartups" in error.hint
    assert (door.usage.connections, door.usage.commands) == (2, 0)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    door = transport(port)
    fails(UnreachableError, door, f"nobody listens at port {port} ")
    assert door.usage.connections == 1


def test_names_that_do_not_exist() -> None:
    fails(UnreachableError, transport(22, host="no-such-host.invalid"), "the name no-such-host.invalid is not found")
    fails(UnreachableError, transport(22, host="x" * 300), "is not found")


def test_a_host_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: object) -> None:
        raise TimeoutError(errno.ETIMEDOUT, "timed out")

    monkeypatch.setattr(socket.socket, "connect", connect)
    fails(UnreachableError, transport(22), "no answer from port 22")


def test_the_gate_is_entered_after_the_connect_and_left_on_failure(listen: Callable[[Serve], int]) -> None:
    gate = threading.Semaphore(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with gate:
        fails(UnreachableError, transport(port, gate=gate), "nobody listens")
    fails(DeadlineError, transport(listen(quietly), 0.2, gate=gate), "within 0.2 s")
    assert gate.acquire(blocking=False)


class Server(paramiko.ServerInterface):
    """Lets in with a password, by the methods that it is told to offer."""

    def __init__(self, methods: str, questions: Sequence[str] = ("Password: ",)) -> None:
        self.methods, self.questions = methods, list(questions)

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def check_auth_password(self, username: str, password: str) -> int:
        right = "password" in self.methods and password == "secret-canary"
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        return self.ask()

    def ask(self) -> int | InteractiveQuery:
        if not self.questions:
            return AUTH_SUCCESSFUL
        query = InteractiveQuery("", "")
        query.add_prompt(self.questions.pop(0), echo=False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        return self.ask() if responses == ["secret-canary"] else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if "no-exec" in self.methods:
            return False
        threading.Thread(target=self.answer, args=(channel,), daemon=True).start()
        return True

    def answer(self, channel: paramiko.Channel) -> None:
        while channel.recv(4096):
            pass
        channel.sendall(b"in\n")
        channel.send_exit_status(0)
        with suppress(EOFError):  # the client knows all it needs, and may be gone
            channel.close()


HOST_KEY = paramiko.ECDSAKey.generate()


def password_server(server: Callable[[], Server]) -> Serve:
    def serve(wire: socket.socket) -> None:
        peer = paramiko.Transport(wire)
        peer.add_server_key(HOST_KEY)
        peer.start_server(server=server())
        peer.join(10)
        peer.close()

    return serve


def with_password(port: int, text: str = "secret-canary") -> SshTransport:
    return transport(port, host_key=HOST_KEY.fingerprint, password=Secret(text))


@pytest.mark.parametrize("methods", ["password", "publickey,password", "keyboard-interactive"])
def test_a_password_is_taken_by_either_method(listen: Callable[[Serve], int], methods: str) -> None:
    port = listen(password_server(lambda: Server(methods)))
    assert with_password(port).run("true") == b"in\n"
    error = fails(AuthenticationError, with_password(port, "wrong-canary"), "refused: offered the password")
    assert "canary" not in str(error) + error.hint


def test_a_server_that_takes_no_password(listen: Callable[[Serve], int]) -> None:
    port = listen(password_server(lambda: Server("publickey")))
    fails(AuthenticationError, with_password(port), "the server accepts publickey")


def test_the_password_goes_to_no_other_question(listen: Callable[[Serve], int]) -> None:
    port = listen(password_server(lambda: Server("keyboard-interactive", ["Password: ", "Verification code: "])))
    error = fails(NodeError, with_password(port), "asks for more than a password: 'Verification code: '")
    assert "canary" not in str(error)


def test_a_key_and_a_password_where_the_server_wants_both(listen: Callable[[Serve], int], tmp_path: Path) -> None:
    class Strict(Server):
        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            self.methods = "password"
            return AUTH_PARTIALLY_SUCCESSFUL

    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    port = listen(password_server(lambda: Strict("publickey")))
    key, host_key = str(tmp_path / "key"), HOST_KEY.fingerprint
    door = transport(port, key_file=key, host_key=host_key, password=Secret("secret-canary"))
    assert door.run("true") == b"in\n"
    door = transport(port, key_file=key, host_key=host_key)
    fails(AuthenticationError, door, "wants another method besides.*the server accepts password")


class Guarded(Server):
    """Wants one method after the other, and writes down what is tried."""

    def __init__(self, order: Sequence[str], tries: list[str]) -> None:
        super().__init__(order[0])
        self.order, self.tries = list(order), tries

    def judged(self, method: str, right: bool) -> int:
        self.tries.append(method)
        if not right or method != self.order[0]:
            return AUTH_FAILED
        self.order.pop(0)
        self.methods = self.order[0] if self.order else ""
        return AUTH_PARTIALLY_SUCCESSFUL if self.order else AUTH_SUCCESSFUL

    def check_auth_password(self, username: str, password: str) -> int:
        return self.judged("password", password == "secret-canary")

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self.judged("publickey", "publickey" in self.order)


def test_a_password_that_is_wanted_before_the_key(listen: Callable[[Serve], int], tmp_path: Path) -> None:
    key = tmp_path / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    tries: list[str] = []
    port = listen(password_server(lambda: Guarded(("password", "publickey"), tries)))
    settings: dict[str, Any] = {"key_file": str(key), "host_key": HOST_KEY.fingerprint}
    assert transport(port, **settings, password=Secret("secret-canary")).run("true") == b"in\n"
    assert tries == ["publickey", "password", "publickey"]
    error = fails(AuthenticationError, transport(port, **settings), "the server accepts password")
    assert str(key) in str(error)


def test_the_password_has_its_turn_before_the_server_loses_patience(
    listen: Callable[[Serve], int], tmp_path: Path
) -> None:
    """sshd hangs up after six tries, unless it is told otherwise."""
    config = tmp_path / "config"
    keys = [tmp_path / f"key{number}" for number in range(7)]
    for key in keys:
        paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    config.write_text("".join(f"IdentityFile {key}\n" for key in keys))
    tries: list[str] = []
    settings: dict[str, Any] = {"ssh_config": str(config), "host_key": HOST_KEY.fingerprint}

    class Patient(Guarded):
        def get_allowed_auths(self, username: str) -> str:
            return "publickey,password"

    port = listen(password_server(lambda: Patient(("password",), tries)))
    assert transport(port, **settings, password=Secret("secret-canary")).run("true") == b"in\n"
    assert tries == ["publickey"] * 5 + ["password"]
    tries.clear()
    error = fails(AuthenticationError, transport(port, **settings, password=Secret("wrong")), "refused: offered ")
    assert "so that the password had its turn" in str(error)
    tries.clear()
    fails(AuthenticationError, transport(port, **settings), "refused: offered ")
    assert tries == ["publickey"] * 7


def test_an_unknown_server_gets_no_password(listen: Callable[[Serve], int]) -> None:
    asked: list[str] = []

    class Curious(Server):
        def check_auth_password(self, username: str, password: str) -> int:
            asked.append(password)
            return AUTH_SUCCESSFUL

    port = listen(password_server(lambda: Curious("password")))
    fails(UntrustedPeerError, transport(port, password=Secret("secret-canary")), "is not known: ecdsa-sha2-nistp256")
    assert not asked


def test_a_server_that_runs_no_commands(listen: Callable[[Serve], int]) -> None:
    port = listen(password_server(lambda: Server("password,no-exec")))
    fails(RefusedError, with_password(port), "refuses to run commands")


def test_what_paramiko_logs_stays_off_the_terminal(
    listen: Callable[[Serve], int], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(NodeError):
        transport(listen(lambda wire: wire.sendall(b"SSH-2.0-x\r\n" + b"\xff" * 4096))).run("true")
    assert capfd.readouterr() == ("", "")

"""An SSH server that plays one node: real handshake, real login, and the answers of a scenario.

It runs nothing that it is sent: behind it is a simulated shell, which takes only the batches that scans compose,
compared byte for byte.
"""

from __future__ import annotations

import io
import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from checks.common.dataclass import dataclass
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.servers.listener import Listener, Stoppable

if TYPE_CHECKING:
    import paramiko

SERVER_FAULTS = (
    *("refuse", "silent", "endless-banner", "not-ssh", "hang", "cut", "garbage", "empty"),
    *("truncated", "non-utf8", "babble", "no-shell"),
)
"""Those faults of SSH that this server plays itself; the others are a matter of keys and answers."""

_LOG = "scanner.lab.ssh"
_STEP_S = 10.0
_PIECE = 256 * 1024
_MAX_SCRIPT_BYTES = 4 * 1024 * 1024

# What paramiko says about clients that hang up is part of many scenarios, and of no interest on stderr.
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False


def generate_key() -> bytes:
    """A new Ed25519 private key, as OpenSSH writes it."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def public_key(private: bytes) -> str:
    """The public half of `generate_key`'s, as `ssh-ed25519 AAAA...`."""
    key = serialization.load_ssh_private_key(private, None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode("ascii")
    )


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log in."""

    user: str
    password: str = ""
    """Empty: no password is good."""
    keys: tuple[str, ...] = ()
    """Public keys, as `public_key` gives them."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the server was asked, for tests."""

    connections: int = 0
    logins: list[str] = field(default_factory=list)
    """The method of each login that was accepted."""
    refused: int = 0
    """Logins that were not."""
    commands: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)


class Shell(Protocol):
    """What the account's commands are given to."""

    def refuses(self, command: str) -> CommandOutput | None:
        """What is said, without a look at standard input, of a command that cannot be run; None of one that can."""
        ...

    def greets(self, command: str, line: bytes, wait: Callable[[float], object]) -> bytes:
        """What is printed once the first line of standard input that says something has come. `wait` spends seconds."""
        ...

    def run(
        self, command: str, stdin: bytes, *, wait: Callable[[float], object], non_utf8: bool = False
    ) -> Iterator[bytes | int]:
        """The output in the pieces in which it would come, then the exit code. `wait` spends seconds."""
        ...


class SshServer(Stoppable):
    """Listens on a free loopback port (`port`) with a host key of its own (`host_key`).

    `shell` is what its commands are given to. Raises ValueError for an unknown fault.
    """

    def __init__(self, login: Login, shell: Shell, *, fault: str = "", babble_bytes: int = 50_000_000) -> None:
        if fault and fault not in SERVER_FAULTS:
            raise ValueError(f"no SSH server fault {fault!r}; there are: {', '.join(SERVER_FAULTS)}")
        self._login = login
        self._shell = shell
        self._fault = fault
        self._babble_bytes = babble_bytes
        self._private = generate_key()
        self.host_key = public_key(self._private)
        self.seen = Seen()
        self._listener = Listener(self._serve, refuse=fault == "refuse", name="lab-ssh")
        self.port = self._listener.port

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads."""
        self._listener.stop()

    def _serve(self, connection: socket.socket) -> None:
        self.seen.connections += 1
        if self._fault == "silent":
            self._listener.stopping.wait()
        elif self._fault == "endless-banner":
            while not self._listener.stopping.wait(0.001):
                connection.sendall(b"welcome, and please be patient\r\n")
        elif self._fault == "not-ssh":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            connection.recv(1024)
        else:
            self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        import paramiko

        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = _peer(connection)
        transport.set_log_channel(_LOG)
        transport.banner_timeout = transport.auth_timeout = _STEP_S
        try:
            transport.add_server_key(paramiko.Ed25519Key.from_private_key(io.StringIO(self._private.decode("ascii"))))
            transport.start_server(server=_interface(self._login, self.seen))
            channel = transport.accept(_STEP_S)
            if channel is not None:
                self._answer(transport, channel)
        except (paramiko.SSHException, EOFError):
            # The client does not trust us, or has gone: its business.
            return
        finally:
            transport.close()
            transport.join(_STEP_S)

    def _answer(self, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        command = self._command(transport)
        if command is None:
            return
        if self._fault == "no-shell":
            self._finish(transport, channel, b"This account is currently not available.\n", 1)
            return
        refused = self._shell.refuses(command)
        if refused:
            self._finish(transport, channel, refused.output.encode(), refused.exit_code)
            return
        script = b""
        greeted = False
        while len(script) < _MAX_SCRIPT_BYTES and (chunk := channel.recv(65536)):
            script += chunk
            line, end, _ = script.lstrip(b"\n").partition(b"\n")
            if not greeted and end:
                greeted = True
                channel.sendall(self._shell.greets(command, line + end, self._wait))
        self.seen.scripts.append(script.decode("utf-8", errors="backslashreplace"))
        if self._fault == "hang":
            while transport.is_active() and not self._listener.stopping.wait(0.05):
                pass
            return
        if self._fault == "babble":
            self._finish(transport, channel, b"babble, " * (self._babble_bytes // 8), 0)
            return
        output = b""
        code = 0
        odd = self._fault == "non-utf8"
        for part in self._shell.run(command, script, wait=self._wait, non_utf8=odd):
            if isinstance(part, int):
                code = part
            elif self._fault in ("cut", "garbage", "empty", "truncated"):
                output += part
            else:
                channel.sendall(part)
        if self._fault == "cut":
            channel.sendall(_beginning(output))
            transport.close()
            return
        spoilt = {"garbage": bytes(range(1, 256)) * 8, "truncated": _beginning(output), "empty": b""}
        self._finish(transport, channel, spoilt.get(self._fault, b""), code)

    def _wait(self, seconds: float) -> None:
        self._listener.stopping.wait(seconds)

    def _command(self, transport: paramiko.Transport) -> str | None:
        """The exec request, which comes in after the channel was opened; None where none comes."""
        deadline = time.monotonic() + _STEP_S
        while not _command_of(transport) and transport.is_active() and time.monotonic() < deadline:
            self._listener.stopping.wait(0.002)
        return _command_of(transport)

    def _finish(self, transport: paramiko.Transport, channel: paramiko.Channel, output: bytes, code: int) -> None:
        # In pieces: paramiko copies what is left of a text for each packet that it sends of it.
        for begin in range(0, len(output), _PIECE):
            channel.sendall(output[begin : begin + _PIECE])
        channel.send_exit_status(code)
        channel.close()
        # Hanging up first could overtake the last bytes.
        deadline = time.monotonic() + _STEP_S
        while transport.is_active() and time.monotonic() < deadline and not self._listener.stopping.wait(0.01):
            pass


def _peer(connection: socket.socket) -> paramiko.Transport:
    """The library's server, taught to pass over what a client sends on a wrong guess (RFC 4253, 7): Dropbear's does."""
    import paramiko
    from paramiko.message import Message

    class Peer(paramiko.Transport):
        """A server that minds `first_kex_packet_follows`."""

        def _parse_kex_init(self, message: Message) -> None:
            guess: dict[str, Any] = self._really_parse_kex_init(Message(message.asbytes()))  # type: ignore[attr-defined]  # not in its stubs
            super()._parse_kex_init(message)  # type: ignore[misc]  # the same
            ours = (self.preferred_kex[0], self.preferred_keys[0])
            if guess["kex_follows"] and (guess["kex_algo_list"][0], guess["server_key_algo_list"][0]) != ours:
                peer: Any = self
                peer.kex_engine = _PassesOver(self, self.kex_engine)

    return Peer(connection)


class _PassesOver:
    """An exchange of keys before which one message is dropped."""

    def __init__(self, peer: Any, engine: Any) -> None:
        self._peer, self._engine = peer, engine

    def start_kex(self) -> None:
        """Begin, as the server that waits."""
        self._engine.start_kex()

    def parse_next(self, kind: int, _message: Any) -> None:
        """Forget what comes next."""
        self._peer.kex_engine = self._engine
        self._peer._expect_packet(kind)  # noqa: SLF001  the library has no other way


def _command_of(transport: paramiko.Transport) -> str | None:
    """The command that was asked for, if any yet."""
    command: str | None = getattr(transport.server_object, "command", None)
    return command


def _interface(login: Login, seen: Seen) -> paramiko.ServerInterface:
    """Paramiko's callbacks for one connection, made late: importing paramiko takes long."""
    import paramiko
    from paramiko import common

    class Interface(paramiko.ServerInterface):
        """Lets `login` in and takes one command."""

        command: str | None = None

        def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002  paramiko's signature
            return ",".join(["publickey"] * bool(login.keys) + ["password"] * bool(login.password)) or "publickey"

        def check_auth_password(self, username: str, password: str) -> int:
            return self._judged(bool(login.password) and password == login.password, username, "password")

        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            return self._judged(f"{key.get_name()} {key.get_base64()}" in login.keys, username, "publickey")

        def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002  the same
            return int(common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)

        def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: ARG002
            if self.command is not None:
                return False
            self.command = command.decode("utf-8", errors="backslashreplace")
            seen.commands.append(self.command)
            return True

        def _judged(self, good: bool, user: str, method: str) -> int:
            if good and user == login.user:
                seen.logins.append(method)
                return int(common.AUTH_SUCCESSFUL)
            seen.refused += 1
            return int(common.AUTH_FAILED)

    return Interface()


def _beginning(output: bytes) -> bytes:
    """What comes of an output that is cut off: it ends before the blanks do that the scanner's script ends with."""
    said = output.partition(b" " * 64)[0]
    return output[: min(len(output) // 8, len(said) // 2)]

"""Every exception class that the SSH libraries can raise has a meaning of its own at the door."""

from __future__ import annotations

import inspect
import pkgutil
import socket
from collections.abc import Iterator
from importlib import import_module

import cryptography.exceptions
import nacl.exceptions
import paramiko
import paramiko.ssh_exception
import pytest

from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    UnreachableError,
)
from scanner.transports.ssh.errors import ORIGINS, Phase, origin, translate


def foreign_exceptions() -> Iterator[type[BaseException]]:
    modules = [paramiko, nacl.exceptions, cryptography.exceptions]
    modules += [
        import_module(f"paramiko.{module.name}")
        for module in pkgutil.iter_modules(paramiko.__path__)
        if not module.name.startswith(("win_", "_win"))
    ]
    for module in modules:
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Exception) and not issubclass(found, Warning):
                yield found


FOREIGN = sorted(set(foreign_exceptions()), key=lambda kind: f"{kind.__module__}.{kind.__name__}")
INTERNAL = {
    "NeedRekeyException",  # caught in paramiko's reader, which starts the new key exchange
    "PipeTimeout",  # becomes socket.timeout in Channel.recv
}


def test_the_walk_finds_the_libraries_exceptions() -> None:
    names = {kind.__name__ for kind in FOREIGN}
    assert {"SSHException", "BadHostKeyException", "NoValidConnectionsError", "InvalidTag", "CryptoError"} <= names


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_no_foreign_exception_is_unmapped(kind: type[BaseException]) -> None:
    if kind.__name__ not in INTERNAL:
        assert any(issubclass(kind, mapped) for mapped, _ in ORIGINS), f"{kind} has no place in ssh_errors.ORIGINS"


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("mapped", [kind for kind, _ in ORIGINS], ids=lambda kind: kind.__name__)
def test_each_becomes_one_line(phase: Phase, mapped: type[BaseException]) -> None:
    error = mapped.__new__(mapped)
    error.args = ("two\nlines",)
    if isinstance(error, paramiko.BadHostKeyException):
        key = paramiko.PKey()
        error.__init__("web1", key, key)  # type: ignore[misc]
    elif isinstance(error, paramiko.ProxyCommandFailure):
        error.__init__("nc", "two\nlines")  # type: ignore[misc]
    elif isinstance(error, UnicodeError) and mapped is not UnicodeError:
        error.args = ()
    told = translate(error, phase, "web1:22")
    assert isinstance(told, NodeError)
    assert "\n" not in str(told)
    assert "web1" in str(told)


CASES = [
    (socket.gaierror(-2, "Name or service not known"), Phase.CONNECT, UnreachableError, "name web1 is not found"),
    (ConnectionRefusedError(111, "refused"), Phase.CONNECT, UnreachableError, "nobody listens"),
    (TimeoutError("timed out"), Phase.CONNECT, UnreachableError, "no answer from web1:22"),
    (OSError(113, "No route to host"), Phase.CONNECT, UnreachableError, "no route"),
    (OSError(13, "Permission denied"), Phase.CONNECT, UnreachableError, "Permission denied"),
    (OSError(104, "reset"), Phase.RUN, ConnectionLostError, "during running the script"),
    (EOFError(), Phase.RUN, ConnectionLostError, "closed the connection"),
    (EOFError(), Phase.HANDSHAKE, ConnectionLostError, "before saying anything"),
    (
        paramiko.AuthenticationException("Authentication failed: transport shut down or saw EOF"),
        Phase.LOGIN,
        ConnectionLostError,
        "closed the connection during the login",
    ),
    (paramiko.AuthenticationException("Authentication failed."), Phase.LOGIN, AuthenticationError, "did not accept"),
    (paramiko.ChannelException(2, "Connect failed"), Phase.RUN, NodeError, "opens no session: Connect failed"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), Phase.HANDSHAKE, ProtocolError, "makes no sense"),
    (RuntimeError("never thought of"), Phase.RUN, ProtocolError, "unexpected.*RuntimeError: never thought of"),
]


@pytest.mark.parametrize(("error", "phase", "kind", "match"), CASES)
def test_what_a_user_reads(error: Exception, phase: Phase, kind: type[NodeError], match: str) -> None:
    with pytest.raises(kind, match=match):
        raise translate(error, phase, "web1:22")


def test_our_own_errors_pass_unchanged() -> None:
    ours = DeadlineError("late")
    assert translate(ours, Phase.RUN, "web1:22") is ours


def test_an_unforeseen_exception_has_no_origin() -> None:
    assert origin(RuntimeError()) is None


def test_why_the_server_hung_up_is_passed_on() -> None:
    gone = translate(EOFError(), Phase.LOGIN, "web1:22", farewell="Too many authentication failures")
    assert isinstance(gone, AuthenticationError)
    assert "key_file" in gone.hint
    assert isinstance(translate(EOFError(), Phase.RUN, "web1:22", farewell="going down"), ConnectionLostError)

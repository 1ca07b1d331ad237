"""The door: whatever the libraries can raise comes out as one of ours, in one readable line."""

from __future__ import annotations

import http.client
import http.cookiejar
import inspect
import socket
import ssl
import struct
import types
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace

import pytest
import spnego.exceptions

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
from scanner.inventory.model import WinrmSettings
from scanner.secrets.secret import Secret
from scanner.transports.powershell.output import first_line
from scanner.transports.winrm.authentication.login import (
    NoLoginError,
    OldCredsspError,
    RefusedStepError,
    Stage,
    UnprovenNodeError,
)
from scanner.transports.winrm.errors import translate
from scanner.transports.winrm.exchange import faults
from scanner.transports.winrm.refusals import OPERATION_QUOTA, SHELL_QUOTA
from scanner.transports.winrm.situation import Situation

AT = Situation(
    host="web1.corp.example",
    settings=WinrmSettings(user="CORP\\svc", password=Secret("canary"), auth="ntlm"),
    requests=5,
    stage=Stage.ACCEPTED,
)
LIBRARIES = (faults, spnego.exceptions, http.client, http.cookiejar, ssl, socket)


def classes(module: types.ModuleType) -> Iterator[type[Exception]]:
    for name, each in inspect.getmembers(module, inspect.isclass):
        own = each is not Exception and not name.startswith("_")
        if issubclass(each, Exception) and not issubclass(each, Warning) and own:
            yield each


def specimen(kind: type[Exception]) -> Exception:
    """An instance as bare as can be, whatever the constructor wants."""
    if issubclass(kind, faults.FaultError):
        return kind("The reason", wsman_code=1)
    if issubclass(kind, spnego.exceptions.FeatureMissingError):
        return kind(spnego.exceptions.NegotiateOptions.session_key)
    if issubclass(kind, faults.StatusError):
        return kind(500)
    if kind is spnego.exceptions.GSSError:
        # The system's own where there is one, which wants numbers; else a plain Exception.
        return kind(851968, 0) if kind is not Exception else kind("said something")
    try:
        return kind("said something")
    except TypeError:
        return kind.__new__(kind, "said something")


EVERYTHING = [(module.__name__, kind) for module in LIBRARIES for kind in classes(module)]


def test_the_walk_finds_what_the_libraries_have() -> None:
    found = {name: sum(1 for each, _ in EVERYTHING if each == name) for name in {name for name, _ in EVERYTHING}}
    assert found["scanner.transports.winrm.exchange.faults"] == 3
    assert found["ssl"] >= 7
    assert found["spnego.exceptions"] > 12
    assert found["http.client"] > 10


@pytest.mark.parametrize(("module", "kind"), EVERYTHING, ids=[f"{name}.{kind.__name__}" for name, kind in EVERYTHING])
def test_no_class_of_the_libraries_is_unmapped(module: str, kind: type[Exception]) -> None:
    found = translate(specimen(kind), AT)
    assert isinstance(found, NodeError)
    assert type(found) is not NodeError
    assert str(found)
    assert str(found).isprintable()
    assert "canary" not in f"{found} {found.hint}"


@pytest.mark.parametrize(
    "error",
    [
        ET.ParseError("syntax error"),
        StopIteration(),
        AssertionError(),
        KeyError("Content-Type"),
        IndexError("list index out of range"),
        AttributeError("'str' object has no attribute 'x'"),
        TypeError("no"),
        ValueError("invalid literal"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        struct.error("unpack requires 4 bytes"),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_answers_that_make_no_sense_are_protocol_errors(error: Exception) -> None:
    assert isinstance(translate(error, AT), ProtocolError)


def test_defects_of_our_own_are_not_dressed_up() -> None:
    assert translate(NotImplementedError(), AT) is None
    assert translate(MemoryError(), AT) is None


def test_our_own_errors_pass_untouched() -> None:
    ours = DeadlineError("late", partial=b"half")
    assert translate(ours, AT) is ours


def wrapped(inner: Exception) -> Exception:
    """As it may come through a library: its own error around the socket's, with that as an argument or a cause."""
    error = OSError("Connection aborted.", inner)
    error.__cause__ = inner
    return error


def verification(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (wrapped(ConnectionResetError(104, "reset")), ConnectionLostError, "mid-conversation"),
        (wrapped(http.client.RemoteDisconnected("closed")), ConnectionLostError, "mid-conversation"),
        (wrapped(BrokenPipeError(32, "pipe")), ConnectionLostError, "mid-conversation"),
        (wrapped(http.client.IncompleteRead(b"x", 5)), ConnectionLostError, "mid-conversation"),
        (wrapped(http.client.BadStatusLine("SSH-2.0-OpenSSH_9.2")), ProtocolError, "not speak HTTP, but: SSH-2.0"),
        (wrapped(http.client.BadStatusLine("\x15\x03\x01")), ProtocolError, "speaks TLS"),
        (wrapped(ConnectionRefusedError(111, "refused")), UnreachableError, "refuses connections"),
        (wrapped(socket.gaierror(-2, "unknown")), UnreachableError, "cannot be resolved"),
        (OSError(113, "No route to host"), UnreachableError, "No route to host"),
        (wrapped(verification(18, "self-signed certificate")), UntrustedPeerError, "self-signed"),
        (wrapped(verification(62, "Hostname mismatch")), UntrustedPeerError, "not made out to"),
        (wrapped(verification(10, "certificate has expired")), UntrustedPeerError, "expired"),
        (TimeoutError("slow"), DeadlineError, "in time"),
        (faults.OperationTimeoutError(), DeadlineError, "operation"),
        (RefusedStepError(), ConnectionLostError, "in mid-conversation"),
        (OldCredsspError(2), RefusedError, "CVE-2018-0886"),
        (UnprovenNodeError(), UntrustedPeerError, "does not prove that it is the node"),
        (NoLoginError(), ProtocolError, "is it WinRM"),
        (spnego.exceptions.BadMICError(), ProtocolError, "sealed message"),
        (spnego.exceptions.NoCredentialError(), AuthenticationError, "login failed"),
        (faults.StatusError(404), ProtocolError, "nothing serves /wsman"),
    ],
)
def test_words_and_kinds(error: Exception, kind: type[NodeError], message: str) -> None:
    found = translate(error, AT)
    assert type(found) is kind
    assert message in str(found)


@pytest.mark.parametrize(
    ("stage", "kind", "message", "hint"),
    [
        (Stage.OFFERED, ProtocolError, "no challenge came", "password was not tried"),
        (Stage.BEGUN, ProtocolError, "no challenge came", "Authorization header"),
        (Stage.CHALLENGED, ProtocolError, "before it looked at the password", "not the cause"),
        (Stage.ANSWERED, AuthenticationError, "rejects the ntlm login", "once: repeated attempts lock"),
        (Stage.ACCEPTED, ConnectionLostError, "forgot in mid-conversation", "user and password are right"),
    ],
)
def test_what_a_401_means_depends_on_the_step(stage: Stage, kind: type[NodeError], message: str, hint: str) -> None:
    found = translate(RefusedStepError(), replace(AT, stage=stage, offered="Negotiate"))
    assert type(found) is kind
    assert message in str(found)
    assert hint in found.hint


@pytest.mark.parametrize(
    ("stage", "message", "hint"),
    [
        (Stage.BEGUN, "before the password was proven", "not the cause"),
        (Stage.CHALLENGED, "before the password was proven", "load balancer"),
        (Stage.ANSWERED, "before the node said yes or no", "no wrong password"),
        (Stage.ACCEPTED, "in mid-conversation", ""),
    ],
)
def test_a_connection_that_ends_in_a_login_is_no_wrong_password(stage: Stage, message: str, hint: str) -> None:
    for inner in (ConnectionResetError(104, "reset"), http.client.RemoteDisconnected("closed")):
        found = translate(wrapped(inner), replace(AT, stage=stage))
        assert isinstance(found, ConnectionLostError)
        assert message in str(found)
        assert hint in found.hint
        assert "check `user`" not in found.hint


def test_basic_and_certificates_are_not_forgotten_either() -> None:
    settings = WinrmSettings(user="svc", password=Secret("canary"), auth="basic")
    found = translate(
        RefusedStepError(),
        Situation(host="web1", settings=settings, requests=3, offered="Basic"),
    )
    assert isinstance(found, ConnectionLostError)
    first = translate(
        RefusedStepError(),
        Situation(host="web1", settings=settings, requests=1, offered="Basic"),
    )
    assert isinstance(first, AuthenticationError)


@pytest.mark.parametrize("as_wmi", [False, True])
@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        (SHELL_QUOTA, "as many WinRM shells", "MaxShellsPerUser"),
        (OPERATION_QUOTA, "as many WinRM operations", "MaxConcurrentOperationsPerUser"),
        (5, "access is denied", "Remote Management Users"),
        (2150858843, "fault 2150858843: The shell was not found", ""),
    ],
)
def test_faults_by_number(number: int, message: str, hint: str, as_wmi: bool) -> None:
    wsman_code, wmi_code = (None, number) if as_wmi else (number, None)
    error = faults.FaultError("The shell was\r\n not found", wsman_code=wsman_code, wmi_code=wmi_code)
    found = translate(error, AT)
    assert isinstance(found, RefusedError)
    assert message in str(found)
    assert hint in found.hint


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        (b"", ""),
        (b"\r\n  plain words\r\nmore", "plain words"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b'#< CLIXML\r\n<Objs><S S="Error">first_x000D__x000A_second</S></Objs>', "first"),
        (b'#< CLIXML\r\n<Objs><S S="Verbose">chat</S><S S="Error">cause</S></Objs>', "cause"),
        (b'#< CLIXML\r\n<Objs><S S="Error">cut of', "#< CLIXML"),
        (b'#< CLIXML\r\n<!DOCTYPE a [<!ENTITY b "c">]><Objs><S S="Error">&b;</S></Objs>', "#< CLIXML"),
        (b"x" * 5000, "x" * 299 + "…"),
    ],
)
def test_standard_error_becomes_one_line(stderr: bytes, line: str) -> None:
    assert first_line(stderr) == line


@pytest.mark.parametrize(
    ("number", "shell_open", "message", "hint"),
    [
        # wazuh/wazuh-ansible #581: Access is denied, 2147942405, w:InternalError, in the middle of a conversation.
        (2147942405, True, "the shell was opened, and powershell.exe may not be started in it", 'delivery = "stdin"'),
        (2147942405, False, "access is denied", ""),
        (1260, True, "a policy forbids it", "AppLocker"),
        # ansible/ansible #69595: the pipe has been ended, at Send: somebody killed powershell.exe.
        (2147942509, True, "ended before it had read the script", "endpoint protection"),
        (995, True, "operation aborted", 'delivery = "stdin"'),
    ],
)
def test_a_fault_after_the_shell_was_opened_is_no_right_that_is_missing(
    number: int, shell_open: bool, message: str, hint: str
) -> None:
    error = faults.FaultError("Access is denied. ", wsman_code=number)
    found = translate(error, replace(AT, shell_open=shell_open))
    assert isinstance(found, RefusedError)
    assert message in str(found)
    assert hint in found.hint
    assert ("open remote shells" in str(found)) is not shell_open

"""The one door at which everything that sockets, TLS, HTTP and the login can raise becomes an error of ours.

Importing this loads pyspnego, so it is imported late.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import struct
import xml.etree.ElementTree as ET

import spnego.exceptions

from scanner.errors import (
    AuthenticationError,
    DeadlineError,
    NodeError,
    ProtocolError,
    UnreachableError,
    UntrustedPeerError,
    chain,
)
from scanner.transports.tls.trust import distrust_of
from scanner.transports.winrm.authentication.kerberos import cause_of_kerberos
from scanner.transports.winrm.authentication.login import (
    NoLoginError,
    OldCredsspError,
    RefusedStepError,
    UnprovenNodeError,
    wish_of,
)
from scanner.transports.winrm.authentication.refusals import login_failed, login_refused, old_credssp
from scanner.transports.winrm.certificates import (
    certificate_demanded,
    handshake_refused,
    no_tls_in_common,
    untrusted_certificate,
)
from scanner.transports.winrm.error_text import brief, innermost
from scanner.transports.winrm.exchange.faults import FaultError, OperationTimeoutError, StatusError
from scanner.transports.winrm.foreign_pages import PageError, page_instead
from scanner.transports.winrm.refusals import connection_refused, http_status, lost, wsman_fault
from scanner.transports.winrm.situation import Situation

# Answers that pyspnego and the parsers did not expect surface as these.
_NONSENSE = (
    ET.ParseError,
    StopIteration,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,
    struct.error,
    RecursionError,
)


def translate(error: Exception, at: Situation) -> NodeError | None:
    """The error as the user should read it; None for one that no library of ours raises: a defect."""
    if isinstance(error, NodeError):
        return error
    if isinstance(error, FaultError):
        return wsman_fault(error, at)
    if isinstance(error, RefusedStepError):
        return login_refused(at)
    if isinstance(error, PageError):
        return page_instead(error.page, at.settings.port)
    if isinstance(error, NoLoginError):
        return ProtocolError(
            f"port {at.settings.port} answers without asking for a login: is it WinRM that listens there?",
            hint="check `port` and `path`",
        )
    if isinstance(error, UnprovenNodeError):
        return UntrustedPeerError(
            f"what answers on port {at.settings.port} lets us in and does not prove that it is the node",
            hint="check `host` and `port`; look for a proxy on the way",
        )
    if isinstance(error, OldCredsspError):
        return old_credssp(error, at)
    if isinstance(error, StatusError):
        return http_status(error.code, at)
    if isinstance(error, OperationTimeoutError):
        return DeadlineError("the node did not finish a WS-Management operation in the time it was given")
    told = cause_of_kerberos(error, wish_of(at.host, at.settings))
    if told:
        return told
    if isinstance(error, spnego.exceptions.SpnegoError | spnego.exceptions.NativeError):
        return login_failed(error, at)
    if isinstance(error, spnego.exceptions.FeatureMissingError):
        return AuthenticationError(f"this machine cannot log in with {at.settings.auth}: {error}")
    wire = _wire(error, at)
    if wire:
        return wire
    if isinstance(error, _NONSENSE):
        return _nonsense(error)
    return None


def _wire(error: Exception, at: Situation) -> NodeError | None:
    """Errors of sockets, TLS and HTTP, whatever they are wrapped in."""
    causes = list(chain(error))
    for cause in causes:
        if isinstance(cause, NodeError):
            return cause
        if isinstance(cause, ssl.SSLError):
            found = _tls(cause, at)
            if found:
                return found
        if isinstance(cause, socket.gaierror):
            return UnreachableError(
                f"the name {at.host} cannot be resolved", hint="check `host`, and this machine's DNS"
            )
        if isinstance(cause, ConnectionRefusedError):
            return connection_refused(at)
    for cause in causes:
        if isinstance(cause, http.client.RemoteDisconnected | ConnectionError | http.client.IncompleteRead):
            return lost(at)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, TimeoutError):
            return ProtocolError(f"TLS failed: {innermost(cause)}")
        if isinstance(cause, http.client.HTTPException):
            return _not_http(cause, at)
    if isinstance(error, TimeoutError):
        return DeadlineError("the node did not answer in time")
    if isinstance(error, OSError):
        return UnreachableError(f"cannot talk to {at.host}: {error.strerror or innermost(error)}")
    return None


def _tls(error: ssl.SSLError, at: Situation) -> NodeError | None:
    distrust = distrust_of(error)
    if distrust or isinstance(error, ssl.SSLCertVerificationError):
        return untrusted_certificate(error, distrust, at)
    text = str(error).upper()
    if "EOF" in text and isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return lost(at)
    if (
        "WRONG_VERSION_NUMBER" in text
        or "HTTP_REQUEST" in text
        or "RECORD_LAYER_FAILURE" in text
        or "PACKET_LENGTH" in text
    ):
        return ProtocolError(
            f"port {at.settings.port} does not speak TLS",
            hint='for the http listener (5985) set `scheme = "http"`: ntlm and kerberos encrypt there too',
        )
    if "CERTIFICATE_REQUIRED" in text:
        return certificate_demanded(at)
    if "ALERT_HANDSHAKE_FAILURE" in text:
        return handshake_refused(at)
    if "UNSUPPORTED_PROTOCOL" in text or "ALERT_PROTOCOL_VERSION" in text or "HANDSHAKE_FAILURE" in text:
        return no_tls_in_common(at)
    if at.settings.cert_file and "ALERT" in text:
        return AuthenticationError(
            f"the node rejects the client certificate: {innermost(error)}",
            hint="check `cert_file`, and that the node trusts its issuer",
        )
    return None


def _not_http(error: BaseException, at: Situation) -> NodeError:
    text = str(error)
    if re.match(r"""["']?(\\x15|\x15)(\\x03|\x03)""", text):
        return ProtocolError(
            f"port {at.settings.port} speaks TLS and was asked in plain http", hint='set `scheme = "https"`'
        )
    # What it says instead may be anything, and long.
    quoted = innermost(error).encode("unicode_escape").decode("ascii")
    return ProtocolError(f"port {at.settings.port} does not speak HTTP, but: {brief(quoted, 40)}")


def _nonsense(error: Exception) -> NodeError:
    return ProtocolError(f"the node's answer is not WS-Management: {brief(innermost(error))}")

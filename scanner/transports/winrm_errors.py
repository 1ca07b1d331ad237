"""The one door at which everything that pywinrm and what is below it can raise becomes an error of ours.

Importing this loads requests and pywinrm, so it is imported late.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import struct
import xml.etree.ElementTree as ET
from xml.parsers.expat import ExpatError

import requests.exceptions
import spnego.exceptions
import urllib3.exceptions
import winrm.exceptions

from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.transports.winrm_refusals import (
    Situation,
    brief,
    chain,
    http_status,
    innermost,
    kerberos_failed,
    login_failed,
    login_refused,
    missing_package,
    wsman_fault,
)

_HOSTNAME_MISMATCH = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""

# Answers that pywinrm, requests-ntlm and the parsers did not expect surface as these.
_NONSENSE = (
    ET.ParseError,
    ExpatError,
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
    if isinstance(error, winrm.exceptions.WSManFaultError):
        return wsman_fault(error)
    if isinstance(error, winrm.exceptions.AuthenticationError):
        return login_refused(at)
    if isinstance(error, winrm.exceptions.WinRMTransportError):
        return http_status(error.code, at)
    if isinstance(error, winrm.exceptions.WinRMOperationTimeoutError):
        return DeadlineError("the node did not finish a WS-Management operation in the time it was given")
    if isinstance(error, winrm.exceptions.WinRMError):
        return _winrm(error, at)
    if isinstance(error, spnego.exceptions.SpnegoError | spnego.exceptions.NativeError):
        return login_failed(error, at)
    if isinstance(error, spnego.exceptions.FeatureMissingError):
        return AuthenticationError(f"this machine cannot log in with {at.settings.auth}: {error}")
    if type(error).__module__.split(".")[0] in ("gssapi", "krb5", "requests_credssp") or _is_kerberos(error):
        return kerberos_failed(error, at)
    wire = _wire(error, at)
    if wire:
        return wire
    if isinstance(error, _NONSENSE):
        return _nonsense(error, at)
    return None


def _wire(error: Exception, at: Situation) -> NodeError | None:
    """Errors of sockets, TLS and HTTP, which requests and urllib3 wrap in each other in many ways."""
    causes = list(chain(error))
    for cause in causes:
        if isinstance(cause, NodeError):
            return cause
        if isinstance(cause, urllib3.exceptions.SSLError | ssl.SSLError):
            found = _tls(cause, at)
            if found:
                return found
        if isinstance(cause, PermissionError) and "NTLM challenge" in str(cause):
            return login_refused(at)
        if isinstance(cause, socket.gaierror | urllib3.exceptions.NameResolutionError):
            return UnreachableError(
                f"the name {at.host} cannot be resolved", hint="check `host`, and this machine's DNS"
            )
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(
                f"port {at.settings.port} refuses connections",
                hint="check that WinRM listens there: `winrm enumerate winrm/config/listener` on the node",
            )
    for cause in causes:
        if isinstance(cause, http.client.RemoteDisconnected | ConnectionError | http.client.IncompleteRead):
            return _lost(at)
        if isinstance(cause, ssl.SSLError | urllib3.exceptions.SSLError | requests.exceptions.SSLError):
            return ProtocolError(f"TLS failed: {innermost(cause)}")
        if isinstance(cause, http.client.HTTPException | urllib3.exceptions.InvalidHeader):
            return _not_http(cause, at)
    return _outermost(error, at)


def _outermost(error: Exception, at: Situation) -> NodeError | None:
    timeouts = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
    unreachable = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        urllib3.exceptions.LocationValueError,
        urllib3.exceptions.URLSchemeUnknown,
        urllib3.exceptions.NewConnectionError,
    )
    lost = (
        requests.exceptions.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        urllib3.exceptions.ProtocolError,
        urllib3.exceptions.PoolError,
    )
    if isinstance(error, unreachable):
        return UnreachableError(f"cannot connect to {at.host}: {innermost(error)}")
    if isinstance(error, timeouts):
        return DeadlineError("the node did not answer in time")
    if isinstance(error, lost):
        return _lost(at)
    if isinstance(error, requests.exceptions.RequestException | urllib3.exceptions.HTTPError):
        return ProtocolError(f"the HTTP conversation failed: {innermost(error)}")
    if isinstance(error, OSError):
        return UnreachableError(f"cannot talk to {at.host}: {error.strerror or innermost(error)}")
    return None


def _tls(error: BaseException, at: Situation) -> NodeError | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        mismatch = getattr(error, "verify_code", 0) in _HOSTNAME_MISMATCH
        return _untrusted(getattr(error, "verify_message", "") or innermost(error), at, mismatch=mismatch)
    text = str(error).upper()
    if "EOF" in text and isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _lost(at)
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text or "RECORD_LAYER_FAILURE" in text:
        return ProtocolError(
            f"port {at.settings.port} does not speak TLS",
            hint='for the http listener (5985) set `scheme = "http"`: ntlm and kerberos encrypt there too',
        )
    if "UNSUPPORTED_PROTOCOL" in text or "ALERT_PROTOCOL_VERSION" in text or "HANDSHAKE_FAILURE" in text:
        return ProtocolError(
            "the node and this machine have no TLS version or cipher in common",
            hint="enable TLS 1.2 on the node (Schannel; Windows Server 2008 R2 has it switched off by default)",
        )
    if at.settings.cert_file and "ALERT" in text:
        return AuthenticationError(
            f"the node rejects the client certificate: {innermost(error)}",
            hint="check `cert_file`, and that the node trusts its issuer",
        )
    return None


def _untrusted(reason: str, at: Situation, *, mismatch: bool) -> UntrustedPeerError:
    if mismatch:
        return UntrustedPeerError(
            f"the node's certificate is not made out to {at.host}: {reason.rstrip('.')}",
            hint="set `host` to a name that is in the certificate, or give the listener a certificate with this name",
        )
    return UntrustedPeerError(
        f"the node's certificate is not trusted: {reason.rstrip('.')}",
        hint="set `ca_file` to the certificate of the authority that issued it (PEM)",
    )


def _lost(at: Situation) -> NodeError:
    if at.requests > 1:
        return ConnectionLostError("the node closed the connection in mid-conversation")
    other = "http" if at.settings.scheme == "https" else "https"
    return ConnectionLostError(
        f"port {at.settings.port} closed the connection without an answer to the first {at.settings.scheme} message",
        hint=f'if the listener there speaks {other}, set `scheme = "{other}"`',
    )


def _not_http(error: BaseException, at: Situation) -> NodeError:
    text = str(error)
    if re.match(r"""["']?(\\x15|\x15)(\\x03|\x03)""", text):
        return ProtocolError(
            f"port {at.settings.port} speaks TLS and was asked in plain http", hint='set `scheme = "https"`'
        )
    # What it says instead may be anything, and long.
    quoted = innermost(error).encode("unicode_escape").decode("ascii")
    return ProtocolError(f"port {at.settings.port} does not speak HTTP, but: {brief(quoted, 40)}")


def _is_kerberos(error: Exception) -> bool:
    return type(error).__module__.startswith(
        ("winrm.vendor.requests_kerberos", "kerberos", "pykerberos", "winkerberos")
    )


def _winrm(error: Exception, at: Situation) -> NodeError:
    text = str(error)
    if "not installed" in text:
        return missing_package(at.settings.auth)
    if "Encrypted length" in text:
        return ProtocolError("a sealed message from the node does not have the length that it claims")
    return ProtocolError(f"WinRM failed: {innermost(error)}")


def _nonsense(error: Exception, at: Situation) -> NodeError:
    if isinstance(error, AttributeError) and "'NoneType'" in str(error):
        # requests-ntlm has no session keys when nobody asked it to log in.
        return ProtocolError(
            f"port {at.settings.port} answers without asking for a login: is it WinRM that listens there?",
            hint="check `port` and `path`",
        )
    if isinstance(error, KeyError) and error.args and str(error.args[0]).lower() == "www-authenticate":
        return AuthenticationError(f"the node broke off the {at.settings.auth} login", hint=login_refused(at).hint)
    return ProtocolError(f"the node's answer is not WS-Management: {brief(innermost(error))}")

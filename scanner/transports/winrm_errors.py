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
from collections.abc import Iterator
from dataclasses import dataclass
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
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.inventory.model import WinrmSettings

SHELL_QUOTA = 2150859173
"""ERROR_WSMAN_QUOTA_MAX_SHELLS"""
OPERATION_QUOTA = 2150859174
"""ERROR_WSMAN_QUOTA_MAX_OPERATIONS"""
ACCESS_DENIED = 5
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


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known about a conversation when it fails; for the words and the hints."""

    host: str
    settings: WinrmSettings
    requests: int = 0
    """How many had been sent."""
    offered: str = ""
    """The node's WWW-Authenticate."""


def translate(error: Exception, at: Situation) -> NodeError | None:
    """The error as the user should read it; None for one that no library of ours raises: a defect."""
    if isinstance(error, NodeError):
        return error
    if isinstance(error, winrm.exceptions.WSManFaultError):
        return _fault(error)
    if isinstance(error, winrm.exceptions.AuthenticationError):
        return _login(at)
    if isinstance(error, winrm.exceptions.WinRMTransportError):
        return _status(error.code, at)
    if isinstance(error, winrm.exceptions.WinRMOperationTimeoutError):
        return DeadlineError("the node did not finish a WS-Management operation in the time it was given")
    if isinstance(error, winrm.exceptions.WinRMError):
        return _winrm(error, at)
    if isinstance(error, spnego.exceptions.SpnegoError | spnego.exceptions.NativeError):
        return _spnego(error, at)
    if isinstance(error, spnego.exceptions.FeatureMissingError):
        return AuthenticationError(f"this machine cannot log in with {at.settings.auth}: {error}")
    if type(error).__module__.split(".")[0] in ("gssapi", "krb5", "requests_credssp") or _is_kerberos(error):
        return _kerberos(error, at)
    wire = _wire(error, at)
    if wire:
        return wire
    if isinstance(error, _NONSENSE):
        return _nonsense(error, at)
    return None


def missing_package(auth: str) -> AuthenticationError:
    """For logins whose package is not installed."""
    return AuthenticationError(
        f'auth = "{auth}" needs a package that is not installed here',
        hint=f'pip install "preflight-scanner[{auth}]"',
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything wrapped in it: arguments, reasons and causes, outermost first."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
        queue.extend(each for each in inner if isinstance(each, BaseException))


def _wire(error: Exception, at: Situation) -> NodeError | None:
    """Errors of sockets, TLS and HTTP, which requests and urllib3 wrap in each other in many ways."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, NodeError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError | urllib3.exceptions.SSLError | ssl.SSLError):
            found = _tls(cause, at)
            if found:
                return found
        if isinstance(cause, ssl.CertificateError):
            return _untrusted(str(cause), at, mismatch=True)
        if isinstance(cause, PermissionError) and "NTLM challenge" in str(cause):
            return _login(at)
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
            return ProtocolError(f"TLS failed: {_reason(cause)}")
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
        return UnreachableError(f"cannot connect to {at.host}: {_reason(error)}")
    if isinstance(error, timeouts):
        return DeadlineError("the node did not answer in time")
    if isinstance(error, lost):
        return _lost(at)
    if isinstance(error, requests.exceptions.RequestException | urllib3.exceptions.HTTPError):
        return ProtocolError(f"the HTTP conversation failed: {_reason(error)}")
    if isinstance(error, Warning) and type(error).__module__.split(".")[0] in ("requests", "urllib3"):
        return ProtocolError(f"the HTTP conversation failed: {_reason(error)}")
    if isinstance(error, OSError):
        return UnreachableError(f"cannot talk to {at.host}: {error.strerror or _reason(error)}")
    return None


def _tls(error: BaseException, at: Situation) -> NodeError | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        mismatch = error.verify_code in _HOSTNAME_MISMATCH
        return _untrusted(error.verify_message or _reason(error), at, mismatch=mismatch)
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
            f"the node rejects the client certificate: {_reason(error)}",
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
    return ProtocolError(f"port {at.settings.port} does not speak HTTP: {_reason(error)}")


def _login(at: Situation) -> AuthenticationError:
    """HTTP 401, or a login that the node breaks off."""
    auth, user = at.settings.auth, at.settings.user
    wanted = {
        "basic": ("basic",),
        "ntlm": ("negotiate", "ntlm"),
        "kerberos": ("negotiate", "kerberos"),
        "credssp": ("credssp",),
    }.get(auth, ())
    offered = at.offered.lower()
    if wanted and offered and not any(name in offered for name in wanted):
        names = ", ".join(dict.fromkeys(re.findall(r"(?:^|,\s*)([A-Za-z]+)(?=\s|,|$)", at.offered))) or "none"
        return AuthenticationError(
            f"the node does not offer {auth} logins (it offers: {names})",
            hint="choose another `auth`, or enable this one on the node (winrm/config/service/auth)",
        )
    if auth == "certificate":
        return AuthenticationError(
            "the node does not map the client certificate to an account",
            hint="check WSMan:\\localhost\\ClientCertificate on the node, and that Certificate logins are enabled",
        )
    if auth == "kerberos":
        return AuthenticationError(
            f"the node rejects the Kerberos login of {user or 'the current ticket'}",
            hint="check the ticket (klist), the clock, and `kerberos_hostname` and `service` against the node's SPN",
        )
    hints = ["check `user` and the password"]
    if auth == "ntlm":
        hints.append("the policy 'Restrict NTLM' may forbid NTLM")
    if auth != "basic" and "\\" not in user and "@" not in user:
        hints.append(
            "a local account other than Administrator needs LocalAccountTokenFilterPolicy=1 or Remote Management Users"
        )
    elif auth == "basic" and ("\\" in user or "@" in user):
        hints.append("Basic takes local accounts only")
    return AuthenticationError(f"the node rejects the {auth} login of {user}", hint="; ".join(hints))


def _spnego(error: Exception, at: Situation) -> NodeError:
    broken = (
        spnego.exceptions.BadMICError,
        spnego.exceptions.InvalidTokenError,
        spnego.exceptions.UnsupportedQop,
        spnego.exceptions.OperationNotAvailableError,
    )
    if isinstance(error, broken):
        return ProtocolError(f"the node's part of the login or a sealed message is not valid: {_reason(error)}")
    return AuthenticationError(f"the {at.settings.auth} login failed: {_reason(error)}", hint=_login(at).hint)


def _is_kerberos(error: Exception) -> bool:
    return type(error).__module__.startswith(
        ("winrm.vendor.requests_kerberos", "kerberos", "pykerberos", "winkerberos")
    )


def _kerberos(error: Exception, at: Situation) -> AuthenticationError:
    return AuthenticationError(
        f"the {at.settings.auth} login failed: {_reason(error)}",
        hint="check that there is a valid ticket (kinit, klist), and `kerberos_hostname` and `service`",
    )


def _winrm(error: Exception, at: Situation) -> NodeError:
    text = str(error)
    if "not installed" in text:
        return missing_package(at.settings.auth)
    if "Encrypted length" in text:
        return ProtocolError("a sealed message from the node does not have the length that it claims")
    return ProtocolError(f"WinRM failed: {_reason(error)}")


def _status(code: int, at: Situation) -> NodeError:
    """An HTTP status without a SOAP fault."""
    if code == http.HTTPStatus.NOT_FOUND:
        return ProtocolError(
            f"nothing serves {at.settings.path} on port {at.settings.port} (HTTP 404)", hint="check `path`"
        )
    if code == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return RefusedError(
            "the node finds our message too large (HTTP 413)", hint="raise MaxEnvelopeSizekb on the node"
        )
    if code == http.HTTPStatus.FORBIDDEN:
        return RefusedError(
            "the node forbids the request (HTTP 403)", hint="check the listener's IPv4Filter and IPv6Filter"
        )
    if code == http.HTTPStatus.SERVICE_UNAVAILABLE:
        return RefusedError("WinRM is not taking requests (HTTP 503)", hint="check the WinRM service on the node")
    if code == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ProtocolError("a proxy answers in the node's place (HTTP 407)")
    if code == http.HTTPStatus.INTERNAL_SERVER_ERROR and at.settings.scheme == "http" and at.settings.auth == "basic":
        return RefusedError(
            "the node refuses unencrypted messages (HTTP 500)",
            hint='use `scheme = "https"`, or ntlm, which seals messages',
        )
    return ProtocolError(f"the node answered HTTP {code} without saying why")


def _fault(error: winrm.exceptions.WSManFaultError) -> NodeError:
    codes = (error.wsman_fault_code, error.wmierror_code)
    reason = " ".join(str(error.reason).split())
    if SHELL_QUOTA in codes:
        return RefusedError(
            f"the account has as many WinRM shells open on the node as it may have: {_brief(reason)}",
            hint="wait until shells of other sessions end, or raise MaxShellsPerUser (winrm/config/winrs)",
        )
    if OPERATION_QUOTA in codes:
        return RefusedError(
            f"the account has as many WinRM operations under way as it may have: {_brief(reason)}",
            hint="wait until other operations end, or raise MaxConcurrentOperationsPerUser (winrm/config/service)",
        )
    if ACCESS_DENIED in codes or "accessdenied" in (error.fault_subcode or "").lower():
        return RefusedError(
            "the login is valid, but the account may not open remote shells: access is denied",
            hint="add the account to Administrators or Remote Management Users on the node",
        )
    number = next((code for code in codes if code is not None), None)
    cause = (
        f"WS-Management fault {number}: {_brief(reason)}"
        if number is not None
        else f"WS-Management fault: {_brief(reason)}"
    )
    hint = ""
    if "quota" in reason.lower():
        hint = "wait until the node is less busy, or raise the quota that it names (winrm/config)"
    return RefusedError(cause, hint=hint)


def _nonsense(error: Exception, at: Situation) -> NodeError:
    if isinstance(error, AttributeError) and "'NoneType'" in str(error):
        # requests-ntlm has no session keys when nobody asked it to log in.
        return ProtocolError(
            f"port {at.settings.port} answers without asking for a login: is it WinRM that listens there?",
            hint="check `port` and `path`",
        )
    if isinstance(error, KeyError) and error.args and str(error.args[0]).lower() == "www-authenticate":
        return AuthenticationError(f"the node broke off the {at.settings.auth} login", hint=_login(at).hint)
    return ProtocolError(f"the node's answer is not WS-Management: {_brief(_reason(error))}")


def _brief(text: str, size: int = 200) -> str:
    line = " ".join(text.split())
    # Peers that speak something else are quoted with every kind of byte.
    line = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return line if len(line) <= size else line[: size - 1] + "…"


def _reason(error: BaseException) -> str:
    """What the innermost error says, shortened; its type's name where it says nothing."""
    inner = list(_causes(error))[-1]
    text = getattr(inner, "reason", None) if isinstance(inner, ssl.SSLError) else None
    return _brief(f"{text or inner or error}") or type(inner).__name__

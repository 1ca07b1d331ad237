"""The words for a node's refusals: logins, HTTP statuses, WS-Management faults; and how errors are quoted.

Importing this loads pywinrm, so it is imported late.
"""

from __future__ import annotations

import http
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import spnego.exceptions
import winrm.exceptions

from scanner.errors import AuthenticationError, ConnectionLostError, NodeError, ProtocolError, RefusedError
from scanner.inventory.model import WinrmSettings

SHELL_QUOTA = 2150859173
"""ERROR_WSMAN_QUOTA_MAX_SHELLS"""
OPERATION_QUOTA = 2150859174
"""ERROR_WSMAN_QUOTA_MAX_OPERATIONS"""
ACCESS_DENIED = 5
_SEALED = ("ntlm", "kerberos", "credssp")
_LOGIN_REQUESTS = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known about a conversation when it fails; for the words and the hints."""

    host: str
    settings: WinrmSettings
    requests: int = 0
    """How many had been sent."""
    offered: str = ""
    """The node's WWW-Authenticate."""


def missing_package(auth: str) -> AuthenticationError:
    """For logins whose package is not installed."""
    return AuthenticationError(
        f'auth = "{auth}" needs a package that is not installed here',
        hint=f'pip install "preflight-scanner[{auth}]"',
    )


def login_refused(at: Situation) -> AuthenticationError:
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


def login_failed(error: Exception, at: Situation) -> NodeError:
    """What pyspnego raises: about the login, or about a sealed message."""
    broken = (
        spnego.exceptions.BadMICError,
        spnego.exceptions.InvalidTokenError,
        spnego.exceptions.UnsupportedQop,
        spnego.exceptions.OperationNotAvailableError,
    )
    if isinstance(error, broken):
        return ProtocolError(f"the node's part of the login or a sealed message is not valid: {innermost(error)}")
    return AuthenticationError(f"the {at.settings.auth} login failed: {innermost(error)}", hint=login_refused(at).hint)


def kerberos_failed(error: Exception, at: Situation) -> AuthenticationError:
    """What GSSAPI and the Kerberos libraries raise."""
    return AuthenticationError(
        f"the {at.settings.auth} login failed: {innermost(error)}",
        hint="check that there is a valid ticket (kinit, klist), and `kerberos_hostname` and `service`",
    )


def http_status(code: int, at: Situation) -> NodeError:
    """An HTTP status without a SOAP fault."""
    if code == http.HTTPStatus.BAD_REQUEST and at.requests > _LOGIN_REQUESTS and at.settings.auth in _SEALED:
        return ConnectionLostError("the node no longer knows the login of this connection (HTTP 400)")
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


def wsman_fault(error: winrm.exceptions.WSManFaultError) -> NodeError:
    """A SOAP fault, by the number that Windows gives it."""
    codes = (error.wsman_fault_code, error.wmierror_code)
    said = " ".join(str(error.reason).split())
    if SHELL_QUOTA in codes:
        return RefusedError(
            f"the account has as many WinRM shells open on the node as it may have: {brief(said)}",
            hint="wait until shells of other sessions end, or raise MaxShellsPerUser (winrm/config/winrs)",
        )
    if OPERATION_QUOTA in codes:
        return RefusedError(
            f"the account has as many WinRM operations under way as it may have: {brief(said)}",
            hint="wait until other operations end, or raise MaxConcurrentOperationsPerUser (winrm/config/service)",
        )
    if ACCESS_DENIED in codes or "accessdenied" in (error.fault_subcode or "").lower():
        return RefusedError(
            "the login is valid, but the account may not open remote shells: access is denied",
            hint="add the account to Administrators or Remote Management Users on the node; "
            "a local administrator other than Administrator also needs LocalAccountTokenFilterPolicy=1",
        )
    number = next((code for code in codes if code is not None), None)
    cause = (
        f"WS-Management fault {number}: {brief(said)}" if number is not None else f"WS-Management fault: {brief(said)}"
    )
    hint = ""
    if "quota" in said.lower():
        hint = "wait until the node is less busy, or raise the quota that it names (winrm/config)"
    return RefusedError(cause, hint=hint)


def chain(error: BaseException) -> Iterator[BaseException]:
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


def brief(text: str, size: int = 200) -> str:
    """`text` on one line of at most `size` characters, all of them printable."""
    line = " ".join(text.split())
    # Peers that speak something else are quoted with every kind of byte.
    line = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in line)
    return line if len(line) <= size else line[: size - 1] + "…"


def innermost(error: BaseException) -> str:
    """What the innermost error says, shortened; its type's name where it says nothing."""
    inner = list(chain(error))[-1]
    text = getattr(inner, "reason", None) if isinstance(inner, ssl.SSLError) else None
    return brief(f"{text or inner or error}") or type(inner).__name__

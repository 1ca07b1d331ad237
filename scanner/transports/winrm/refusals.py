"""The words for a node's refusals: logins, HTTP statuses, WS-Management faults; and how errors are quoted.

Importing this loads pywinrm, so it is imported late.
"""

from __future__ import annotations

import http
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import spnego.exceptions
import winrm.exceptions

from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.inventory.model import WinrmSettings
from scanner.transports.tls.inspection import Seen
from scanner.transports.winrm.access import NOT_A_MEMBER, access_denied, no_configuration
from scanner.transports.winrm.login import OldCredsspError, Stage, schemes
from scanner.transports.winrm.nt_status import LOGON

SHELL_QUOTA = 2150859173
"""ERROR_WSMAN_QUOTA_MAX_SHELLS"""
OPERATION_QUOTA = 2150859174
"""ERROR_WSMAN_QUOTA_MAX_OPERATIONS"""
ACCESS_DENIED = 5
ABORTED = 995
"""ERROR_OPERATION_ABORTED"""
BROKEN_PIPE, NO_DATA = 109, 232
"""ERROR_BROKEN_PIPE and ERROR_NO_DATA"""
POLICY = 1260
"""ERROR_ACCESS_DISABLED_BY_POLICY"""
_WIN32 = 0x80070000
"""HRESULTs that wrap an error of Win32: 2147942405 is 5."""
INVALID_RESOURCE = 2150858811
"""ERROR_WSMAN_INVALID_RESOURCE_URI"""
_SEALED = ("ntlm", "kerberos", "credssp")
_ONE_CONNECTION = (
    "a login holds for one connection to one node: look for a load balancer, a proxy or TLS inspection on the way, and "
    "scan each node by a name of its own"
)
_PERHAPS_SEVERAL = (
    "several servers behind one address (a load balancer) refuse every password, too: scan each node by a name of its "
    "own"
)
_STDIN = 'set `delivery = "stdin"` for this node, which sends the script as plain text'


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known about a conversation when it fails; for the words and the hints."""

    host: str
    settings: WinrmSettings
    requests: int = 0
    """How many had been sent."""
    offered: str = ""
    """The node's WWW-Authenticate."""
    stage: Stage = Stage.UNASKED
    """How far a login that takes several messages had come."""
    node: str = ""
    """What the node calls itself in the login."""
    between: str = ""
    """What answers said of somebody in between."""
    several: str = ""
    """What answers showed of more than one server behind the address."""
    shell_open: bool = False
    names: Callable[[], tuple[str, ...]] = tuple
    """The computer names that the address gives itself when it is asked again; takes a connection of its own."""
    seen: Callable[[], Seen | None] = lambda: None
    """What the node shows to TLS; takes a connection of its own."""


def missing_package(auth: str) -> AuthenticationError:
    """For logins whose package is not installed."""
    hint = f'pip install "preflight-scanner[{auth}]"'
    if auth == "kerberos" and sys.platform != "win32":
        hint += "; it is built here, with gcc and libkrb5-dev (krb5-devel), and needs libkrb5"
    return AuthenticationError(f'auth = "{auth}" needs a package that is not installed here', hint=hint)


def login_refused(at: Situation) -> NodeError:
    """HTTP 401: which of a login's messages it answers decides what it means."""
    auth = at.settings.auth
    wanted = {
        "basic": ("basic",),
        "ntlm": ("negotiate", "ntlm"),
        "kerberos": ("negotiate", "kerberos"),
        "credssp": ("credssp",),
    }.get(auth, ())
    if at.stage is Stage.ACCEPTED or (auth not in _SEALED and at.requests > 1):
        return ConnectionLostError(
            "the node forgot in mid-conversation that it had accepted the login (HTTP 401)",
            hint=f"user and password are right; {_ONE_CONNECTION}",
        )
    offered = [name.lower() for name in schemes(at.offered)]
    if wanted and offered and not any(name in offered for name in wanted):
        names = ", ".join(schemes(at.offered)) or "none"
        hint = "choose another `auth`, or enable this one on the node (winrm/config/service/auth)"
        if auth == "credssp":
            hint = "run Enable-WSManCredSSP -Role Server on the node (or the policy `Allow CredSSP authentication`)"
        return AuthenticationError(f"the node does not offer {auth} logins (it offers: {names})", hint=hint)
    if auth in _SEALED and (several := _several(at)):
        return ProtocolError(
            f"more than one server answers at port {at.settings.port}: {several}; a login that began with one of them "
            "was judged by another",
            hint=f"this says nothing of user and password; {_ONE_CONNECTION}",
        )
    if auth in _SEALED and at.stage is not Stage.ANSWERED:
        return _broken_off(at)
    return _rejected(at)


def _several(at: Situation) -> str:
    """What shows that the messages of one login reached several servers; empty where nothing does."""
    if at.several:
        return at.several
    names = list(dict.fromkeys(filter(None, (at.node, *at.names())))) if at.node else []
    return f"they call themselves {' and '.join(brief(name, 40) for name in names)}" if len(names) > 1 else ""


def _broken_off(at: Situation) -> NodeError:
    """A 401 before the node can know whether the password is right."""
    in_between = f" ({at.between})" if at.between else ""
    auth = at.settings.auth
    if at.stage is Stage.CHALLENGED:
        return ProtocolError(
            f"the node broke off the {auth} login before it looked at the password{in_between}",
            hint=f"the password is not the cause; {_ONE_CONNECTION}",
        )
    return ProtocolError(
        f"the node leaves the {auth} login unanswered: no challenge came (HTTP 401){in_between}",
        hint=f"the password was not tried; a proxy may take the Authorization header away; {_ONE_CONNECTION}",
    )


def _rejected(at: Situation) -> NodeError:
    """The node's verdict."""
    auth, user = at.settings.auth, at.settings.user
    if auth == "certificate":
        return AuthenticationError(
            "the node does not map the client certificate to an account",
            hint="check WSMan:\\localhost\\ClientCertificate on the node, and that Certificate logins are enabled",
        )
    named = f"the node (it calls itself {brief(at.node, 40)})" if at.node else "the node"
    if auth == "kerberos":
        return AuthenticationError(
            f"{named} rejects the Kerberos login of {user or 'the current ticket'}",
            hint="check its clock, whose SPN the ticket is for (`kerberos_hostname`, `service`, setspn -X), and that "
            f"the account may log on from the network; {_PERHAPS_SEVERAL}",
        )
    hints = ["check `user` and the password, once: repeated attempts lock the account"]
    if auth == "ntlm":
        hints.append("the policy 'Restrict NTLM' may forbid NTLM")
    if auth == "credssp":
        hints.append("the node may be set to take no credentials (CredSSP policies), or its clock be wrong")
    if auth != "basic" or ("\\" not in user and "@" not in user):
        hints.append(NOT_A_MEMBER)
    else:
        hints.append("Basic takes local accounts only")
    if at.settings.scheme == "https" and auth == "ntlm":
        seen = at.seen()
        issuer = f" (the certificate here is from {seen.issuer})" if seen and seen.issuer else ""
        hints.append(f"where TLS is inspected on the way{issuer} the node refuses every password")
    if at.between:
        hints.append(f"somebody is in between ({at.between}), who may spoil the login")
    if auth != "basic":
        hints.append(_PERHAPS_SEVERAL)
    return AuthenticationError(f"{named} rejects the {auth} login of {user}", hint="; ".join(hints))


def lost(at: Situation) -> NodeError:
    """The connection ended."""
    settings = at.settings
    if at.stage in (Stage.BEGUN, Stage.CHALLENGED):
        return ConnectionLostError(
            f"the connection was closed in the middle of the {settings.auth} login, before the password was proven",
            hint=f"the password is not the cause; {_ONE_CONNECTION}",
        )
    if at.stage is Stage.ANSWERED:
        return ConnectionLostError(
            f"the connection was closed in the middle of the {settings.auth} login, before the node said yes or no",
            hint=f"that is no wrong password: a node answers one with HTTP 401; {_ONE_CONNECTION}",
        )
    if at.requests > 1:
        after = "while the script ran" if at.shell_open else "before it had opened a shell"
        return ConnectionLostError(
            f"the node closed the connection in mid-conversation, {after}",
            hint="look at what restarts WinRM or the node (its System log), and at what ends connections on the way (a "
            "firewall, a load balancer); then scan again",
        )
    other = "http" if settings.scheme == "https" else "https"
    return ConnectionLostError(
        f"port {settings.port} closed the connection without an answer to the first {settings.scheme} message",
        hint=f'if the listener there speaks {other}, set `scheme = "{other}"`',
    )


def connection_refused(at: Situation) -> NodeError:
    """Nothing listens on the port."""
    settings = at.settings
    listen = "check `port`: `winrm enumerate winrm/config/listener` on the node shows what listens"
    if settings.scheme == "https":
        hint = (
            "a Windows server listens on 5985 (http) out of the box and on 5986 only once it was given a certificate: "
        )
        if settings.auth in _SEALED:
            hint += f'`scheme = "http"` will do, {settings.auth} encrypts there too; '
        else:
            hint += f'{settings.auth} needs https, ntlm and kerberos encrypt over `scheme = "http"`, too; '
        hint += listen
    else:
        hint = f"check that the WinRM service runs; {listen}"
    return UnreachableError(f"port {settings.port} refuses connections", hint=hint)


def login_failed(error: Exception, at: Situation) -> NodeError:
    """What pyspnego raises: about the login, or about a sealed message."""
    auth, user = at.settings.auth, at.settings.user
    status = _nt_status(error)
    if auth == "credssp" and status is not None:
        found = LOGON.get(status)
        if found:
            return AuthenticationError(
                f"the node refuses the credssp login of {user}: {found.said} ({found.name})", hint=found.hint
            )
        return AuthenticationError(
            f"the node refuses the credssp login of {user} (NTSTATUS 0x{status:08X})",
            hint="look at the Security log of the node, event 4625",
        )
    tls = next((each for each in chain(error) if isinstance(each, ssl.SSLError)), None)
    if auth == "credssp" and tls is not None:
        return ProtocolError(
            f"the TLS inside CredSSP fails: {innermost(tls)}",
            hint="CredSSP needs TLS 1.2 on the node (Schannel; Windows Server 2008 R2 has it switched off by default)",
        )
    if isinstance(error, spnego.exceptions.BadBindingsError):
        return UntrustedPeerError(
            "somebody between here and the node stands in for its key: the password was not sent",
            hint="CredSSP proves the node's key to us, and it is another one: look for TLS inspection on the way",
        )
    broken = (
        spnego.exceptions.BadMICError,
        spnego.exceptions.InvalidTokenError,
        spnego.exceptions.UnsupportedQop,
        spnego.exceptions.OperationNotAvailableError,
    )
    if isinstance(error, broken):
        return ProtocolError(f"the node's part of the login or a sealed message is not valid: {innermost(error)}")
    return AuthenticationError(f"the {auth} login failed: {innermost(error)}", hint=_rejected(at).hint)


def _nt_status(error: BaseException) -> int | None:
    """The errorCode of a TSRequest, [MS-CSSP] 2.2.1, which pyspnego hands on as an error of Windows."""
    native = getattr(error, "base_error", None)
    code = getattr(native, "winerror", None)
    return code & 0xFFFFFFFF if isinstance(code, int) else None


def old_credssp(error: OldCredsspError, at: Situation) -> NodeError:
    """A node without the updates of May 2018, asked over http."""
    return RefusedError(
        f"the node speaks CredSSP version {error.version}, which gives the password away to whoever is in between "
        "(CVE-2018-0886): it was not sent",
        hint=f'install the updates of May 2018 on {at.host}, or use `scheme = "https"` with a verified certificate',
    )


def http_status(code: int, at: Situation) -> NodeError:
    """An HTTP status without a SOAP fault."""
    if code == http.HTTPStatus.BAD_REQUEST and at.stage is Stage.ACCEPTED:
        return ConnectionLostError(
            "the node no longer knows the login of this connection (HTTP 400)",
            hint=f"user and password are right; {_ONE_CONNECTION}",
        )
    in_between = f" ({at.between})" if at.between else ""
    if code in (http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.GATEWAY_TIMEOUT):
        return ProtocolError(
            f"a proxy or load balancer answers that it does not reach the node (HTTP {code}){in_between}",
            hint=f"let connections to port {at.settings.port} of the nodes pass it by",
        )
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
        return ProtocolError(
            "a proxy answers in the node's place (HTTP 407)",
            hint=f"let connections to port {at.settings.port} of the nodes pass it by; preflight itself uses no proxy",
        )
    if code == http.HTTPStatus.INTERNAL_SERVER_ERROR and at.settings.scheme == "http" and at.settings.auth == "basic":
        return RefusedError(
            "the node refuses unencrypted messages (HTTP 500)",
            hint='use `scheme = "https"`, or ntlm, which seals messages',
        )
    if code == http.HTTPStatus.BAD_REQUEST and at.stage in (Stage.BEGUN, Stage.CHALLENGED, Stage.ANSWERED):
        return ProtocolError(
            f"the node breaks the {at.settings.auth} login off with HTTP 400{in_between}",
            hint=f"that is no wrong password; {_ONE_CONNECTION}; a ticket of an account in very many groups needs "
            "MaxFieldLength and MaxRequestBytes raised on the node (HTTP.sys)",
        )
    return ProtocolError(f"the node answered HTTP {code} without saying why{in_between}")


def wsman_fault(error: winrm.exceptions.WSManFaultError, at: Situation) -> NodeError:
    """A SOAP fault, by the number that Windows gives it."""
    codes = tuple(_win32(code) for code in (error.wsman_fault_code, error.wmierror_code))
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
    if at.shell_open and (ACCESS_DENIED in codes or POLICY in codes):
        why = "a policy forbids it" if POLICY in codes else "access is denied"
        told = "the shell was opened, and powershell.exe may not be started in it"
        if at.settings.protocol == "psrp":
            told = "the session was opened, and no script may be run in it"
        return RefusedError(
            f"{told}: {why}",
            hint=f"endpoint protection, AppLocker or WDAC stops it: {_STDIN}, or except the account there",
        )
    if at.shell_open and not {BROKEN_PIPE, NO_DATA}.isdisjoint(codes):
        return RefusedError(
            "powershell.exe ended before it had read the script from its standard input",
            hint="endpoint protection may have killed it: look at its log, and except the scanning account there",
        )
    if ABORTED in codes:
        return RefusedError(
            "the node ended powershell.exe or its shell while it ran (operation aborted)",
            hint=f"endpoint protection may have killed it: {_STDIN}; else the node was shutting down, or short of "
            "memory (MaxMemoryPerShellMB)",
        )
    if ACCESS_DENIED in codes or "accessdenied" in (error.fault_subcode or "").lower():
        return access_denied(at.settings)
    if INVALID_RESOURCE in codes and at.settings.protocol == "psrp":
        return no_configuration(at.settings)
    number = next((code for code in codes if code is not None), None)
    cause = (
        f"WS-Management fault {number}: {brief(said)}" if number is not None else f"WS-Management fault: {brief(said)}"
    )
    hint = ""
    if "quota" in said.lower():
        hint = "wait until the node is less busy, or raise the quota that it names (winrm/config)"
    return RefusedError(cause, hint=hint)


def _win32(code: int | None) -> int | None:
    """The number without what HRESULT wraps around it, so that 0x80070005 is 5."""
    return code & 0xFFFF if code is not None and code & 0xFFFF0000 == _WIN32 else code


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

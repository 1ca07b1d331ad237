"""The words for a node that refuses: HTTP statuses, WS-Management faults, connections that end."""

from __future__ import annotations

import http

from scanner.errors import ConnectionLostError, NodeError, ProtocolError, RefusedError, UnreachableError
from scanner.transports.winrm.authentication.access import access_denied, no_configuration
from scanner.transports.winrm.authentication.login import Stage
from scanner.transports.winrm.error_text import brief
from scanner.transports.winrm.exchange.faults import FaultError
from scanner.transports.winrm.situation import ONE_CONNECTION, SEALED, Situation

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
_STDIN = 'set `delivery = "stdin"` for this node, which sends the script as plain text'


def lost(at: Situation) -> NodeError:
    """The connection ended."""
    settings = at.settings
    if at.stage in (Stage.BEGUN, Stage.CHALLENGED):
        return ConnectionLostError(
            f"the connection was closed in the middle of the {settings.auth} login, before the password was proven",
            hint=f"the password is not the cause; {ONE_CONNECTION}",
        )
    if at.stage is Stage.ANSWERED:
        return ConnectionLostError(
            f"the connection was closed in the middle of the {settings.auth} login, before the node said yes or no",
            hint=f"that is no wrong password: a node answers one with HTTP 401; {ONE_CONNECTION}",
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
        if settings.auth in SEALED:
            hint += f'`scheme = "http"` will do, {settings.auth} encrypts there too; '
        else:
            hint += f'{settings.auth} needs https, ntlm and kerberos encrypt over `scheme = "http"`, too; '
        hint += listen
    else:
        hint = f"check that the WinRM service runs; {listen}"
    return UnreachableError(f"port {settings.port} refuses connections", hint=hint)


def http_status(code: int, at: Situation) -> NodeError:
    """An HTTP status without a SOAP fault."""
    if code == http.HTTPStatus.BAD_REQUEST and at.stage is Stage.ACCEPTED:
        return ConnectionLostError(
            "the node no longer knows the login of this connection (HTTP 400)",
            hint=f"user and password are right; {ONE_CONNECTION}",
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
            hint=f"that is no wrong password; {ONE_CONNECTION}; a ticket of an account in very many groups needs "
            "MaxFieldLength and MaxRequestBytes raised on the node (HTTP.sys)",
        )
    return ProtocolError(f"the node answered HTTP {code} without saying why{in_between}")


def wsman_fault(error: FaultError, at: Situation) -> NodeError:
    """A SOAP fault, by the number that Windows gives it."""
    codes = tuple(_win32(code) for code in (error.wsman_code, error.wmi_code))
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
    if ACCESS_DENIED in codes or "accessdenied" in error.subcode.lower():
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

"""HTTP as WinRM's listener (HTTP.sys) speaks it: logins, sealed bodies, size limits, and the page of each refusal."""

from __future__ import annotations

import socket
import threading
from collections import deque
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from checks.common.dataclass import dataclass
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.auth import ConnectionLogin, Login, Policy, SealError
from scanner.lab.servers.wsman.fault_hooks import IIS_PAGE, PROXY_PAGE, WsmanFault, dribble, hold
from scanner.lab.servers.wsman.host import ShellHost
from scanner.lab.servers.wsman.messages import FaultError, MalformedError, Request, fault, parse
from scanner.lab.servers.wsman.shell import Quotas
from scanner.lab.servers.wsman.soap_faults import access_denied_fault, shell_quota_fault, start_denied_fault

_SOAP_TYPE = "application/soap+xml;charset=UTF-8"
_HTML_TYPE = "text/html; charset=us-ascii"
_PORTAL = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in to this network.</body></html>"
_READ_AND_DROP_BYTES = 64 * 1024 * 1024
_KEEP_ALIVE_S = 120.0
"""HTTP.sys closes idle connections after two minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One HTTP request as the server saw it; no secrets."""

    action: str
    """Create, Command, Receive, Send, Signal, Delete; "" for handshakes and what could not be read."""
    auth: str
    """ntlm, basic, certificate or ""."""
    user: str
    sealed: bool
    status: int
    request_bytes: int
    """Size of the HTTP body."""
    response_bytes: int
    connection: int
    """Number of the TCP connection, from 1."""
    why: str = ""
    """What was wrong with a request that HTTP.sys turns away (400, 405) with a page that tells the client nothing."""


@dataclass(slots=True, kw_only=True)
class Site:
    """What all connections of one server share."""

    policy: Policy
    host: ShellHost
    quotas: Quotas
    machine: str
    faults: frozenset[WsmanFault]
    wmi_quota_faults: bool
    dribble_interval_s: float
    stopping: threading.Event
    records: deque[RequestRecord]
    logins: set[ConnectionLogin]


class WsmanHandler(BaseHTTPRequestHandler):
    """One TCP connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _KEEP_ALIVE_S

    def __init__(
        self, connection: socket.socket, client: tuple[str, int], site: Site, upns: frozenset[str], number: int
    ) -> None:
        self._site = site
        self._login = ConnectionLogin(site.policy, upns)
        self._number = number
        self._body = b""
        self._answered = Login(None, "")
        self._action = ""
        site.logins.add(self._login)
        try:
            # The base class serves the connection in its constructor, and its third parameter is a socketserver.
            super().__init__(connection, client, None)  # type: ignore[arg-type]
        finally:
            site.logins.discard(self._login)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing; `requests` holds what was asked."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A request line or header that is not HTTP, or a method that WinRM does not know."""
        self.close_connection = True
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else code
        self._page(status, message or "")

    def do_POST(self) -> None:
        """Answer one request."""
        self._action, self._answered, self._body = "", Login(None, ""), b""
        faults = self._site.faults
        if not self._read_body():
            return
        if WsmanFault.DRIBBLE in faults:
            self.close_connection = True
            head = b"HTTP/1.1 200 OK\r\nServer: Microsoft-HTTPAPI/2.0\r\nX-Padding: "
            dribble(self.connection, head, self._site.stopping, self._site.dribble_interval_s)
        elif WsmanFault.HTML in faults:
            self._send(HTTPStatus.OK, _PORTAL, "text/html")
        elif WsmanFault.PROXY_PAGE in faults:
            via = [("Via", "1.1 proxy1.corp.example (squid/5.7)"), ("X-Squid-Error", "ERR_CONNECT_FAIL 113")]
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, PROXY_PAGE, "text/html", headers=via, server="squid/5.7")
        elif WsmanFault.IIS_PAGE in faults:
            self._send(HTTPStatus.OK, IIS_PAGE, "text/html", server="Microsoft-IIS/10.0")
        elif WsmanFault.EMPTY in faults:
            self._send(HTTPStatus.OK, b"")
        elif WsmanFault.NOT_FOUND in faults or self.path.partition("?")[0].rstrip("/").lower() != "/wsman":
            self._page(HTTPStatus.NOT_FOUND)
        else:
            self._post()

    def _read_body(self) -> bool:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self.close_connection = True
            self._page(HTTPStatus.LENGTH_REQUIRED)
            return False
        if int(length) > _READ_AND_DROP_BYTES:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"")
            return False
        self._body = self.rfile.read(int(length))
        if len(self._body) < int(length):
            self.close_connection = True
            return False
        return True

    def _post(self) -> None:
        site = self._site
        sealed = (
            self.headers.get("Content-Type", "")
            .lower()
            .startswith(("multipart/encrypted", "multipart/x-multi-encrypted"))
        )
        if WsmanFault.LOGIN_UNANSWERED in site.faults:
            self._unauthorized(Login(None, ""))
            return
        login = self._answered = self._login.authenticate(self.headers.get("Authorization", ""))
        if WsmanFault.LOGIN_CUT in site.faults and login.user is not None:
            self.close_connection = True
            return
        if login.user is None:
            if sealed and self._login.lost and not login.token:
                self._page(HTTPStatus.BAD_REQUEST, "the login of this connection is gone")
            else:
                self._unauthorized(login)
            return
        if site.policy.accounts.right(login.user) is Right.NONE:
            self._unauthorized(Login(None, login.mechanism))
            return
        if len(self._body) > site.quotas.max_envelope_kb * 1024:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"")
            return
        if not self._body:
            # pywinrm logs in with an empty body before it can seal one.
            self._send(HTTPStatus.OK, b"")
            return
        message = self._body
        if sealed:
            try:
                message = self._login.unseal(self._body)
            except SealError as error:
                self._page(HTTPStatus.BAD_REQUEST, str(error))
                return
        elif not site.policy.tls and not site.policy.allow_unencrypted:
            # AllowUnencrypted=false: Windows answers 500 and nothing else.
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"")
            return
        self._serve(message, login.user, sealed)

    def _serve(self, message: bytes, user: str, sealed: bool) -> None:
        site = self._site
        try:
            request = parse(
                message,
                server_envelope_bytes=site.quotas.max_envelope_kb * 1024,
                default_timeout_s=site.quotas.max_timeout_s,
            )
            self._action = request.action.rpartition("/")[2]
            self._spoil(request)
            if self._action == "Receive" and WsmanFault.LOGIN_FORGOTTEN in site.faults:
                self._answered = Login(None, "")
                self._unauthorized(self._answered)
                return
            if self._action == "Receive" and WsmanFault.HANG_ON_RECEIVE in site.faults:
                self.close_connection = True
                hold(self.connection, site.stopping)
                return
            status, body = HTTPStatus.OK, site.host.handle(request, user, self.client_address[0])
        except MalformedError as error:
            self._page(HTTPStatus.BAD_REQUEST, str(error))
            return
        except FaultError as error:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            quota = error.subcode == "w:QuotaLimit" and site.wmi_quota_faults
            body = fault(error, site.machine, as_wmi_error=quota)
        if not sealed:
            self._send(status, body, _SOAP_TYPE)
            return
        try:
            content_type, sealed_body = self._login.seal(body)
            self._send(status, sealed_body, content_type, sealed=True)
        except SealError as error:
            self._page(HTTPStatus.BAD_REQUEST, str(error))

    def _spoil(self, request: Request) -> None:
        faults, error = self._site.faults, None
        if self._action == "Create" and WsmanFault.QUOTA in faults:
            error = shell_quota_fault(self._site.quotas.max_shells_per_user)
        elif self._action == "Create" and WsmanFault.ACCESS_DENIED in faults:
            error = access_denied_fault()
        elif self._action == "Command" and WsmanFault.POWERSHELL_BLOCKED in faults:
            error = start_denied_fault()
        if error is not None:
            error.relates_to = request.message_id
            raise error

    def _unauthorized(self, login: Login) -> None:
        challenges = [f"{login.scheme} {login.token}"] if login.token else self._site.policy.challenges()
        self._send(HTTPStatus.UNAUTHORIZED, b"", headers=[("WWW-Authenticate", value) for value in challenges])

    def _page(self, status: int, why: str = "") -> None:
        """One of the small pages that HTTP.sys gives."""
        phrase = HTTPStatus(status).phrase
        page = (
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
            f"<HTML><HEAD><TITLE>{phrase}</TITLE></HEAD>\r\n<BODY><h2>{phrase}</h2>\r\n"
            f"<hr><p>HTTP Error {int(status)}. {phrase}.</p>\r\n</BODY></HTML>\r\n"
        )
        self._send(status, page.encode(), _HTML_TYPE, why=why)

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str = "",
        *,
        sealed: bool = False,
        headers: list[tuple[str, str]] | None = None,
        server: str = "Microsoft-HTTPAPI/2.0",
        why: str = "",
    ) -> None:
        lines = [f"HTTP/1.1 {int(status)} {'' if status == HTTPStatus.UNAUTHORIZED else HTTPStatus(status).phrase}"]
        if content_type:
            lines.append(f"Content-Type: {content_type}")
        lines.append(f"Server: {server}")
        if status != HTTPStatus.UNAUTHORIZED and self._answered.token:
            lines.append(f"WWW-Authenticate: {self._answered.scheme} {self._answered.token}")
        lines += [f"{name}: {value}" for name, value in headers or ()]
        lines += [f"Date: {formatdate(usegmt=True)}", f"Content-Length: {len(body)}"]
        if self.close_connection:
            lines.append("Connection: close")
        login = self._answered
        self._site.records.append(
            RequestRecord(
                action=self._action,
                auth=login.mechanism,
                user=login.user or "",
                sealed=sealed,
                status=int(status),
                request_bytes=len(self._body),
                response_bytes=len(body),
                connection=self._number,
                why=why,
            )
        )
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        on_receive = self._site.faults if self._action == "Receive" else frozenset()
        if WsmanFault.CUT in on_receive:
            self.close_connection = True
            data = data[: len(data) - len(body) // 2]
        if WsmanFault.DRIBBLE_ON_RECEIVE in on_receive:
            self.close_connection = True
            self.wfile.write(data[: len(data) - len(body)])
            dribble(self.connection, body, self._site.stopping, self._site.dribble_interval_s)
            return
        self.wfile.write(data)

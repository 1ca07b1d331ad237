"""A web page where WinRM would answer: of a proxy, of IIS, of a portal. It is named, never taken for WinRM's word."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from http import HTTPStatus

from checks.common.dataclass import dataclass
from scanner.errors import NodeError, ProtocolError
from scanner.transports.winrm.error_text import printable
from scanner.transports.winrm.exchange.answer import HttpAnswer

_HTML = re.compile(
    rb"\s{0,100}(?:<\?xml[^>]{0,200}\?>\s{0,100})?<(?:!doctype\s+html|html|head|title|body)\b", re.IGNORECASE
)
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{0,300})", re.IGNORECASE)
_HEAD_BYTES = 16 * 1024
_CHARS = 80
_HTTP_SYS = "microsoft-httpapi"
_PROXIES = ("squid", "bluecoat", "proxysg", "zscaler", "mcafee", "forcepoint", "websense", "fortigate", "fortiproxy",
            "haproxy", "nginx", "apache", "varnish", "envoy", "bigip", "big-ip", "awselb", "cloudflare", "tinyproxy",
            "netscaler", "traffic server", "ats/")  # fmt: skip
"""What calls itself so in `Server` is no Windows; parts of names, lower case."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of one."""

    status: int
    title: str = ""
    server: str = ""
    via: str = ""

    @property
    def told(self) -> str:
        """For messages: HTTP 503, "Service Unavailable", Server: squid/5.7."""
        parts = [f"HTTP {self.status}"]
        parts += [f'"{self.title}"'] if self.title else []
        parts += [f"Server: {self.server}"] if self.server else []
        parts += [f"Via: {self.via}"] if self.via else []
        return ", ".join(parts)

    @property
    def of_a_proxy(self) -> bool:
        """Whether somebody in between says that it is from there."""
        return (
            bool(self.via)
            or self.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
            or _is_of_a_proxy(self.server.lower())
        )


def _is_of_a_proxy(server: str) -> bool:
    return any(name in server for name in _PROXIES)


class PageError(Exception):
    """A page came instead of an answer."""

    def __init__(self, page: Page) -> None:
        self.page = page
        super().__init__(page.told)


def page_of(answer: HttpAnswer) -> Page | None:
    """The page that `answer` is; None for one that may be WinRM's, the small pages of its own HTTP.sys included."""
    head = answer.content[:_HEAD_BYTES]
    server = answer.headers.get("Server", "")
    is_page = bool(_HTML.match(head)) or "text/html" in answer.headers.get("Content-Type", "").lower()
    via = answer.headers.get("Via", "")
    refused_by_proxy = answer.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    if not (is_page or refused_by_proxy):
        return None
    if server.lower().startswith(_HTTP_SYS) and answer.status_code >= HTTPStatus.BAD_REQUEST and not via:
        return None
    found = _TITLE.search(head)
    title = html.unescape(found[1].decode("utf-8", "replace")) if found else ""
    return Page(answer.status_code, _short(title), _short(server), _short(via))


def intermediary(answer: HttpAnswer) -> str:
    """What an answer says of somebody between here and the node; "" where nothing shows."""
    return _between(answer.status_code, answer.headers.get("Server", ""), answer.headers.get("Via", ""))


@lru_cache(maxsize=64)
def _between(status: int, server: str, via: str) -> str:
    """The same few for each of many answers."""
    page = Page(status, "", _short(server), _short(via))
    if not page.of_a_proxy:
        return ""
    return f"Via: {page.via}" if page.via else f"Server: {page.server}" if page.server else f"HTTP {page.status}"


def page_instead(page: Page, port: int) -> NodeError:
    """The error for a page."""
    if page.of_a_proxy:
        return ProtocolError(
            f"a proxy on the way answers in the node's place ({page.told})",
            hint=f"let connections to port {port} of the nodes pass it by; the scanner itself uses no proxy",
        )
    if page.server.lower().startswith("microsoft-iis"):
        return ProtocolError(
            f"IIS answers on port {port}, not WinRM ({page.told})",
            hint="WinRM listens on 5985 (http) and 5986 (https) unless configured otherwise: check `port` and `path`",
        )
    return ProtocolError(
        f"port {port} answers with a web page ({page.told}): is it WinRM that listens there?",
        hint="check `host`, `port` and `path`, and whether a proxy or a portal is in between",
    )


def _short(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= _CHARS else line[: _CHARS - 1] + "…"

"""What the WS-Man server refuses, asked with bare requests: wrong headers, bodies and HTTP."""

from __future__ import annotations

import re
import socket
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
import requests
from requests_ntlm import HttpNtlmAuth

from scanner.lab.servers.wsman.server import WsmanServer

Serve = Callable[..., WsmanServer]

DOMAIN_USER, LOCAL_USER = "CORP\\svc-preflight", "operator"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


class Raw:
    """Bare requests in the clear, against a server that allows it."""

    def __init__(self, server: WsmanServer, auth: tuple[str, str]) -> None:
        self._server = server
        self._auth = auth

    def post(self, body: bytes | str) -> requests.Response:
        data = body.encode() if isinstance(body, str) else body
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8"}
        return requests.post(self._server.endpoint, data=data, headers=headers, auth=self._auth, timeout=10)

    def fault(self, body: bytes | str) -> tuple[int, str, str]:
        """Fault code, subcode (or code) and RelatesTo."""
        answer = self.post(body)
        assert answer.status_code == 500
        root = ET.fromstring(answer.content)  # noqa: S314 - our own server wrote it
        codes = [e.text or "" for e in root.iter("{http://www.w3.org/2003/05/soap-envelope}Value")]
        found = next(root.iter("{http://schemas.microsoft.com/wbem/wsman/1/wsmanfault}WSManFault"))
        relates = root.findtext(".//{http://schemas.xmlsoap.org/ws/2004/08/addressing}RelatesTo") or ""
        return int(found.get("Code", "0")), codes[-1], relates


@pytest.fixture
def raw(serve: Serve, users: dict[str, str]) -> Raw:
    return Raw(serve(auth={"basic"}, allow_unencrypted=True), (LOCAL_USER, users[LOCAL_USER]))


MESSAGE_ID = "uuid:6f1b2c3d-0000-4000-8000-123456789abc"


def envelope(change: Callable[[str], str] = lambda text: text) -> str:
    return change(f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
        xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
        xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="{SHELL}">
      <s:Header><a:To>http://somewhere:5985/wsman</a:To><a:MessageID>{MESSAGE_ID}</a:MessageID>
        <a:Action s:mustUnderstand="true">{TRANSFER}/Create</a:Action>
        <w:ResourceURI s:mustUnderstand="true">{SHELL}/cmd</w:ResourceURI>
        <w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize><w:OperationTimeout>PT60.000S</w:OperationTimeout>
        <w:OptionSet><w:Option Name="WINRS_CODEPAGE">437</w:Option></w:OptionSet></s:Header>
      <s:Body><rsp:Shell><rsp:IdleTimeOut>PT60S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>
        <rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell></s:Body></s:Envelope>""")


def test_a_handwritten_create_is_answered(raw: Raw) -> None:
    answer = raw.post(envelope())
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/soap+xml;charset=UTF-8")
    assert MESSAGE_ID in answer.text
    assert re.search(r'<w:Selector Name="ShellId">[0-9A-F-]{36}</w:Selector>', answer.text)


@pytest.mark.parametrize(
    ("old", "new", "code", "subcode"),
    [
        (f"{TRANSFER}/Create", f"{TRANSFER}/Invent", 2150858753, "a:ActionNotSupported"),
        (f"{TRANSFER}/Create", "", 2150858769, "a:MessageInformationHeaderRequired"),
        ("<a:To>http://somewhere:5985/wsman</a:To>", "", 2150858769, "a:MessageInformationHeaderRequired"),
        (f"<a:MessageID>{MESSAGE_ID}</a:MessageID>", "", 2150858769, "a:MessageInformationHeaderRequired"),
        (MESSAGE_ID, "number one", 2150858767, "a:InvalidMessageInformationHeader"),
        (f"{SHELL}/cmd", f"{SHELL}/bash", 2150858754, "a:DestinationUnreachable"),
        ("PT60S", "60", 2150858817, "w:SchemaValidationError"),
        ("PT60S", "PT", 2150858817, "w:SchemaValidationError"),
        ("PT60.000S", "60", 2150858881, "w:InvalidTimeout"),
        (">437<", ">utf-8<", 2150858835, "w:InvalidOptions"),
        ("stdout stderr", "stdout stdlog", 2150859149, "w:InvalidParameter"),
        (">153600<", ">4096<", 2150858878, "w:EncodingLimit"),
        (">153600<", ">9999999<", 2150858823, "w:EncodingLimit"),
        ("<a:To>", '<a:Vital s:mustUnderstand="true"/><a:To>', 2150858768, "s:MustUnderstand"),
        ("rsp:Shell>", "rsp:Snail>", 2150858817, "w:SchemaValidationError"),
    ],
)
def test_what_windows_faults(raw: Raw, old: str, new: str, code: int, subcode: str) -> None:
    changed = envelope(lambda text: text.replace(old, new))
    assert changed != envelope()
    relates = MESSAGE_ID if MESSAGE_ID in changed else ("number one" if "number one" in changed else "")
    assert raw.fault(changed) == (code, subcode, relates)


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"<s:Envelope",
        b"<Envelope/>",
        envelope(lambda text: f'<!DOCTYPE x [<!ENTITY e "PT60S">]>{text.replace("PT60S", "&e;")}').encode(),
        envelope(lambda text: text.replace("<s:Header>", "<s:Header>\x01")).encode(),
    ],
)
def test_malformed_xml_is_a_400_without_a_fault(raw: Raw, body: bytes) -> None:
    answer = raw.post(body)
    assert answer.status_code == 400
    assert b"Fault" not in answer.content


def test_http_refusals(serve: Serve, users: dict[str, str]) -> None:
    server = serve()
    plain = requests.post(server.endpoint, data=b"x", timeout=5)
    assert (plain.status_code, plain.headers["WWW-Authenticate"], plain.content) == (401, "Negotiate", b"")
    assert requests.post(server.endpoint.replace("/wsman", "/other"), timeout=5).status_code == 404
    assert requests.get(server.endpoint, timeout=5).status_code == 405
    broken = requests.post(server.endpoint, headers={"Authorization": "Negotiate !!!"}, timeout=5)
    assert broken.status_code == 401
    sealed = {"Content-Type": 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'}
    auth = HttpNtlmAuth(DOMAIN_USER, users[DOMAIN_USER])
    assert requests.post(server.endpoint, data=b"x", headers=sealed, auth=auth, timeout=5).status_code == 400
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as bare:
        bare.sendall(b"what is this\r\n\r\n")
        assert bare.recv(100).startswith(b"HTTP/1.1 400")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as bare:
        bare.sendall(b"POST /wsman HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert bare.recv(100).startswith(b"HTTP/1.1 411")

"""The SOAP of PowerShell remoting over WinRM: what is sent, and what of the answers matters.

The forms are those that Windows 2008 R2 to 2016 were seen to take; sources: [MS-PSRP] 3.1.5.3, [MS-WSMV] 3.1.4.
"""

from __future__ import annotations

import base64
import binascii
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from checks.common.dataclass import dataclass
from scanner.errors import ProtocolError
from scanner.transports.powershell.xml_text import escape
from scanner.transports.psrp.messages import PROTOCOL

CONFIGURATION = "Microsoft.PowerShell"
"""The session configuration that Windows registers by itself."""
_RESOURCE = "http://schemas.microsoft.com/powershell/"
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_ENVELOPE_BYTES = 153_600
"""The largest answer that we ask for; what Windows Server 2008 R2 has at most."""
_KEEP_ALIVE = '<w:Option Name="WSMAN_CMDSHELL_OPTION_KEEPALIVE">True</w:Option>'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What every envelope of one conversation says."""

    url: str
    configuration: str
    operation_timeout_s: int

    @property
    def resource(self) -> str:
        """The session configuration's URI."""
        return _RESOURCE + (self.configuration or CONFIGURATION)

    def create(self, pool: uuid.UUID, creation: bytes, idle_s: int) -> str:
        """A runspace pool, opened with the fragments in `creation`."""
        option = f'<w:Option Name="protocolversion" MustComply="true">{PROTOCOL}</w:Option>'
        body = (
            f'<rsp:Shell ShellId="{_upper(pool)}"><rsp:IdleTimeOut>PT{idle_s}S</rsp:IdleTimeOut>'
            "<rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams>"
            f'<creationXml xmlns="http://schemas.microsoft.com/powershell">{_base64(creation)}</creationXml></rsp:Shell>'
        )
        return self._envelope(f"{_TRANSFER}/Create", body, options=option)

    def command(self, shell: str, pipeline: uuid.UUID, first: bytes) -> str:
        """A pipeline, begun with its first fragment."""
        body = (
            f'<rsp:CommandLine CommandId="{_upper(pipeline)}"><rsp:Command />'
            f"<rsp:Arguments>{_base64(first)}</rsp:Arguments></rsp:CommandLine>"
        )
        return self._envelope(f"{_SHELL}/Command", body, shell)

    def send(self, shell: str, pipeline: uuid.UUID, fragment: bytes) -> str:
        """A further fragment."""
        stream = f'<rsp:Stream Name="stdin" CommandId="{_upper(pipeline)}">{_base64(fragment)}</rsp:Stream>'
        return self._envelope(f"{_SHELL}/Send", f"<rsp:Send>{stream}</rsp:Send>", shell)

    def receive(self, shell: str, pipeline: uuid.UUID | None = None) -> str:
        """What the pool, or a pipeline of it, has to say."""
        of = f' CommandId="{_upper(pipeline)}"' if pipeline else ""
        body = f"<rsp:Receive><rsp:DesiredStream{of}>stdout</rsp:DesiredStream></rsp:Receive>"
        return self._envelope(f"{_SHELL}/Receive", body, shell, options=_KEEP_ALIVE)

    def delete(self, shell: str) -> str:
        """The end of the pool, whatever it does."""
        return self._envelope(f"{_TRANSFER}/Delete", "", shell)

    def _envelope(self, action: str, body: str, shell: str = "", *, options: str = "") -> str:
        if options:
            options = f'<w:OptionSet s:mustUnderstand="true">{options}</w:OptionSet>'
        if shell:
            options += f'<w:SelectorSet><w:Selector Name="ShellId">{escape(shell)}</w:Selector></w:SelectorSet>'
        must = 's:mustUnderstand="true"'
        return (
            f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="{_ADDRESSING}" '
            f'xmlns:w="{_WSMAN}" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:rsp="{_SHELL}">'
            f"<s:Header><a:To>{escape(self.url)}</a:To>"
            f"<a:ReplyTo><a:Address {must}>{_ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>"
            f"<a:Action {must}>{action}</a:Action><a:MessageID>uuid:{_upper(uuid.uuid4())}</a:MessageID>"
            f"<w:MaxEnvelopeSize {must}>{_ENVELOPE_BYTES}</w:MaxEnvelopeSize>"
            f"<w:OperationTimeout>PT{self.operation_timeout_s}S</w:OperationTimeout>"
            f"<w:ResourceURI {must}>{escape(self.resource)}</w:ResourceURI>"
            '<w:Locale s:mustUnderstand="false" xml:lang="en-US" /><p:DataLocale s:mustUnderstand="false" '
            f'xml:lang="en-US" />{options}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
        )


def _upper(name: uuid.UUID) -> str:
    return str(name).upper()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def shell_of(answer: bytes) -> str:
    """The id of the shell that was created. Raises ProtocolError."""
    selectors = ET.fromstring(answer).iter(f"{{{_WSMAN}}}Selector")  # noqa: S314 - the channel refuses entities
    found = next((each.text for each in selectors if each.get("Name", "").lower() == "shellid"), None)
    if not found:
        raise ProtocolError("the answer to the creation of a session names none")
    return found.strip()


@dataclass(frozen=True, slots=True)
class Received:
    """The answer to one Receive."""

    streams: tuple[bytes, ...]
    done: bool
    """Nothing more will come of this pipeline."""


def received(answer: bytes) -> Received:
    """Read the answer to a Receive. Raises ProtocolError."""
    root = ET.fromstring(answer)  # noqa: S314 - the channel refuses entities
    states = root.iter(f"{{{_SHELL}}}CommandState")
    done = any(each.get("State", "").endswith("/CommandState/Done") for each in states)
    return Received(tuple(_streams(root)), done)


def _streams(root: ET.Element) -> Iterator[bytes]:
    for stream in root.iter(f"{{{_SHELL}}}Stream"):
        if stream.get("Name") != "stdout" or not stream.text:
            continue
        try:
            yield base64.b64decode(stream.text)
        except (binascii.Error, ValueError) as error:
            raise ProtocolError("the answer holds a stream that is no Base64") from error

"""The SOAP of a Windows Remote Shell: what is sent, and what of the answers matters.

What is sent is what pywinrm sends, to the byte: every version of Windows is known to take that. pywinrm builds each
message anew from dictionaries, which takes longer than sealing and sending it.
"""

from __future__ import annotations

import base64
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

from checks.common.dataclass import dataclass
from scanner.errors import ProtocolError
from scanner.transports.powershell.xml_text import escape, quote_attribute

_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<env:Envelope xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:env="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" '
    'xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" '
    f'xmlns:x="{_TRANSFER}" '
    'xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" '
    'xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" '
    f'xmlns:rsp="{_SHELL}" '
    'xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config">'
    "<env:Header><a:To>http://windows-host:5985/wsman</a:To>"
    '<a:ReplyTo><a:Address mustUnderstand="true">'
    "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
    '<w:MaxEnvelopeSize mustUnderstand="true">153600</w:MaxEnvelopeSize>'
)
_LANGUAGE = (
    '<w:Locale mustUnderstand="false" xml:lang="en-US"></w:Locale>'
    '<p:DataLocale mustUnderstand="false" xml:lang="en-US"></p:DataLocale>'
)
_RESOURCE = f'<w:ResourceURI mustUnderstand="true">{_SHELL}/cmd</w:ResourceURI>'


@dataclass(frozen=True, slots=True)
class Shell:
    """What every envelope of one conversation says; `name` is the shell's, once it has been created."""

    operation_timeout_s: int
    name: str = ""

    def create(self, variables: Mapping[str, str], idle_s: int) -> str:
        """A shell with these environment variables."""
        options = {"WINRS_NOPROFILE": "FALSE", "WINRS_CODEPAGE": "437"}
        body = (
            "<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
            f"<rsp:IdleTimeOut>PT{idle_s}S</rsp:IdleTimeOut>"
        )
        if variables:
            each = (
                f"<rsp:Variable Name={quote_attribute(key)}>{escape(value)}</rsp:Variable>"
                for key, value in variables.items()
            )
            body += f"<rsp:Environment>{''.join(each)}</rsp:Environment>"
        return self._envelope(f"{_TRANSFER}/Create", f"{body}</rsp:Shell>", options)

    def command(self, command: str, arguments: Iterable[str], *, console: bool) -> str:
        """A program with its arguments; its standard input is a console or a pipe."""
        options = {"WINRS_CONSOLEMODE_STDIN": "TRUE" if console else "FALSE", "WINRS_SKIP_CMD_SHELL": "FALSE"}
        line = f"<rsp:Command>{escape(command)}</rsp:Command>"
        if given := " ".join(arguments):
            line += f"<rsp:Arguments>{escape(given)}</rsp:Arguments>"
        return self._envelope(f"{_SHELL}/Command", f"<rsp:CommandLine>{line}</rsp:CommandLine>", options)

    def send(self, command: str, data: bytes, *, end: bool) -> str:
        """A piece of standard input, the last one or not."""
        stream = (
            f'<rsp:Stream CommandId={quote_attribute(command)} Name="stdin" End="{"true" if end else "false"}" '
            f'xmlns:rsp="{_SHELL}">{base64.b64encode(data).decode("ascii")}</rsp:Stream>'
        )
        return self._envelope(f"{_SHELL}/Send", f"<rsp:Send>{stream}</rsp:Send>")

    def receive(self, command: str) -> str:
        """What the program has printed."""
        wanted = f"<rsp:DesiredStream CommandId={quote_attribute(command)}>stdout stderr</rsp:DesiredStream>"
        return self._envelope(f"{_SHELL}/Receive", f"<rsp:Receive>{wanted}</rsp:Receive>")

    def delete(self) -> str:
        """The end of the shell, whatever runs in it."""
        return self._envelope(f"{_TRANSFER}/Delete", "")

    def _envelope(self, action: str, body: str, options: Mapping[str, str] | None = None) -> str:
        about = ""
        if self.name:
            about = f'<w:SelectorSet><w:Selector Name="ShellId">{escape(self.name)}</w:Selector></w:SelectorSet>'
        if options:
            each = (f'<w:Option Name="{key}">{value}</w:Option>' for key, value in options.items())
            about += f"<w:OptionSet>{''.join(each)}</w:OptionSet>"
        return (
            f"{_HEAD}<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>{_LANGUAGE}"
            f"<w:OperationTimeout>PT{self.operation_timeout_s}S</w:OperationTimeout>{_RESOURCE}"
            f'<a:Action mustUnderstand="true">{action}</a:Action>{about}</env:Header>'
            f"<env:Body>{body}</env:Body></env:Envelope>"
        )


@dataclass(frozen=True, slots=True)
class Received:
    """The answer to one Receive."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None
    """None: the program runs on."""


def shell_of(answer: bytes) -> str:
    """The name of the shell that was created. Raises ProtocolError, and what the parser raises."""
    root = ET.fromstring(answer)  # noqa: S314 - the channel refuses entities
    name = next((each.text for each in root.iter() if each.get("Name") == "ShellId"), None)
    return _named(name, "the shell")


def command_of(answer: bytes) -> str:
    """The name of the command that was started. Raises ProtocolError, and what the parser raises."""
    root = ET.fromstring(answer)  # noqa: S314 - the channel refuses entities
    return _named(next((each.text for each in root.iter() if each.tag.endswith("CommandId")), None), "the command")


def received(answer: bytes) -> Received:
    """Read the answer to a Receive. Raises ValueError for what is no answer, and what the parser raises."""
    root = ET.fromstring(answer)  # noqa: S314 - the channel refuses entities
    streams: dict[str | None, list[bytes]] = {"stdout": [], "stderr": []}
    exit_code: int | None = None
    done = False
    for each in root.iter():
        if each.tag.endswith("Stream") and each.text and each.get("Name") in streams:
            streams[each.get("Name")].append(base64.b64decode(each.text.encode("ascii")))
        elif each.tag.endswith("ExitCode"):
            exit_code = int(each.text or -1)
        done = done or each.get("State", "").endswith("CommandState/Done")
    if done and exit_code is None:
        raise ProtocolError("the node's answer is not WS-Management: the command is done without an exit code")
    return Received(b"".join(streams["stdout"]), b"".join(streams["stderr"]), exit_code if done else None)


def _named(name: str | None, what: str) -> str:
    if not name:
        raise ProtocolError(f"the node's answer is not WS-Management: it does not name {what}")
    return name

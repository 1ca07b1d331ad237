"""What we tell a PowerShell server, and what of its messages matters here ([MS-PSRP] 2.2.2)."""

from __future__ import annotations

import enum
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from checks.common.dataclass import dataclass
from scanner.errors import ProtocolError, shortened
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.transports.psrp import clixml
from scanner.transports.psrp.fragments import Message

PROTOCOL = "2.3"
"""What PowerShell 5.1 says of itself; servers from 2.1 (PowerShell 2.0) on take it."""


class Kind(enum.IntEnum):
    """The message types that are sent or understood; what else comes is passed over."""

    SESSION_CAPABILITY = 0x00010002
    INIT_RUNSPACEPOOL = 0x00010004
    RUNSPACEPOOL_STATE = 0x00021005
    CREATE_PIPELINE = 0x00021006
    APPLICATION_PRIVATE_DATA = 0x00021009
    RUNSPACEPOOL_HOST_CALL = 0x00021100
    PIPELINE_OUTPUT = 0x00041004
    ERROR_RECORD = 0x00041005
    PIPELINE_STATE = 0x00041006
    PIPELINE_HOST_CALL = 0x00041100


class PoolState(enum.IntEnum):
    """[MS-PSRP] 2.2.3.4, as far as it decides something."""

    OPENED = 2
    CLOSED = 3
    BROKEN = 5


class PipelineState(enum.IntEnum):
    """[MS-PSRP] 2.2.3.5, as far as it decides something."""

    STOPPED = 3
    COMPLETED = 4
    FAILED = 5


NO_ANSWER = -100
"""The number of a host call that wants none ([MS-PSRP] 2.2.2.27)."""

_ENUM = "<T>System.Enum</T><T>System.ValueType</T><T>System.Object</T>"
_NO_HOST = "".join(
    f'<B N="{name}">true</B>' for name in ("_isHostNull", "_isHostUINull", "_isHostRawUINull", "_useRunspaceHost")
)
_LIST = (
    "<T>System.Collections.Generic.List`1[[System.Management.Automation.PSObject, System.Management.Automation, "
    "Version=1.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35]]</T><T>System.Object</T>"
)


def _enum(name: str, kind: str, shown: str, value: int, ref: int, type_ref: int) -> str:
    return (
        f'<Obj N="{name}" RefId="{ref}"><TN RefId="{type_ref}"><T>{kind}</T>{_ENUM}</TN>'
        f"<ToString>{shown}</ToString><I32>{value}</I32></Obj>"
    )


_APARTMENT = "System.Management.Automation.Runspaces.ApartmentState"


def session_capability(pool: uuid.UUID) -> Message:
    """Which protocol we speak."""
    data = (
        f'<Obj RefId="0"><MS><Version N="protocolversion">{PROTOCOL}</Version><Version N="PSVersion">2.0</Version>'
        '<Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>'
    )
    return Message(kind=Kind.SESSION_CAPABILITY, data=data.encode(), pool=pool)


def init_runspace_pool(pool: uuid.UUID, arguments: Mapping[str, str]) -> Message:
    """A pool of one runspace without a host: what would ask somebody fails at once.

    `arguments` are in $PSSenderInfo.ApplicationArguments there, and in no log.
    """
    given = '<Nil N="ApplicationArguments" />'
    if arguments:
        entries = "".join(
            f'<En><S N="Key">{clixml.text(name)}</S><S N="Value">{clixml.text(value)}</S></En>'
            for name, value in arguments.items()
        )
        given = (
            '<Obj N="ApplicationArguments" RefId="4"><TN RefId="2">'
            "<T>System.Management.Automation.PSPrimitiveDictionary</T><T>System.Collections.Hashtable</T>"
            f"<T>System.Object</T></TN><DCT>{entries}</DCT></Obj>"
        )
    threads = "System.Management.Automation.Runspaces.PSThreadOptions"
    data = (
        '<Obj RefId="0"><MS><I32 N="MinRunspaces">1</I32><I32 N="MaxRunspaces">1</I32>'
        f"{_enum('PSThreadOptions', threads, 'Default', 0, 1, 0)}"
        f"{_enum('ApartmentState', _APARTMENT, 'UNKNOWN', 2, 2, 1)}"
        f'<Obj N="HostInfo" RefId="3"><MS>{_NO_HOST}</MS></Obj>{given}</MS></Obj>'
    )
    return Message(kind=Kind.INIT_RUNSPACEPOOL, data=data.encode(), pool=pool)


def create_pipeline(pool: uuid.UUID, pipeline: uuid.UUID, script: str) -> Message:
    """One script without input, in the form that PowerShell 2.0 takes, too."""
    results = "System.Management.Automation.Runspaces.PipelineResultTypes"
    none = "<ToString>None</ToString><I32>0</I32>"
    streams = "System.Management.Automation.Runspaces.RemoteStreamOptions"
    data = (
        f'<Obj RefId="0"><MS><B N="NoInput">true</B>{_enum("ApartmentState", _APARTMENT, "UNKNOWN", 2, 1, 0)}'
        f"{_enum('RemoteStreamOptions', streams, '0', 0, 2, 1)}"
        f'<B N="AddToHistory">false</B><Obj N="HostInfo" RefId="3"><MS>{_NO_HOST}</MS></Obj>'
        '<Obj N="PowerShell" RefId="4"><MS><B N="IsNested">false</B><Nil N="ExtraCmds" />'
        f'<Obj N="Cmds" RefId="5"><TN RefId="2">{_LIST}</TN><LST><Obj RefId="6"><MS>'
        f'<S N="Cmd">{clixml.text(script)}</S><B N="IsScript">true</B><Nil N="UseLocalScope" />'
        f'<Obj N="MergeMyResult" RefId="7"><TN RefId="3"><T>{results}</T>{_ENUM}</TN>{none}</Obj>'
        f'<Obj N="MergeToResult" RefId="8"><TNRef RefId="3" />{none}</Obj>'
        f'<Obj N="MergePreviousResults" RefId="9"><TNRef RefId="3" />{none}</Obj>'
        '<Obj N="Args" RefId="10"><TNRef RefId="2" /><LST /></Obj></MS></Obj></LST></Obj>'
        '<Nil N="History" /><B N="RedirectShellErrorOutputPipe">false</B></MS></Obj>'
        '<B N="IsNested">false</B></MS></Obj>'
    )
    return Message(kind=Kind.CREATE_PIPELINE, data=data.encode(), pool=pool, pipeline=pipeline)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error record: why a pipeline or a pool came to an end, or what a command complained of."""

    text: str
    """Its message, in the language of Windows, and no line of its position."""
    error_id: str = ""
    """FullyQualifiedErrorId, the same in every language."""


def protocol_of(message: Message) -> str:
    """The version of a server's SESSION_CAPABILITY; empty where it tells none."""
    found = clixml.member(clixml.read(message.data), "protocolversion")
    return shortened((found.text or "").strip(), 20) if found is not None else ""


def state_of(message: Message, name: str, hide: Redactor = NOTHING_SECRET) -> tuple[int, Failure]:
    """The number of a state message, and why it came to that. Raises ProtocolError."""
    value = clixml.read(message.data)
    state = clixml.number(value, name)
    if state is None:
        raise ProtocolError(f"a message of PowerShell remoting tells no {name}")
    reason = clixml.member(value, "ExceptionAsErrorRecord")
    return state, failure_of(reason, hide) if reason is not None else Failure("")


def failure_of(record: ET.Element, hide: Redactor = NOTHING_SECRET) -> Failure:
    """An ErrorRecord; `hide` takes secrets out of its texts before they are cut."""
    found = clixml.member(record, "FullyQualifiedErrorId")
    identity = clixml.plain(found.text or "") if found is not None else ""
    return Failure(clixml.shown(record, hide), shortened(clixml.hidden(identity, hide), 200))


def output_of(message: Message) -> str:
    """One object of output as text, whole where it is one; $null has no object."""
    if not message.data:
        return ""
    value = clixml.read(message.data)
    return clixml.plain(value.text or "") if value.tag == "S" else clixml.shown(value)


def host_call_of(message: Message, hide: Redactor = NOTHING_SECRET) -> tuple[int, str]:
    """The number of a host call and the name of its method."""
    value = clixml.read(message.data)
    method = clixml.member(value, "mi")
    number = clixml.number(value, "ci")
    return NO_ANSWER if number is None else number, clixml.shown(method, hide) if method is not None else "?"

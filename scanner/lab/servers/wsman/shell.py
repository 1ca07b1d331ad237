"""A remote shell, the request that creates one, and the quotas it lives under."""

from __future__ import annotations

import time
import uuid
import xml.etree.ElementTree as ET
from dataclasses import field

from checks.common.dataclass import dataclass
from scanner.lab.servers.wsman.command import Command
from scanner.lab.servers.wsman.messages import SHELL, FaultError, Request, duration_s
from scanner.lab.servers.wsman.soap_faults import invalid_streams_fault, schema_fault

_DEFAULT_IDLE_S = 7200.0
_LONGEST_VARIABLE = 32_767
"""Characters of NAME=value; no Windows process can have a longer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The limits of winrm/config; the defaults are those of Windows Server 2012 R2 and later."""

    max_envelope_kb: int = 500
    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25
    max_operations_per_user: int = 1500
    max_timeout_s: float = 60.0
    """MaxTimeoutms: longer operation timeouts are cut to it."""


QUOTAS_2008R2 = Quotas(
    max_envelope_kb=150, max_shells_per_user=5, max_processes_per_shell=15, max_operations_per_user=15
)


@dataclass(slots=True, kw_only=True)
class Shell:
    """One open remote shell."""

    key: str
    owner: str
    environment: dict[str, str]
    codepage: int
    working_directory: str
    input_streams: frozenset[str]
    output_streams: frozenset[str]
    idle_timeout_s: float
    commands: dict[str, Command] = field(default_factory=dict)
    busy: int = 0
    touched_s: float = field(default_factory=time.monotonic)

    def stop(self) -> None:
        """End all of its commands."""
        for command in tuple(self.commands.values()):
            command.stop()


def read_shell(request: Request, user: str) -> Shell:
    """The shell that a Create request asks for. Raises FaultError."""
    element = child(request.body, "Shell")
    codepage = request.options.get("WINRS_CODEPAGE", "437")
    request.flag("WINRS_NOPROFILE", default=False)
    if not (codepage.isascii() and codepage.isdecimal()):
        raise FaultError(2150858835, "The option WINRS_CODEPAGE has an invalid value.", subcode="w:InvalidOptions")
    idle = element.findtext(f"{{{SHELL}}}IdleTimeOut") or element.findtext(f"{{{SHELL}}}IdleTimeout")
    idle_s = _DEFAULT_IDLE_S if idle is None else duration_s(idle)
    if idle_s is None:
        raise schema_fault(f"The element IdleTimeOut is not a valid duration: {idle}.")
    shell = Shell(
        key=key_of(element.get("ShellId")),
        owner=user,
        environment={
            variable.get("Name", ""): variable.text or ""
            for variable in element.iterfind(f"{{{SHELL}}}Environment/{{{SHELL}}}Variable")
        },
        codepage=int(codepage),
        working_directory=(element.findtext(f"{{{SHELL}}}WorkingDirectory") or "").strip(),
        input_streams=_streams(element, "InputStreams", {"stdin"}),
        output_streams=_streams(element, "OutputStreams", {"stdout", "stderr"}),
        idle_timeout_s=idle_s,
    )
    if "" in shell.environment:
        raise schema_fault("An environment variable needs a name.")
    if any(len(name) + 1 + len(value) > _LONGEST_VARIABLE for name, value in shell.environment.items()):
        raise FaultError(87, "The parameter is incorrect.")
    return shell


def key_of(given: str | None) -> str:
    """The id of a new shell or command: the client's choice if it made one. Raises FaultError."""
    try:
        return str(uuid.uuid4() if given is None else uuid.UUID(given)).upper()
    except ValueError:
        raise schema_fault(f"{given} is not a UUID.") from None


def child(body: ET.Element, name: str) -> ET.Element:
    """The element `name` of a SOAP body. Raises FaultError."""
    element = body.find(f"{{{SHELL}}}{name}")
    if element is None:
        raise schema_fault(f"The SOAP body has no {name} element.")
    return element


def _streams(shell: ET.Element, element: str, known: set[str]) -> frozenset[str]:
    names = frozenset((shell.findtext(f"{{{SHELL}}}{element}") or "").split())
    if not names <= known:
        raise invalid_streams_fault(element, " ".join(sorted(names)))
    return names

"""What the WS-Man server asks of the process that a command line would start, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRequest:
    """One command as it would reach cmd.exe."""

    command_line: str
    """Command and arguments joined by blanks."""
    environment: Mapping[str, str]
    """The variables that the shell's creation added."""
    stdin: bytes = b""
    """All input that has arrived."""
    codepage: int = 437
    """The shell's console code page, WINRS_CODEPAGE."""
    stdin_closed: bool = False
    """The client ended stdin: no more can come."""
    console_mode_stdin: bool = True
    """WINRS_CONSOLEMODE_STDIN: stdin is a console, not a pipe."""
    working_directory: str = ""
    script: str | None = None
    """The pipeline of a PowerShell session, where there is no command line."""
    user: str = ""
    """The account as the server knows it: CORP\\svc-preflight or a local name."""


@dataclass(frozen=True, slots=True)
class ProcessOutput:
    """Everything a process left behind."""

    stdout: bytes
    stderr: bytes = b""
    exit_code: int = 0


class WaitsForInputError(Exception):
    """Raised by an `Execute`: the process reads on although stdin is open. It is asked again when more has come."""


Execute = Callable[[ProcessRequest], ProcessOutput]

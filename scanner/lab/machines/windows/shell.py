"""What OpenSSH for Windows makes of a command: its DefaultShell, cmd.exe or PowerShell, and what that starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.machines.windows import powershell_process
from scanner.lab.servers.wsman.process import Execute, ProcessRequest

DEFAULT_SHELLS = ("cmd", "powershell")
"""What the registry's DefaultShell may name here, the usual one first."""
ODD_BYTES = b"caf\xe9 \xff\xfe\r\n"
"""What no text is made of, before an answer."""

_UNKNOWN = (
    "{name} : The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable "
    "program.\r\n"
    "At line:1 char:1\r\n+ {command}\r\n"
)


class WindowsShell:
    """Starts what cmd.exe, or PowerShell, would start, with `execute` for its process. See `ssh_server.Shell`."""

    def __init__(self, execute: Execute, default_shell: str = DEFAULT_SHELLS[0]) -> None:
        self._execute = execute
        self._nested = default_shell == "powershell"

    def refuses(self, command: str) -> CommandOutput | None:
        """What is said, at once, of a command that starts nothing."""
        # CreateProcess takes four times as much, but no other command is so long.
        refused = powershell_process.refusal(command)
        if refused is None:
            return None
        name = command.partition(" ")[0]
        if self._nested and not powershell_process.is_powershell(name):
            return CommandOutput(_UNKNOWN.format(name=name, command=command[:200]), 1)
        return CommandOutput((refused.stdout + refused.stderr).decode("utf-8", "backslashreplace"), refused.exit_code)

    def greets(self, command: str, line: bytes, wait: Callable[[float], object]) -> bytes:  # noqa: ARG002  says nothing
        """Nothing: PowerShell waits for the end of its input."""
        return b""

    def run(
        self, command: str, stdin: bytes, *, wait: Callable[[float], object], non_utf8: bool = False
    ) -> Iterator[bytes | int]:
        """The output, then the exit code. PowerShell around PowerShell knows only 0 and 1."""
        wait(0.0)
        done = self._execute(
            ProcessRequest(
                command_line=command, environment={}, stdin=stdin, stdin_closed=True, console_mode_stdin=False
            )
        )
        if non_utf8:
            yield ODD_BYTES
        yield done.stdout + done.stderr
        yield min(done.exit_code, 1) if self._nested else done.exit_code

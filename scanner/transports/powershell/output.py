"""What PowerShell's process left behind, judged: its output, or why there is none worth having."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import zip_longest

from scanner.errors import NodeError, ProtocolError, RefusedError
from scanner.transports.powershell.script_delivery import CONSTRAINED_MARKER, INCOMPLETE_MARKER

_CLIXML = "#< CLIXML"
_CLIXML_BYTES = 256 * 1024
_NOT_FOUND = (126, 127, 9009)
"""What POSIX shells and cmd.exe end with where there is no such program; cmd.exe with 1 as well."""
_LINE_CHARS = 300
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_POSITION = re.compile(r"[:\s]\s?\d{1,9}\D{1,40}\d{1,9}\s*$")
"""How a line ends that says where: "At line:1 char:40", "In Zeile:1 Zeichen:1", "所在位置 行:1 字符: 1"."""
_AMSI_ID = b"ScriptContainedMaliciousContent"
_PLAIN = 'set `delivery = "stdin"` for this node, which sends the script as plain text'
_NT_ERRORS = 0xC0000000
"""From here on an exit code is an NTSTATUS, or .NET's 0xE0434352: nobody chose it."""
_TERMINATED = (0xFFFFFFFF, 1, 5, 259)
"""What TerminateProcess is called with by those that end others' processes; 1 also is PowerShell's own."""
_CMD_REFUSES = (1, 5, 1260)
_BLOCKED_BY_POLICY = "blocked by group policy"
_CRASHES = {
    0xC0000005: ", access violation",
    0xC0000022: ", access denied",
    0xC0000135: ", a library is missing",
    0xC0000142: ", a library did not start: often out of desktop heap",
    0xC000013A: ", ended by Ctrl+C or a closing shell",
    0xC0000409: ", security check failed",
    0xC0000428: ", its signature is not accepted",
    0xE0434352: ", unhandled .NET exception",
}


def check_exit(stdout: bytes, stderr: bytes, exit_code: int) -> bytes:
    """The output of a finished process. Raises NodeError where it failed or said nothing, with `partial`."""
    failure = (
        _blocked(stderr)
        or _kept_from_running(stdout, stderr, exit_code)
        or _failure(stdout, stderr, exit_code, 'set `delivery = "stdin"` for this node')
    )
    if failure:
        failure.partial = stdout
        raise failure
    return stdout


def settle_merged(output: bytes, exit_code: int) -> NodeError | None:
    """Why the output of a finished process, with its standard error among it, is no answer; None where it is one.

    So it comes over SSH and from a process here: which of the two is which, PowerShell as OpenSSH's DefaultShell does
    not leave apart anyway. It also makes 1 of every exit code but 0.
    """
    at = output.find(_CLIXML.encode())
    failure = _blocked(output[max(at, 0) :]) or _failure(output, output[max(at, 0) :], exit_code, _HINT_STDIN)
    if failure:
        failure.partial = output
    return failure


_HINT_STDIN = (
    "its OpenSSH may cut standard input short (versions of 2017 do): bring it up to date; with PowerShell 2.0, "
    "OpenSSH's DefaultShell must be cmd.exe"
)


_HINT_BY_HAND = (
    "run powershell.exe there with the same account by hand; look at the node's event logs (Windows PowerShell, "
    "Application), at endpoint protection, and at what the account's profile starts"
)


def _blocked(stderr: bytes) -> NodeError | None:
    """Endpoint protection has read the script and said no. Its id is the same in every language."""
    if _AMSI_ID not in stderr:
        return None
    reason = first_line(stderr)
    return RefusedError(
        f"endpoint protection on the node (AMSI) blocks the script: {reason}",
        hint=f"{_PLAIN}; else except the scanning account there, with what `preflight probes INVENTORY` prints",
    )


def _kept_from_running(stdout: bytes, stderr: bytes, exit_code: int) -> NodeError | None:
    """cmd.exe or Windows, not PowerShell, says or shows that powershell.exe did not run to its end."""
    code = exit_code & 0xFFFFFFFF
    if stdout.strip() or not exit_code or exit_code in _NOT_FOUND:
        return None
    if not stderr.strip() and (code >= _NT_ERRORS or code in _TERMINATED):
        shown = f"0x{code:08X}" if code >= _NT_ERRORS else str(exit_code)
        meant = _CRASHES.get(code, "")
        return RefusedError(
            f"powershell.exe was ended, or kept from starting, without a word (exit {shown}{meant})",
            hint=f"endpoint protection or a policy does that: {_PLAIN}, or look at its log and at the node's event log",
        )
    # PowerShell writes CLIXML there; plain words before any output are cmd.exe's, and in the language of Windows.
    if code in _CMD_REFUSES and _CLIXML.encode() not in stderr and b"FullyQualifiedErrorId" not in stderr:
        words = first_line(stderr)
        if _BLOCKED_BY_POLICY in words:
            return RefusedError(
                f"a policy on the node forbids powershell.exe: {words}",
                hint="except the scanning account from the AppLocker, WDAC or software restriction policy",
            )
        return RefusedError(
            f"powershell.exe did not start there: {words}",
            hint=f"is it there, and may the account start it (AppLocker, WDAC, endpoint protection)? {_PLAIN}",
        )
    return None


def _failure(stdout: bytes, stderr: bytes, exit_code: int, hint_incomplete: str) -> NodeError | None:
    said = {line.strip() for line in stdout.splitlines()}
    if CONSTRAINED_MARKER.encode() in said:
        return RefusedError(
            "PowerShell runs in Constrained Language Mode for this account, which forbids what the scan needs",
            hint="exempt the account from the AppLocker or WDAC policy that restricts it, or scan with another account",
        )
    if INCOMPLETE_MARKER.encode() in said:
        return ProtocolError(
            "the script did not arrive whole in PowerShell, and nothing of it has run",
            hint=hint_incomplete,
        )
    reason = first_line(stderr)
    if exit_code in _NOT_FOUND:
        cause = f"powershell.exe cannot be run there (exit {exit_code})"
        hint = "is it a Windows machine? Nodes of this product are; check `host` and `port`"
        return RefusedError(f"{cause}: {reason}" if reason else cause, hint=hint)
    if exit_code != 0:
        cause = f"PowerShell ended with exit code {exit_code}"
        return RefusedError(f"{cause}: {reason}" if reason else f"{cause} and gave no reason", hint=_HINT_BY_HAND)
    if not stdout.strip():
        cause = "PowerShell printed nothing"
        return ProtocolError(f"{cause}: {reason}" if reason else f"{cause} and gave no reason", hint=_HINT_BY_HAND)
    return None


def first_line(stderr: bytes) -> str:
    """The first thing that standard error says, on one line; CLIXML, as powershell.exe writes to a pipe, is decoded.

    Where it happened, which PowerShell puts before or behind what happened in the language of Windows, is passed over.
    """
    text = stderr.decode("utf-8", "backslashreplace").strip()
    before, mark, document = text.partition(_CLIXML)
    if mark and not before.strip():
        text = _from_clixml(document.partition("\n")[2]) or text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # "+ code" and "+ ~~~~" follow "At line:1 char:1", whatever that is called; "+ CategoryInfo" follows the words.
    told = [
        line
        for line, below in zip_longest(lines, lines[1:], fillvalue="")
        if not line.startswith("+") and not (_is_code(below) and _POSITION.search(line))
    ]
    line = told[0] if told else lines[0] if lines else ""
    return line if len(line) <= _LINE_CHARS else line[: _LINE_CHARS - 1] + "…"


def _is_code(line: str) -> bool:
    """Whether it shows where an error happened: "+ Get-Thing"."""
    return line.startswith("+") and not line.startswith(("+ CategoryInfo", "+ FullyQualifiedErrorId"))


def _from_clixml(document: str) -> str:
    if len(document) > _CLIXML_BYTES or "<!" in document:
        return ""
    try:
        root = ET.fromstring(document)  # noqa: S314 - without a DOCTYPE, as just made sure, there are no entities
    except ET.ParseError:
        return ""
    errors = [node.text or "" for node in root.iter() if node.get("S") == "Error"]
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), "".join(errors))

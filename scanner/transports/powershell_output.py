"""What PowerShell's process left behind, judged: its output, or why there is none worth having."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from scanner.errors import NodeError, ProtocolError, RefusedError
from scanner.transports.powershell_delivery import CONSTRAINED_MARKER, INCOMPLETE_MARKER

_CLIXML = "#< CLIXML"
_CLIXML_BYTES = 256 * 1024
_NOT_FOUND = (126, 127, 9009)
"""What POSIX shells and cmd.exe end with where there is no such program; cmd.exe with 1 as well."""
_LINE_CHARS = 300
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def settle(stdout: bytes, stderr: bytes, exit_code: int) -> bytes:
    """The output of a finished process. Raises NodeError where it failed or said nothing, with `partial`."""
    failure = _failure(stdout, stderr, exit_code, 'set `delivery = "stdin"` for this node')
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
    failure = _failure(output, output[max(at, 0) :], exit_code, _HINT_STDIN)
    if failure:
        failure.partial = output
    return failure


_HINT_STDIN = (
    "its OpenSSH may cut standard input short (versions of 2017 do): bring it up to date; with PowerShell 2.0, "
    "OpenSSH's DefaultShell must be cmd.exe"
)


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
        return RefusedError(f"{cause}: {reason}" if reason else f"{cause} and gave no reason")
    if not stdout.strip():
        cause = "PowerShell printed nothing"
        return ProtocolError(f"{cause}: {reason}" if reason else f"{cause} and gave no reason")
    return None


def first_line(stderr: bytes) -> str:
    """The first thing that standard error says, on one line; CLIXML, as powershell.exe writes to a pipe, is decoded."""
    text = stderr.decode("utf-8", "backslashreplace").strip()
    if text.startswith(_CLIXML):
        text = _from_clixml(text.partition("\n")[2]) or text
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _LINE_CHARS else line[: _LINE_CHARS - 1] + "…"


def _from_clixml(document: str) -> str:
    if len(document) > _CLIXML_BYTES or "<!" in document:
        return ""
    try:
        root = ET.fromstring(document)  # noqa: S314 - without a DOCTYPE, as just made sure, there are no entities
    except ET.ParseError:
        return ""
    errors = [node.text or "" for node in root.iter() if node.get("S") == "Error"]
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), "".join(errors))

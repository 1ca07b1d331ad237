"""What cmd.exe and powershell.exe make of a delivered command line; for the lab, where neither exists.

The script is taken out of what really came over the wire, with no help from the sender, and everything that Windows
would refuse is refused in its words. No PowerShell is interpreted: only our own bootstraps are understood, letter by
letter, and the script that they fetch is handed on as text.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Mapping
from typing import NoReturn
from xml.sax.saxutils import escape

from scanner.lab.servers.wsman.process import ProcessOutput, ProcessRequest, WaitsForInputError
from scanner.transports.powershell import script_delivery as delivery
from scanner.transports.psrp.delivery import FROM_PIPELINE

CMD_LINE_CHARS = 8191
"""cmd.exe's limit (support.microsoft.com, KB 830473)."""
_SCRIPT_BYTES = 8 * 1024 * 1024
_PROGRAM = re.compile(r"(?P<name>[^\s\"]+|\"[^\"]*\")\s*(?P<rest>.*)", re.DOTALL)
_SWITCHES = frozenset({"noprofile", "noninteractive", "nologo"})
_VALUED = {
    "executionpolicy": frozenset({"bypass", "unrestricted", "remotesigned", "allsigned", "restricted", "default"}),
    "outputformat": frozenset({"text", "xml"}),
    "inputformat": frozenset({"text", "xml"}),
}


class _RefusedError(Exception):
    """The process ends before the script runs, with this output."""

    def __init__(self, output: ProcessOutput) -> None:
        super().__init__(output.stderr or output.stdout)
        self.output = output


def run(
    request: ProcessRequest, run_script: Callable[[str], ProcessOutput], *, constrained_language: bool = False
) -> ProcessOutput:
    """Start what the command line says. `run_script` gets the script's text once it is there in full.

    `constrained_language`: policy (AppLocker, WDAC) restricts the account's PowerShell.
    Raises WaitsForInputError where PowerShell would read on from standard input.
    """
    try:
        if request.script is not None:
            script = _of_pipeline(request.script, constrained_language=constrained_language)
        else:
            bootstrap = _bootstrap(request.command_line)
            script = _script(bootstrap, request, constrained_language=constrained_language)
    except _RefusedError as refused:
        return refused.output
    return run_script(script)


def refusal(command_line: str) -> ProcessOutput | None:
    """What is said, before anything is read, of a command line that starts no script; None of one that does."""
    try:
        _bootstrap(command_line)
    except _RefusedError as refused:
        return refused.output
    return None


def environment_of(request: ProcessRequest) -> Mapping[str, str]:
    """The variables that a script finds: the shell's, and those that came before it on standard input."""
    if request.script is not None:
        return request.environment
    try:
        found = _match(delivery.FROM_STDIN_BEHIND_VARIABLES, _bootstrap(request.command_line))
    except _RefusedError:
        found = None
    if found is None:
        return request.environment
    lines = request.stdin.decode("ascii", "replace").splitlines()[: _variable_lines(found)]
    return {**request.environment, **{name: value for name, _, value in (line.partition("=") for line in lines)}}


def is_powershell(program: str) -> bool:
    """Whether a command line that begins with `program` starts Windows PowerShell."""
    return program.strip('"').rpartition("\\")[2].lower() in ("powershell", "powershell.exe")


def _bootstrap(command_line: str) -> str:
    """The text after -EncodedCommand, decoded."""
    if len(command_line) > CMD_LINE_CHARS:
        _refuse("The command line is too long.\r\n")
    program = _PROGRAM.fullmatch(command_line.strip())
    name = program["name"].strip('"') if program else ""
    if program is None or not is_powershell(name):
        _refuse(
            f"'{name}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
        )
    words = program["rest"].split()
    while words:
        word = words.pop(0)
        flag = word.lstrip("-/").lower()
        if flag in _SWITCHES:
            continue
        if flag in _VALUED:
            value = words.pop(0).lower() if words else ""
            if value not in _VALUED[flag]:
                _refuse(f'Cannot process the command because the value "{value}" of {word} is not valid.\r\n')
            continue
        if flag in ("encodedcommand", "enc", "ec", "e") and words:
            encoded = words.pop(0)
            if words:
                _refuse(f"{words[0]} : A positional parameter cannot be found that accepts this argument.\r\n")
            return _decode(encoded)
        break
    # A prompt, -Command, -File and a mistyped flag: nothing of ours.
    return _refuse(f"The simulated powershell.exe does not know what to do with: {program['rest'][:200]}\r\n")


def _decode(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return _refuse(
            "Cannot process the command because the value specified with -EncodedCommand is not properly encoded. "
            "The value must be Base64 encoded.\r\n"
        )


def _script(bootstrap: str, request: ProcessRequest, *, constrained_language: bool) -> str:
    """The script that the bootstrap fetches."""
    if found := _match(delivery.FROM_COMMAND_LINE, bootstrap):
        _check_language(constrained_language)
        script = _unpack(found["data"])
    elif found := _match(delivery.FROM_ENVIRONMENT, bootstrap):
        _check_language(constrained_language)
        names = [f"{delivery.VARIABLE_PREFIX}{number}" for number in range(int(found["last"]) + 1)]
        # A variable that is not there is $null, which joins as nothing.
        script = _unpack("".join(_variable(request.environment, name) for name in names))
    elif found := _match(delivery.FROM_STDIN, bootstrap) or _match(delivery.FROM_STDIN_BEHIND_VARIABLES, bootstrap):
        _check_language(constrained_language)
        if request.console_mode_stdin:
            _refuse("The handle is invalid.\r\n")
        if not request.stdin_closed:
            raise WaitsForInputError
        script = "\n".join(request.stdin.decode("ascii", "replace").splitlines()[_variable_lines(found) :])
    else:
        _throw("The simulated powershell.exe runs the scanner's own bootstraps only.")
    if len(script) != int(found["length"]):
        raise _RefusedError(
            ProcessOutput(f"{delivery.INCOMPLETE_MARKER}\r\n".encode(), b"", delivery.INCOMPLETE_EXIT_CODE)
        )
    return script


def _of_pipeline(text: str, *, constrained_language: bool) -> str:
    """The script that a pipeline holds, or that the bootstrap in it unpacks."""
    found = _match(FROM_PIPELINE, text)
    if found is None:
        return text
    if constrained_language:
        raise _RefusedError(ProcessOutput(f"{delivery.CONSTRAINED_MARKER}\r\n".encode()))
    script = _unpack(found["data"])
    if len(script) != int(found["length"]):
        raise _RefusedError(ProcessOutput(f"{delivery.INCOMPLETE_MARKER}\r\n".encode()))
    return script


def _variable_lines(bootstrap: re.Match[str]) -> int:
    """How many lines come before the script."""
    return int(bootstrap.groupdict().get("count") or 0)


def _match(template: str, bootstrap: str) -> re.Match[str] | None:
    pattern = re.escape(template)
    kinds = {"DATA": "[A-Za-z0-9+/=]*", "LAST": "[0-9]{1,3}", "LENGTH": "[0-9]{1,8}", "COUNT": "[0-9]{1,3}"}
    for name, value in kinds.items():
        # The first one says what it is; the same stands wherever it comes again.
        pattern = pattern.replace(re.escape(f"<{name}>"), f"(?P<{name.lower()}>{value})", 1)
        pattern = pattern.replace(re.escape(f"<{name}>"), f"(?P={name.lower()})")
    return re.fullmatch(pattern, bootstrap)


def _variable(environment: Mapping[str, str], name: str) -> str:
    """Windows looks names up without regard to case."""
    return next((value for key, value in environment.items() if key.upper() == name.upper()), "")


def _unpack(packed: str) -> str:
    try:
        data = base64.b64decode(packed, validate=True)
        stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        # Only as much of a cut stream as can be read: .NET's GZipStream does not complain either.
        text = stream.decompress(data, _SCRIPT_BYTES)
    except (binascii.Error, zlib.error) as error:
        _throw(f'Exception calling "ReadToEnd" with "0" argument(s): "{error}"')
    return text.decode("ascii", "replace")


def _check_language(constrained: bool) -> None:
    if constrained:
        raise _RefusedError(
            ProcessOutput(f"{delivery.CONSTRAINED_MARKER}\r\n".encode(), b"", delivery.CONSTRAINED_EXIT_CODE)
        )


def _refuse(message: str) -> NoReturn:
    """What cmd.exe and powershell.exe's own command line parser say."""
    raise _RefusedError(ProcessOutput(b"", message.encode(), 1))


def _throw(message: str) -> NoReturn:
    """An uncaught error of a script, as powershell.exe writes it to a pipe."""
    text = escape(f"{message}_x000D__x000A_")
    clixml = (
        "#< CLIXML\r\n"
        '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        f'<S S="Error">{text}</S><S S="Error">_x0020__x000D__x000A_</S></Objs>'
    )
    raise _RefusedError(ProcessOutput(b"", clixml.encode(), 1))

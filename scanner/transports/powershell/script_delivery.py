"""How a PowerShell script of any size reaches powershell.exe in one WinRM shell with one start.

cmd.exe takes command lines of at most 8,191 characters, and `-Command -` or `-File -` on standard input lose or echo
parts of a script. So what is started is a short bootstrap, which fetches the script and runs it as one script block:

- from the command line itself, compressed, as long as all of it stays short;
- else from environment variables that the shell's creation sets, compressed: no further request, whatever the size;
- or, on request, as plain text from standard input, for hosts whose endpoint protection dislikes compressed scripts.
  That costs one more request.

The bootstraps keep to PowerShell 2.0 and to ASCII, and need nothing special from a 32-bit host process: the script
itself reads the 64-bit side through sysnative. Before the first call into .NET they look for Constrained Language Mode,
which would refuse it with a misleading error. The process ends with the script's own exit code.
"""

from __future__ import annotations

import base64

# As for names (`scanner/transports/network/resolver.py`): a codec that there was no room for is never looked for again.
import encodings.utf_16_le  # noqa: F401
import functools
import re
import threading
import zlib
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from checks.common.dataclass import dataclass
from scanner.transports.powershell.xml_text import escape

CONSTRAINED_MARKER = "PREFLIGHT-REFUSED: ConstrainedLanguage"
"""All that is printed where policy restricts PowerShell's language."""
CONSTRAINED_EXIT_CODE = 96
INCOMPLETE_MARKER = "PREFLIGHT-REFUSED: IncompleteScript"
"""All that is printed where the script did not arrive whole; none of it has run then."""
INCOMPLETE_EXIT_CODE = 97

COMMAND = "powershell.exe"
FLAGS = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand")
COMMAND_LINE_CHARS = 8_000
"""The longest command line that is sent; cmd.exe's own limit is 8,191."""
VARIABLE_CHARS = 30_000
"""The longest environment variable that is set; Windows' own limit is 32,767."""
ENVELOPE_BYTES = 150 * 1024
"""The largest message that WinRM takes on Windows Server 2008 R2 (MaxEnvelopeSizekb by default); later ones: 500 kB."""
_ENVELOPE_REST_BYTES = 6 * 1024
"""What of it the SOAP around the variables takes, and sealing it."""
VARIABLE_PREFIX = "PREFLIGHT_SCRIPT_"
_OWN_BYTES = 2048
"""So much of a script's end, or up to twice as much, is compressed for each node anew: its parameters are there."""
_LEVEL, _MEMORY = 7, 7
"""How hard it is compressed. At level 9 an end takes three times as long, and the whole is hardly any shorter."""
_ONE_AT_A_TIME = threading.Lock()
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

# The host's own progress records would arrive as CLIXML on stderr, so they are switched off before anything else.
_GUARD = f"""$ProgressPreference = 'SilentlyContinue'
if ($ExecutionContext.SessionState.LanguageMode -eq 'ConstrainedLanguage') {{
'{CONSTRAINED_MARKER}'
exit {CONSTRAINED_EXIT_CODE}
}}
$ErrorActionPreference = 'Stop'
"""
_UNPACK = """$b = New-Object IO.MemoryStream (,[Convert]::FromBase64String($t))
$b = New-Object IO.Compression.GZipStream ($b, [IO.Compression.CompressionMode]::Decompress)
$t = (New-Object IO.StreamReader ($b, [Text.Encoding]::ASCII)).ReadToEnd()
"""
_RUN = f"""if ($t.Length -ne <LENGTH>) {{
'{INCOMPLETE_MARKER}'
exit {INCOMPLETE_EXIT_CODE}
}}
$ErrorActionPreference = 'Continue'
& ([ScriptBlock]::Create($t))
exit 0
"""

FROM_COMMAND_LINE = _GUARD + "$t = '<DATA>'\n" + _UNPACK + _RUN
FROM_ENVIRONMENT = (
    _GUARD
    + f"$t = -join (0..<LAST> | ForEach-Object {{ [Environment]::GetEnvironmentVariable('{VARIABLE_PREFIX}' + $_) }})\n"
    + _UNPACK
    + _RUN
)
# powershell.exe reads a redirected standard input itself and offers its lines as $input; a second reader would race it.
FROM_STDIN = _GUARD + '$t = @($input) -join "`n"\n' + _RUN
# Where no shell is created that could be given variables, they come as lines of their own before the script: no part
# of it, for PowerShell can be told to log every script.
FROM_STDIN_BEHIND_VARIABLES = (
    _GUARD
    + """$l = @($input)
for ($i = 0; $i -lt <COUNT>; $i = $i + 1) {
$p = $l[$i] -split '=', 2
[Environment]::SetEnvironmentVariable($p[0], $p[1])
}
$t = @($l[<COUNT>..($l.Count - 1)]) -join "`n"
"""
    + _RUN
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is sent to have one script run."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables for the shell's creation, those that the script wants among them."""
    stdin: bytes | None = field(default=None, repr=False)
    """For standard input, which is then a pipe and no console; None: nothing is sent there."""

    @property
    def command_line(self) -> str:
        """Command and arguments as cmd.exe gets them."""
        return " ".join((self.command, *self.arguments))

    @property
    def creation_bytes(self) -> int:
        """How long the message is, at most, that creates a WinRM shell with the variables."""
        elements = (
            f'<rsp:Variable Name="{name}">{escape(value)}</rsp:Variable>' for name, value in self.environment.items()
        )
        return _ENVELOPE_REST_BYTES + sum(len(element.encode("utf-8")) for element in elements)


def deliver(script: str, mode: str = "auto", variables: Mapping[str, str] = NO_VARIABLES) -> Delivery:
    """Choose the way for `script`, which must be ASCII. `mode` is auto or stdin, as the inventory's `delivery`.

    `variables` go into the environment of the shell, whatever the mode; they may be secrets, and stand in no argument.

    Raises ValueError for another mode, and for a script that is not ASCII: no code page on the way is dependable.
    """
    if mode not in ("auto", "stdin"):
        raise ValueError(f'delivery is "auto" or "stdin", not {mode!r}')
    if not script.isascii():
        strange = next(character for character in script if not character.isascii())
        raise ValueError(f"a script for PowerShell must be ASCII, and this one holds {strange!r}")
    text = unix_lines(script)
    length = str(len(text))
    if mode == "stdin":
        return _start(FROM_STDIN.replace("<LENGTH>", length), environment=variables, stdin=text.encode("ascii") + b"\n")
    packed = packed_script(text)
    if len(packed) < COMMAND_LINE_CHARS:
        short = _start(FROM_COMMAND_LINE.replace("<LENGTH>", length).replace("<DATA>", packed), environment=variables)
        if len(short.command_line) < COMMAND_LINE_CHARS:
            return short
    chunks = [packed[at : at + VARIABLE_CHARS] for at in range(0, len(packed), VARIABLE_CHARS)]
    return _start(
        FROM_ENVIRONMENT.replace("<LENGTH>", length).replace("<LAST>", str(len(chunks) - 1)),
        environment={**variables, **{f"{VARIABLE_PREFIX}{number}": chunk for number, chunk in enumerate(chunks)}},
    )


def unix_lines(script: str) -> str:
    """`script` as it is sent: the same whatever machine its parts were read on, and however they end."""
    # To replace nothing takes nearly as long as to compress what is a node's own; to see that there is none does not.
    return (script.replace("\r\n", "\n") if "\r" in script else script).rstrip("\n")


def packed_script(text: str) -> str:
    """`text`, ASCII, as gzip in Base64; without a time stamp: the same script is the same on every day.

    The scripts of many nodes differ near their ends alone, and compressing one takes more than all else that is done
    for a node: what they have in common is compressed once.
    """
    data = text.encode("ascii")
    # In whole steps: with an option the longer, the script of a node still begins as its neighbour's does.
    cut = max(0, len(data) - _OWN_BYTES) // _OWN_BYTES * _OWN_BYTES
    with _ONE_AT_A_TIME:  # else many nodes that start together would each compress it
        begun, compressor = _begun(data[:cut])
        compressor = compressor.copy()
    return base64.b64encode(begun + compressor.compress(data[cut:]) + compressor.flush()).decode("ascii")


@functools.lru_cache(maxsize=16)
def _begun(data: bytes) -> tuple[bytes, zlib._Compress]:
    """What `data` compresses to so far, and what goes on from there."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16, _MEMORY)
    return compressor.compress(data), compressor


def deliver_on_stdin(script: str, variables: Mapping[str, str] = NO_VARIABLES) -> Delivery:
    """The way for `script` where there is nothing but a program to start and its standard input: ssh, and here.

    `variables` are set in the process before the script runs; they may be secrets, and stand in no argument. Raises
    ValueError as `deliver` does, and for a variable that is no name with printable ASCII without blanks.
    """
    plain = deliver(script, "stdin")
    if not variables or plain.stdin is None:
        return plain
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the variable {name!r} cannot be sent on one line")
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    bootstrap = FROM_STDIN_BEHIND_VARIABLES.replace("<COUNT>", str(len(variables)))
    return _start(bootstrap.replace("<LENGTH>", str(len(plain.stdin) - 1)), stdin=lines.encode("ascii") + plain.stdin)


def _start(bootstrap: str, *, environment: Mapping[str, str] | None = None, stdin: bytes | None = None) -> Delivery:
    encoded = base64.b64encode(bootstrap.encode("utf-16-le")).decode("ascii")
    return Delivery(COMMAND, (*FLAGS, encoded), environment or {}, stdin)

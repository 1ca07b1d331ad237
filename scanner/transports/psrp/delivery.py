"""How the script gets into a pipeline: as it is, or compressed where that spares messages."""

from __future__ import annotations

import re

from scanner.transports.powershell.script_delivery import FROM_COMMAND_LINE, packed_script, unix_lines

PIECE_BYTES = 108 * 1024
"""What one message carries: below Windows Server 2008 R2's envelopes of 150 kB after Base64 and sealing."""
_EXIT = re.compile(r"^exit \d+$", re.MULTILINE)
FROM_PIPELINE = _EXIT.sub("return", FROM_COMMAND_LINE)
"""The bootstrap of a command line, but for its ends: a session has no exit code."""


def plain(script: str) -> str:
    """`script` as it is sent. Raises ValueError where it is not ASCII: so it is the same over every transport."""
    if not script.isascii():
        strange = next(character for character in script if not character.isascii())
        raise ValueError(f"a script for PowerShell must be ASCII, and this one holds {strange!r}")
    return unix_lines(script)


def packed(text: str) -> str:
    """A script that unpacks `text` and runs it."""
    return FROM_PIPELINE.replace("<LENGTH>", str(len(text))).replace("<DATA>", packed_script(text))

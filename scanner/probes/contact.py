"""The smallest possible question, asked of every node: does the shell answer at all?"""

from __future__ import annotations

from scanner.probes.probe import Probe

CONTACT_PROBES = (
    Probe("shell", "sh", "whether a POSIX shell answers", "uname -s", readers=()),
    Probe(
        "powershell",
        "powershell",
        "which PowerShell answers",
        "[string]$PSVersionTable.PSVersion",
        readers=(),
    ),
)
"""No fact is read from them: that they are answered is what counts."""

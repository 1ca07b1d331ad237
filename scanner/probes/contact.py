"""The smallest possible question, asked of every node: does the shell answer at all?"""

from __future__ import annotations

from checks.secret_server.facts.host import PowershellVersion
from scanner.probes import rights
from scanner.probes.probe import Probe
from scanner.probes.secret_server_host_readers import powershell_version

CONTACT_PROBES = (
    Probe("shell", "sh", "whether a POSIX shell answers", "uname -s", readers=()),
    Probe(
        "powershell",
        "powershell",
        "which PowerShell answers",
        "[string]$PSVersionTable.PSVersion",
        readers=((PowershellVersion, powershell_version),),
        needs=(rights.ANY,),
    ),
)
"""That they are answered is what counts; which PowerShell it is, a check may want to know besides."""

"""The smallest possible question, asked of every node: does the shell answer at all?"""

from __future__ import annotations

from checks.secret_server.facts.host import PowershellVersion
from scanner.probes import rights
from scanner.probes.probe import Probe
from scanner.probes.secret_server.host.host_readers import powershell_version

CONTACT_PROBES = (
    Probe(
        id="shell",
        language="sh",
        purpose="whether a POSIX shell answers",
        script="uname -s",
        readers=(),
        sample="Linux\n",
    ),
    Probe(
        id="powershell",
        language="powershell",
        purpose="which PowerShell answers",
        script="[string]$PSVersionTable.PSVersion",
        readers=((PowershellVersion, powershell_version),),
        needs=(rights.ANY,),
        sample='"5.1.17763.5202"',
    ),
)
"""That they are answered is what counts; which PowerShell it is, a check may want to know besides."""

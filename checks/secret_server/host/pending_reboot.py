"""No Windows host of the cluster waits for a restart.

## What it checks
Four places of the registry: Component Based Servicing's RebootPending, Windows Update's RebootRequired, the list of
files to be renamed at the next start, and a computer name that the next start changes. Any of them is a warning: no
document of the vendor names them.

## Why it matters
An installer refuses to run, or its own restart finishes somebody else's half-done work in the middle of the window. A
list of files alone is often just an antivirus update.

## How to fix it
Restart the host before the window, one web node at a time, and scan again.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.common.sql_port_alone import fact_of_host
from checks.engine.wording import count
from checks.outcome import Outcome, Remediation, Severity, passed, warned
from checks.secret_server.facts.host import PendingReboot


def judge(view: NodeView) -> Outcome:
    """Tell what waits for the restart."""
    found = fact_of_host(view, PendingReboot)
    if isinstance(found, Outcome):
        return found
    waiting = [
        *(["installed roles, features or updates"] if found.servicing else []),
        *(["Windows Update"] if found.windows_update else []),
        *([f"{count(found.file_renames, 'file')} to be renamed or deleted"] if found.file_renames else []),
        *([f"the computer's new name {found.rename_to}"] if found.rename_to else []),
    ]
    if waiting:
        told = "; ".join(waiting)
        return warned(f"Windows waits for a restart: {told}", expected="no restart pending", observed=told)
    return passed("no restart is pending", expected="no restart pending")


CHECK = NodeCheck(
    id="pending-reboot",
    title="No restart of Windows is pending",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Restart the host before the window, one web node at a time.", "shutdown /r /t 0", language="cmd"
    ),
    products=("secret-server",),
    roles=("web", "database"),
    optional_facts=(PendingReboot,),
    references=("https://learn.microsoft.com/en-us/windows/win32/api/winbase/nf-winbase-movefileexa",),
    judge=judge,
)

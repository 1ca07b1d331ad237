"""Which account WinRM lets do what, as Windows has it out of the box.

A Windows Remote Shell is guarded by the service's RootSDDL, since Windows Server 2012 R2
`O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)…`: administrators, and whom `winrm configSDDL default` adds. PowerShell's sessions
are guarded by the descriptor of their configuration, which names Administrators and Remote Management Users. The
refusal of either is fault 5 after a login that succeeds (diyan/pywinrm #336, #362, #275; rapid7/metasploit-framework
#20687). An account in neither group is refused at the login already, as a wrong password is (diyan/pywinrm #114).
"""

from __future__ import annotations

import enum


class Right(enum.StrEnum):
    """What an account is on the lab's machine. Scenarios name it by value."""

    ADMINISTRATOR = "administrator"
    """A member of Administrators."""
    REMOTE_MANAGEMENT_USER = "remote-management-user"
    """A member of Remote Management Users, and of nothing else."""
    ROOT_SDDL = "root-sddl"
    """Given Read and Execute with `winrm configSDDL default`; no member of those groups."""
    NONE = "none"

    @property
    def opens_shells(self) -> bool:
        """May create Windows Remote Shells."""
        return self in (Right.ADMINISTRATOR, Right.ROOT_SDDL)

    @property
    def opens_sessions(self) -> bool:
        """May open sessions of the configuration Microsoft.PowerShell."""
        return self in (Right.ADMINISTRATOR, Right.REMOTE_MANAGEMENT_USER)

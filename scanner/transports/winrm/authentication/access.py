"""Who is let in over WinRM, and by whom: the words for accounts that are not.

A Windows Remote Shell is guarded by the service's RootSDDL (administrators), a PowerShell session by the descriptor of
its configuration (administrators and, from Windows Server 2012 on, Remote Management Users).
"""

from __future__ import annotations

from scanner.errors import RefusedError
from scanner.inventory.model import WinrmSettings

LOCAL_ADMINISTRATORS = "a local administrator other than Administrator also needs LocalAccountTokenFilterPolicy=1"
NOT_A_MEMBER = (
    "an account in neither Administrators nor Remote Management Users is refused as if the password were wrong; "
    "a local administrator other than Administrator needs LocalAccountTokenFilterPolicy=1"
)
_CONFIGURATION = "Microsoft.PowerShell"


def access_denied(settings: WinrmSettings) -> RefusedError:
    """Fault 5 at the creation, after a login that succeeded."""
    if settings.protocol == "psrp":
        name = settings.configuration or _CONFIGURATION
        hint = "add the account to Remote Management Users on the node, or to Administrators"
        if settings.configuration:
            hint = f"give it Execute with Set-PSSessionConfiguration {name} -ShowSecurityDescriptorUI"
        return RefusedError(
            f"the login is valid, but the account may not open sessions of {name}: access is denied",
            hint=f"{hint}; {LOCAL_ADMINISTRATORS}",
        )
    return RefusedError(
        "the login is valid, but the account may not open remote shells: access is denied",
        hint="they are for Administrators: add the account there, or give it Read and Execute with `winrm configSDDL "
        'default`; a member of Remote Management Users gets in with protocol = "psrp"; ' + LOCAL_ADMINISTRATORS,
    )


def no_configuration(settings: WinrmSettings) -> RefusedError:
    """Fault 2150858811: there is nothing at that resource."""
    name = settings.configuration or _CONFIGURATION
    hint = "Get-PSSessionConfiguration lists them there"
    if not settings.configuration:
        hint = "Enable-PSRemoting registers it there"
    return RefusedError(f"the node has no session configuration {name}", hint=hint)

"""What Windows means by the numbers that it gives a failed logon (ntstatus.h, winerror.h), with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LogonStatus:
    """One reason for which Windows lets an account not in."""

    name: str
    said: str
    """Of the account."""
    hint: str


_ONCE = "set the right one before the next scan: repeated attempts lock the account"
_BAD = LogonStatus("STATUS_LOGON_FAILURE", "user name or password is wrong", f"check `user` and the password; {_ONCE}")

LOGON: Mapping[int, LogonStatus] = MappingProxyType(
    {
        0xC000006D: _BAD,
        0x8009030C: LogonStatus("SEC_E_LOGON_DENIED", _BAD.said, _BAD.hint),
        0xC000006A: LogonStatus("STATUS_WRONG_PASSWORD", "the password is wrong", _ONCE),
        0xC0000064: LogonStatus("STATUS_NO_SUCH_USER", "there is no such account", "check `user` and its domain"),
        0xC000006E: LogonStatus(
            "STATUS_ACCOUNT_RESTRICTION",
            "a restriction of the account forbids it",
            "look at the policies for it: empty passwords, Protected Users, allowed hours",
        ),
        0xC000006F: LogonStatus(
            "STATUS_INVALID_LOGON_HOURS", "it may not log on at this hour", "widen its logon hours"
        ),
        0xC0000070: LogonStatus(
            "STATUS_INVALID_WORKSTATION", "it may not log on to this machine", "add the node to its `Log On To` list"
        ),
        0xC0000071: LogonStatus("STATUS_PASSWORD_EXPIRED", "its password has expired", "change the password"),
        0xC0000224: LogonStatus(
            "STATUS_PASSWORD_MUST_CHANGE", "its password must be changed at the first logon", "change the password"
        ),
        0xC0000072: LogonStatus("STATUS_ACCOUNT_DISABLED", "it is disabled", "enable it, or take another `user`"),
        0xC0000193: LogonStatus("STATUS_ACCOUNT_EXPIRED", "it has expired", "extend it, or take another `user`"),
        0xC0000234: LogonStatus(
            "STATUS_ACCOUNT_LOCKED_OUT",
            "it is locked out",
            "unlock it, and mend the password wherever it is used before the next scan",
        ),
        0xC000015B: LogonStatus(
            "STATUS_LOGON_TYPE_NOT_GRANTED",
            "it lacks the right to log on this way",
            "grant `Access this computer from the network`, and take it out of the Deny lists",
        ),
        0xC000005E: LogonStatus(
            "STATUS_NO_LOGON_SERVERS",
            "the node reaches no domain controller",
            "look at the node's network and its secure channel (Test-ComputerSecureChannel)",
        ),
        0xC0000133: LogonStatus(
            "STATUS_TIME_DIFFERENCE_AT_DC", "the node's clock is not the domain's", "set the node's clock (w32tm)"
        ),
        0xC000018C: LogonStatus(
            "STATUS_TRUSTED_DOMAIN_FAILURE", "the trust between the domains is broken", "mend the trust"
        ),
        0xC000018D: LogonStatus(
            "STATUS_TRUSTED_RELATIONSHIP_FAILURE",
            "the node's trust in its domain is broken",
            "mend it with Test-ComputerSecureChannel -Repair on the node",
        ),
        0xC0000192: LogonStatus(
            "STATUS_NETLOGON_NOT_STARTED", "the node's Netlogon service does not run", "start it on the node"
        ),
        0xC0000413: LogonStatus(
            "STATUS_AUTHENTICATION_FIREWALL_FAILED",
            "selective authentication keeps it out",
            "grant `Allowed to authenticate` on the node's computer account",
        ),
        0xC0000418: LogonStatus(
            "STATUS_NTLM_BLOCKED", "NTLM is blocked on the node", 'use auth = "kerberos", or except the node'
        ),
        0x8009035E: LogonStatus(
            "SEC_E_DELEGATION_POLICY",
            "policy forbids to hand on fresh credentials",
            "allow it for WSMAN/* in `Allow delegating fresh credentials`",
        ),
        0x8009035F: LogonStatus(
            "SEC_E_POLICY_NLTM_ONLY",
            "policy forbids to hand credentials on over NTLM",
            "allow it in `Allow delegating fresh credentials with NTLM-only server authentication`",
        ),
        0x80090363: LogonStatus(
            "SEC_E_MUTUAL_AUTH_FAILED", "the node could not prove who it is", "check its SPN and its clock"
        ),
    }
)  # fmt: skip

"""What sudo (and sudo-rs) says where it does not let a command run, what that means, and the cure."""

from __future__ import annotations

import re

from checks.common.dataclass import dataclass

_LINES = "`preflight probes INVENTORY --sudoers` prints the lines that it needs"


@dataclass(frozen=True, slots=True)
class _Refusal:
    said: re.Pattern[str]
    means: str
    """After "sudo", before the command."""
    cure: str


def _refusal(means: str, cure: str, *said: str) -> _Refusal:
    return _Refusal(re.compile("|".join(said), re.IGNORECASE), means, cure)


# The first of a line alone: what follows any other follows it, too, and a made-up line may hold hundreds.
_SUDO = r"\A(?:(?!sudo(?:-rs)?: ).)*sudo(?:-rs)?: "
# In this order: a refusal for want of a terminal is none for want of a password.
_REFUSALS = (
    _refusal(
        "wants a terminal for",
        "`requiretty` is set: put `Defaults:USER !requiretty` into sudoers, USER being who preflight logs in as",
        _SUDO + r".*must have a tty",
    ),
    _refusal(
        "wants a password for",
        f"allow it with NOPASSWD in sudoers, or log in as root; {_LINES}",
        _SUDO + r".*(?:password is required|terminal is required|no tty present|authentication is required)",
    ),
    _refusal(
        "does not allow",
        f"allow it with NOPASSWD in sudoers, by the path that it names; {_LINES}",
        r"is not in the sudoers file",
        r"is not allowed to (?:execute|run)",
        r"^sorry, user .* may not run ",
        r"I'm afraid I can't do that",
    ),
    _refusal(
        "cannot become root for",
        "its file must be root's with the setuid bit, on a file system without nosuid, and the login without "
        "no_new_privs; or log in as root",
        _SUDO + r".*(?:effective uid is not 0|must be owned by uid 0|setuid bit)",
        _SUDO + r".*\"?no new privileges\"? flag",
    ),
    _refusal(
        "cannot read its own configuration for",
        "check it with `visudo -c`, as root",
        _SUDO
        + r".*(?:no valid sudoers sources|unable to initialize policy plugin|parse error in|invalid configuration)",
        _SUDO + r".*(?:error initializing|fatal error, unable to load) .*plugin",
        _SUDO + r".*sudoers\S* is (?:world writable|owned by)",
        r"^(?:>>> )?/\S*sudoers\S*: ?(?:\d+:\d+: )?syntax error",
    ),
    _refusal(
        "does not accept the account for",
        "it is locked or has expired, or sudo's PAM configuration refuses it",
        _SUDO + r".*(?:account validation failure|account expired|account or password is expired)",
        _SUDO + r".*(?:PAM account management error|do not exist in the passwd database)",
    ),
)


_SIGNS = ("sudo", "is not allowed to", "sorry, user", "can't do that")
"""No refusal is without one of them, and nearly every other line is."""


def may_refuse(text: str) -> bool:
    """Whether a refusal may stand in it: none does in nearly all that is printed."""
    small = text.lower()
    return not text.isascii() or any(sign in small for sign in _SIGNS)


def refusal(line: str, what: str) -> str:
    """Why `what` did not run, with the cure; empty where the line is no refusal of sudo's."""
    if not may_refuse(line):
        return ""
    found = next((one for one in _REFUSALS if one.said.search(line)), None)
    return f"sudo {found.means} `{what}` ({found.cure})" if found else ""

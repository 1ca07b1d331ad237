"""What a login runs in place of `sh`, told by what it says: the account's shell, a forced command, a start-up file.

Whoever logs in for a script meets the account's login shell, what sshd forces in its place, and the files that a shell
reads as it starts. Each of them may end, wait, ask, or be another program altogether, and mostly says so.
"""

from __future__ import annotations

import re
from dataclasses import replace

from checks.common.dataclass import dataclass
from reports.text import escape_invisible

_SHOWN_CHARS = 200
_PROMPT_CHARS = 60
"""Of what waits: a question that is asked again and again has no line end."""
_LOOKED_AT_BYTES = 4096
_NOLOGIN_STATUS = 254
"""sshd's own, where /etc/nologin closes the machine to everybody but root."""
NO_PROGRAM = (126, 127)
"""What POSIX shells end with where they cannot start a program."""
BY_HAND = "log in there and run `sh -s` by hand; look at the account's login shell and at ForceCommand"
_GUARD = "start-up files should return where there is no terminal: `case $- in *i*) ;; *) return ;; esac`"
_WAITS = "a start-up file (~/.bashrc), the login shell or a forced command waits, asks, or is another program"
_SILENT = (
    "is its login shell /bin/false, does its ~/.bashrc end with `exit`, is there a forced command? Log in there and "
    "run `sh -s` by hand"
)
_LIMITS = "raise it for the account (/etc/security/limits.d, TasksMax of its slice, the container's limits)"


@dataclass(frozen=True, slots=True)
class Instead:
    """What stands between a login and `sh`."""

    means: str
    cure: str
    said: str = ""
    """The line that tells it; may be empty."""

    @property
    def told(self) -> str:
        """All of it in a line, but for the cure."""
        return f"{self.means}: {self.said}" if self.said else self.means


@dataclass(frozen=True, slots=True)
class _Saying:
    said: re.Pattern[str]
    means: str
    cure: str


def _saying(means: str, cure: str, *said: str) -> _Saying:
    return _Saying(re.compile("|".join(said), re.IGNORECASE), means, cure)


_SAYINGS = (
    _saying(
        "the account's login shell is nologin",
        "give the account a shell: `usermod -s /bin/sh USER`",
        r"^This account is (?:currently )?not available",
    ),
    _saying(
        "the account may use SFTP only",
        "take it out of what sets `ForceCommand internal-sftp` in sshd_config",
        r"^This service allows sftp connections only",
    ),
    _saying(
        "the account's password has expired, and without a terminal it cannot be changed",
        "`passwd USER` there, or `chage -M -1 USER` for an account that logs in with a key",
        r"^Password change required but no TTY",
        r"^(?:WARNING: )?Your password has expired",
        r"^You are required to change your password",
    ),
    _saying(
        "the account has expired",
        "`chage -E -1 USER` there, or another account",
        r"your account has expired",
        r"account .*has expired",
    ),
    _saying(
        "the account's shell is a restricted one",
        "give the account a shell: `usermod -s /bin/sh USER`",
        r"^fatal: unrecognized command 'sh -s'",
        r"^fatal: Interactive git shell is not enabled",
        r"restricted by rssh",
        r"^\*\*\* (?:forbidden|unknown) (?:command|syntax)",
        r"rbash: .*restricted",
    ),
    _saying(
        "the login asks for a second factor",
        "let the account in without one from this machine, as its administrator decides",
        r"^Duo two-factor login",
        r"^(?:Verification code|One-time password|Enter a passcode)",
    ),
    _saying(
        "the account has no room for another process",
        _LIMITS,
        r"Cannot fork",
        r"can't fork",
        r"fork: (?:retry: )?(?:Resource temporarily unavailable|Cannot allocate memory)",
    ),
    _saying(
        "the account may not open as many files as a shell needs",
        f"`ulimit -n` is too low: {_LIMITS}",
        r"Error 24$",
        r"Too many open files",
    ),
    _saying(
        "the account may not use as much memory as a shell needs",
        f"`ulimit -v` is too low, or the machine's memory is used up: {_LIMITS}",
        r"failed to map segment",
        r"Cannot allocate memory",
        r"out of memory",
    ),
    _saying(
        "a start-up file of the login wants a terminal",
        _GUARD,
        r"not a terminal",
        r"not a tty",
        r"must be (?:run from|connected to) a terminal",
        r"inappropriate ioctl",
    ),
    _saying(
        "another shell than `sh` reads the script",
        f"no start-up file may `exec` a shell of its own choice: {_GUARD}",
        r"^fish: ",
        r"^Badly placed \(\)'s",
        r"^Unmatched ['\"`]\.?$",
        r"^\{: Command not found",
    ),
    _saying("a start-up file of the login asks for a password", _GUARD, r"^Password: ", r"^su: "),
)
_NOT_THERE = re.compile(r"^(/\S+): (No such file or directory|Permission denied)$")
"""What sshd says where it cannot start the login shell itself."""


def began(output: bytes, ready: bytes) -> bool:
    """Whether `sh` read the script, whose first line prints `ready`.

    A start-up file that asks something may have eaten that line; the first frame follows it. What only gives back what
    it is sent prints the line as it stands in the script.
    """
    mark = ready.removesuffix(b"-ready\n")
    return b"\n" + mark + b" clock " in output or re.search(rb"(?<!echo )" + re.escape(ready), output) is not None


def meaning(line: str) -> Instead | None:
    """What a line means that a server or a login says; None where it is none of those that are known."""
    line = line.strip()[:_SHOWN_CHARS]
    found = next((each for each in _SAYINGS if each.said.search(line)), None)
    return Instead(found.means, found.cure, shown(line)) if found else None


def stands_instead(place: str, output: bytes, status: int, script: bytes) -> Instead:
    """Why a login at `place` that printed `output` and ended with `status` never ran `sh` with `script`."""
    lines = said_lines(output)
    if known := next(filter(None, map(meaning, lines)), None):
        return replace(known, means=f"{place}: {known.means}")
    last = shown(lines[-1]) if lines else ""
    before = f"its login ended with exit {status} before `sh` ran"
    if status in NO_PROGRAM:
        return Instead(
            f"{place} cannot run `sh` (exit {status})", f"{BY_HAND}, and at the PATH that its files set", last
        )
    if status == _NOLOGIN_STATUS:
        return Instead(f"{place} is closed to logins (/etc/nologin)", "wait until whoever closed it opens it", last)
    if status and lines and (missing := _NOT_THERE.match(lines[-1])):
        why = "is there a ChrootDirectory without it?" if "No such" in missing[2] else "is it SELinux, or the mode?"
        return Instead(f"{place} cannot start the account's login shell ({why})", BY_HAND, last)
    if script.strip()[:64] in output:
        return Instead(f"{place}: what runs in place of `sh` gives back what it is sent", BY_HAND)
    if not lines:
        return Instead(f"{place} answered nothing; {before}", _SILENT)
    return Instead(f"{place} answered something else; {before}", BY_HAND, last)


def waits_instead(place: str, output: bytes, seconds: str) -> Instead:
    """Why a login at `place` never came to run `sh` in all the time that it had."""
    lines = said_lines(output)
    if known := next(filter(None, map(meaning, lines)), None):
        return replace(known, means=f"{place}: {known.means}")
    means = f"{place} let the account in, and did not come to run `sh` within {seconds}"
    return Instead(means, f"{_WAITS}; {_GUARD}", shown(lines[-1], _PROMPT_CHARS) if lines else "")


def said_lines(output: bytes) -> list[str]:
    """The lines that say something, of the last that was printed."""
    text = output[-_LOOKED_AT_BYTES:].decode("utf-8", "backslashreplace")
    return [line for line in text.splitlines() if line.strip()]


def whole(output: bytes, ready: bytes) -> bool:
    """Whether all that `sh` was asked has been answered, whatever is still to come of the login's end."""
    return output.rstrip().endswith(b"\n" + ready.removesuffix(b"-ready\n") + b" done")


def shown(line: str, most: int = _SHOWN_CHARS) -> str:
    """A line of a stranger's, short and with its control characters spelled out."""
    line = escape_invisible(" ".join(line.split()))
    return line if len(line) <= most else f"{line[:most]}…"

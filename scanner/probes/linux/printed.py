"""What an sh probe printed, line by line: cleaned, and with refusals told as such.

Lines that answer come from standard output alone. Standard error says why there are none; where there are some it is
no more than something to show, whatever it says: interpreters and libraries warn there in the best of health.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from checks.engine.wording import count
from scanner.probes.linux.sudo_refusals import may_refuse, refusal
from scanner.probes.probe import Answer, UnreadableError

_LINE_CHARS = 1_000
_TEXT_CHARS = 64 * 1024

_CTL = "chef-backend-ctl"
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# Printed by sudo, shells and the Ruby interpreter beside a good answer; they say nothing about Chef. Among the answer
# only in what earlier versions collected, which did not tell the two outputs apart.
_NOISE = re.compile(r"sudo: unable to resolve host|.*warning: setlocale:|/\S+\.rb:\d+: warning: ", re.IGNORECASE)
_NOISE_SAYS = ("unable to resolve host", "warning: ")
_NO_SUDO = re.compile(r"(^|[:\s])sudo: (command )?not found")
_NO_COMMAND = re.compile(r"'?(?P<name>[\w./-]+)'?: (command )?not found")


def printed_lines(answer: Answer, what: str) -> list[str]:
    """The lines of standard output without colours, blank ends and known noise.

    Raises UnreadableError for a refusal, and for what is too much.
    """
    if len(answer.output) > _TEXT_CHARS:
        raise UnreadableError(f"`{what}` printed {count(len(answer.output), 'character')}: {short(answer.output)!r}")
    lines = _cleaned(answer.output)
    for line in lines:
        # No table is as wide, and patterns may take long over what a hostile node makes up.
        if len(line) > _LINE_CHARS:
            raise odd_line(what, line)
    lines = _without_noise(lines)
    _refuse_sudo(lines, what)
    failed = answer.exit_code != 0
    if failed or not lines:
        refuse(answer, what)
    if not failed:
        # It let the command run, and what else it complains of (limits, its own files) is its own affair.
        lines = [line for line in lines if not line.startswith("sudo: ")]
    else:
        _refuse_missing(lines)
        if answer.exit_code == 127:
            said = said_instead(answer, (line for line in lines if line not in (BEGINNING, END)))
            raise UnreadableError(f"`{what}`: command not found: {short(said)}")
    if answer.truncated:
        raise UnreadableError(f"the output of `{what}` was cut at the size cap")
    return lines


BEGINNING, END = "form 2", "end"
"""Between these lines a probe puts what may end anywhere, and its reader wants both: a listing that is cut off between
two lines looks like a shorter one. Answers to earlier versions have neither."""


def between_ends(lines: list[str], what: str) -> list[str]:
    """The lines between beginning and end; all where there is no beginning. Raises UnreadableError for a cut."""
    if lines[:1] != [BEGINNING]:
        return lines
    if lines[-1] != END:
        raise UnreadableError(
            f"the output of `{what}` has no end, and may be cut off: its last line is {short(lines[-1])!r}"
        )
    return lines[1:-1]


def error_lines(answer: Answer) -> list[str]:
    """The lines of standard error, each cut to a sensible length, without known noise."""
    lines = (line[:_LINE_CHARS] for line in _cleaned(answer.error_output[:_TEXT_CHARS]))
    return _without_noise(list(lines))


def refuse(answer: Answer, what: str) -> None:
    """Raise UnreadableError where standard error says that `what`, or a part of it, was refused or is not there.

    For an answer that lacks what it should hold: an answer that is complete was not refused.
    """
    errors = error_lines(answer)
    _refuse_sudo(errors, what)
    _refuse_missing(errors)


def said_instead(answer: Answer, lines: Iterable[str]) -> str:
    """What to show where `lines`, the answer, are not as expected: with standard error where there are none."""
    return "; ".join(lines) or "; ".join(error_lines(answer)) or "no output"


def _cleaned(text: str) -> list[str]:
    plain = _ANSI.sub("", text).replace("\u00a0", " ").replace("\r", "\n")
    return [line for each in plain.split("\n") if (line := each.strip())]


def _without_noise(lines: list[str]) -> list[str]:
    whole = "\n".join(lines).lower()
    noisy = any(said in whole for said in _NOISE_SAYS)
    return [line for line in lines if not _NOISE.match(line)] if noisy else lines


def _refuse_sudo(lines: Sequence[str], what: str) -> None:
    for line in lines if may_refuse("\n".join(lines)) else ():
        if why := refusal(line, what):
            raise UnreadableError(f"{why}: {short(line)}")


def _refuse_missing(lines: Iterable[str]) -> None:
    for line in lines:
        if "not found" not in line:  # its pattern looks at each path again and again
            continue
        if _NO_SUDO.search(line):
            raise UnreadableError("sudo is not there (leave out `sudo`, and log in as root)")
        missing = _NO_COMMAND.search(line)
        if missing and missing["name"].endswith(_CTL):
            raise UnreadableError(f"{_CTL} is not there: is this a Chef Backend node?")


def odd_line(what: str, line: str) -> UnreadableError:
    """The error for a line that `what` should not have printed."""
    return UnreadableError(f"`{what}` printed a line that is not understood: {short(line)!r}")


def short(text: str, limit: int = 300) -> str:
    """No longer than somebody reads."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def shown(lines: Iterable[str]) -> str:
    """Lines that are not understood, as an error message shows them."""
    return repr(short("; ".join(lines) or "no output", 200))

"""A node's own names in commands that a person will paste: only what cannot be mistaken for code gets into one."""

from __future__ import annotations

import re
import shlex
import unicodedata
from dataclasses import dataclass, field
from typing import TypeGuard

from checks.plan.model import Command, ScanAsked

# ASCII alone: consoles turn what their code page lacks into what looks like it, quotation marks among it (U+02BA,
# U+FF02), and PowerShell takes several characters for those.
_PLAIN = re.compile(r"[\w .:\\/$()\-]+", re.ASCII)
# What else a folder or a pool may be called, and what is nothing special between double quotes of cmd.exe.
_QUOTED = re.compile(r"[\w .:\\/$()\-',;+=@#~&\[\]{}!]+", re.ASCII)
# Any printable character that a file may have in its name.
_NAME = re.compile(r"[ !#-)+-;=@-{}~]+")
_SQL = re.compile(r"(?!.*--)[\w .:\\/$()\-',+=@#~&{}!]+", re.ASCII)
_UNSAFE = re.compile(r"[^\w .,:/\-]", re.ASCII)
_HOST = re.compile(r"[\w.\-]+|[0-9A-Fa-f:]+", re.ASCII)
_LONGEST = 400
"""Characters of a name that is still written into a command: reports cut lines far beyond it, and a command that lost
its end is another one."""
_LETTERS = ("Lu", "Ll", "Lo", "Nd")
"""Of other scripts, in names of inventories and clusters, which no node chooses: no mark, and no modifier letter."""


@dataclass(frozen=True, slots=True)
class Again:
    """What the command line said beyond the inventory: each command that asks again has to say it, too."""

    target: str = ""
    """Empty: the inventory's."""
    waivers: str = ""
    """A file beside the inventory's own waivers; empty: none."""


AS_IN_THE_INVENTORY = Again()


@dataclass(slots=True)
class Names:
    """Turns what nodes said into words of commands, and keeps what had to be left out."""

    unknown: list[str] = field(default_factory=list)
    """One sentence for each name that stands in the plan as <...>."""
    again: Again = AS_IN_THE_INVENTORY

    def quoted(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` between double quotes, for cmd.exe; where it is unknown or could be code, a placeholder.

        `what` names it, as in "the application pool of web1"; `why` says why it is unknown, `find` how to find it.
        """
        # A backslash before the closing quote would escape it, and what begins like an option is taken for one.
        if _is_short(text) and _QUOTED.fullmatch(text) and not text.endswith("\\") and not text.startswith(("/", "-")):
            return f'"{text}"'
        return f'"{self._placeholder(text, what, why, find)}"'

    def bare(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """The same without quotes, for a part of a path or an address."""
        if _is_short(text) and (_HOST.fullmatch(text) or _PLAIN.fullmatch(text)):
            return text
        return self._placeholder(text, what, why, find)

    def powershell(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as PowerShell takes it to the letter: between single quotes, those in it doubled."""
        if _is_short(text) and _NAME.fullmatch(text):
            return "'" + text.replace("'", "''") + "'"
        return f"'{self._placeholder(text, what, why, find)}'"

    def sql_name(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as SQL writes a name: [SecretServer]."""
        return f"[{self._in_sql(text, what, why, find)}]"

    def sql_text(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as SQL writes a text: N'SecretServer'."""
        return "N'" + self._in_sql(text, what, why, find).replace("'", "''") + "'"

    def shell(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as one word of a POSIX shell."""
        if text and all(" " <= char <= "~" or unicodedata.category(char) in _LETTERS for char in text):
            return shlex.quote(text)
        # Between quotes: a bare < or > would read from a file, or write over one.
        return shlex.quote(self._placeholder(text, what, why, find))

    def _in_sql(self, text: str | None, what: str, why: str, find: str) -> str:
        return text if _is_short(text) and _SQL.fullmatch(text) else self._placeholder(text, what, why, find)

    def _placeholder(self, text: str | None, what: str, why: str, find: str) -> str:
        reason = why or "it is not known"
        if text:
            long = len(text) > _LONGEST
            reason = "it is too long for a command" if long else "it holds characters that do not belong into a command"
        sentence = f"{what}: {reason}; {find}" if find else f"{what}: {reason}"
        if sentence not in self.unknown:
            self.unknown.append(sentence)
        # Names of nodes get into `what`, and may hold anything but a slash.
        return f"<{_UNSAFE.sub('_', what)}>"


def _is_short(text: str | None) -> TypeGuard[str]:
    return bool(text) and len(text or "") <= _LONGEST


def scan_command(
    names: Names,
    inventory: str,
    cluster: str,
    *checks: str,
    phase: str = "before",
    target: str = "",
    without: tuple[str, ...] = (),
) -> Command:
    """A scan of `cluster`, for `checks` alone where any are named; `target` stands in for the inventory's."""
    asked = "".join([*(f" --check {check}" for check in checks), *(f" --skip-check {check}" for check in without)])
    goal = target or names.again.target
    about = _about(names, inventory, cluster, goal)
    scan = ScanAsked(phase, checks, without, goal)
    return Command(f"preflight scan {about[0]}{asked}{about[1]} --phase {phase}", "sh", judges=checks, scan=scan)


def plan_command(names: Names, inventory: str, cluster: str) -> Command:
    """The command that plans `cluster` anew."""
    return Command(f"preflight plan {''.join(_about(names, inventory, cluster, names.again.target))}", "sh")


def _about(names: Names, inventory: str, cluster: str, target: str) -> tuple[str, str]:
    goal = f" --target {names.shell(f'{cluster}={target}', 'the target')}" if target else ""
    waived = f" --waivers {names.shell(names.again.waivers, 'the waivers')}" if names.again.waivers else ""
    name = names.shell(cluster, "the cluster")
    return f"{names.shell(inventory, 'the inventory')} --cluster {name}", f"{goal}{waived}"

"""A node's own names in commands that a person will paste: only what cannot be mistaken for code gets into one."""

from __future__ import annotations

import re
import shlex
import unicodedata
from dataclasses import dataclass, field

from checks.plan.model import Command, ScanAsked

# ASCII alone: consoles turn what their code page lacks into what looks like it, quotation marks among it (U+02BA,
# U+FF02), and PowerShell takes several characters for those.
_PLAIN = re.compile(r"[\w .:\\/$()\-]+", re.ASCII)
_UNSAFE = re.compile(r"[^\w .,:/\-]", re.ASCII)
_HOST = re.compile(r"[\w.\-]+|[0-9A-Fa-f:]+", re.ASCII)
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

    def quoted(self, text: str | None, what: str, why: str = "") -> str:
        """`text` between double quotes, for cmd.exe; where it is unknown or could be code, a placeholder.

        `what` names it, as in "the application pool of web1"; `why` says why it is unknown.
        """
        # A backslash before the closing quote would escape it, and what begins like an option is taken for one.
        if text and _PLAIN.fullmatch(text) and not text.endswith("\\") and not text.startswith(("/", "-")):
            return f'"{text}"'
        return f'"{self._placeholder(text, what, why)}"'

    def bare(self, text: str | None, what: str, why: str = "") -> str:
        """The same without quotes, for a part of a path or an address."""
        if text and (_HOST.fullmatch(text) or _PLAIN.fullmatch(text)):
            return text
        return self._placeholder(text, what, why)

    def shell(self, text: str | None, what: str, why: str = "") -> str:
        """`text` as one word of a POSIX shell."""
        if text and all(" " <= char <= "~" or unicodedata.category(char) in _LETTERS for char in text):
            return shlex.quote(text)
        # Between quotes: a bare < or > would read from a file, or write over one.
        return shlex.quote(self._placeholder(text, what, why))

    def _placeholder(self, text: str | None, what: str, why: str) -> str:
        reason = "it holds characters that do not belong into a command" if text else why or "it is not known"
        sentence = f"{what}: {reason}"
        if sentence not in self.unknown:
            self.unknown.append(sentence)
        # Names of nodes get into `what`, and may hold anything but a slash.
        return f"<{_UNSAFE.sub('_', what)}>"


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

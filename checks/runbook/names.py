"""A node's own names in commands that a person will paste: only what cannot be mistaken for code gets into one."""

from __future__ import annotations

import re
import shlex
from dataclasses import field

from checks.common.dataclass import dataclass
from checks.runbook import quoting
from checks.runbook.model import Command, ScanAsked

_UNSAFE = re.compile(r"[^\w .,:/\-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class InvocationOptions:
    """What the command line said beyond the inventory: each command that asks again has to say it, too."""

    target: str = ""
    """Empty: the inventory's."""
    waivers: str = ""
    """A file beside the inventory's own waivers; empty: none."""


AS_IN_THE_INVENTORY = InvocationOptions()


@dataclass(slots=True)
class CommandQuoter:
    """Turns what nodes said into words of commands, and keeps what had to be left out."""

    unknown: list[str] = field(default_factory=list)
    """One sentence for each name that stands in the plan as <...>."""
    again: InvocationOptions = AS_IN_THE_INVENTORY

    def cmd(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` between double quotes, for cmd.exe; where it is unknown or could be code, a placeholder.

        `what` names it, as in "the application pool of web1"; `why` says why it is unknown, `find` how to find it.
        """
        return quoting.for_cmd(text) or f'"{self._placeholder(text, what, why, find)}"'

    def path(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """The same without quotes, for a part of a path or an address."""
        return quoting.bare(text) or self._placeholder(text, what, why, find)

    def powershell(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as PowerShell takes it to the letter: between single quotes, those in it doubled."""
        return quoting.for_powershell(text) or f"'{self._placeholder(text, what, why, find)}'"

    def sql_name(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as SQL writes a name: [SecretServer]."""
        return quoting.sql_name(text) or f"[{self._placeholder(text, what, why, find)}]"

    def sql_text(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as SQL writes a text: N'SecretServer'."""
        return quoting.sql_text(text) or f"N'{self._placeholder(text, what, why, find)}'"

    def posix(self, text: str | None, what: str, why: str = "", find: str = "") -> str:
        """`text` as one word of a POSIX shell."""
        # Between quotes: a bare < or > would read from a file, or write over one.
        return quoting.for_sh(text) or shlex.quote(self._placeholder(text, what, why, find))

    def _placeholder(self, text: str | None, what: str, why: str, find: str) -> str:
        reason = why or "it is not known"
        if text:
            long = len(text) > quoting.LONGEST
            reason = "it is too long for a command" if long else "it holds characters that do not belong into a command"
        sentence = f"{what}: {reason}; {find}" if find else f"{what}: {reason}"
        if sentence not in self.unknown:
            self.unknown.append(sentence)
        # Names of nodes get into `what`, and may hold anything but a slash.
        return f"<{_UNSAFE.sub('_', what)}>"


def scan_command(
    names: CommandQuoter,
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
    return Command(
        text=f"preflight scan {about[0]}{asked}{about[1]} --phase {phase}", language="sh", judges=checks, scan=scan
    )


def plan_command(names: CommandQuoter, inventory: str, cluster: str) -> Command:
    """The command that plans `cluster` anew."""
    return Command(
        text=f"preflight plan {''.join(_about(names, inventory, cluster, names.again.target))}", language="sh"
    )


def _about(names: CommandQuoter, inventory: str, cluster: str, target: str) -> tuple[str, str]:
    goal = f" --target {names.posix(f'{cluster}={target}', 'the target')}" if target else ""
    waived = f" --waivers {names.posix(names.again.waivers, 'the waivers')}" if names.again.waivers else ""
    name = names.posix(cluster, "the cluster")
    return f"{names.posix(inventory, 'the inventory')} --cluster {name}", f"{goal}{waived}"

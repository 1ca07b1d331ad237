"""What each probe on Windows is said to need, held to what its script reaches for."""

from __future__ import annotations

import re

import pytest

from scanner.probes import rights
from scanner.probes.batch.powershell import PARTS, powershell_source
from scanner.probes.probe import Probe
from scanner.probes.registry import BUILTIN

POWERSHELL = [probe for probe in BUILTIN if probe.language == "powershell"]
RIGHTS = {value for name, value in vars(rights).items() if name.isupper()}
CONTACTS = {
    "Get-PfIis": rights.IIS_CONFIGURATION,
    "Get-PfPoolStates": rights.IIS_WMI,
    "Get-PfWmiRows": rights.WMI,
    "Get-PfSqlRows": rights.SQL_SERVER,
    "Get-PfFileVersion": rights.WEB_ROOT,
    "Get-PfRoots": rights.WEB_ROOT,
    "Set-PfBackupFile": rights.BACKUPS,
}
"""Functions that nothing but this right opens."""


def functions() -> dict[str, set[str]]:
    """What each function of the parts calls."""
    texts = [*map(powershell_source, PARTS), *(text for probe in POWERSHELL for text in probe.parts)]
    text = "\n".join(dict.fromkeys(texts))
    found = re.findall(r"^function ([\w-]+).*?\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    return {name: set(re.findall(r"\b\w+-Pf\w+", body)) for name, body in found}


def reached(probe: Probe) -> set[str]:
    """All functions that a probe may come to call."""
    calls = functions()
    seen: set[str] = set()
    rest = set(re.findall(r"\b\w+-Pf\w+", probe.script))
    while rest - seen:
        name = (rest - seen).pop()
        seen.add(name)
        rest |= calls.get(name, set())
    return seen


@pytest.mark.parametrize("probe", POWERSHELL, ids=lambda probe: probe.id)
def test_a_probe_says_what_it_needs_and_nothing_that_it_does_not_reach_for(probe: Probe) -> None:
    assert probe.needs, "name a line of scanner.probes.rights"
    assert set(probe.needs) <= RIGHTS
    needed = {right for name, right in CONTACTS.items() if name in reached(probe)}
    assert set(probe.needs) - {rights.ANY, rights.SERVICES} == needed
    assert (rights.ANY in probe.needs) == (not needed)
    assert (rights.SERVICES in probe.needs) == ("Get-PfSqlServiceState" in reached(probe))

"""What a simulated node answers to an inventory's own expectations, as its programs would print it.

In a scenario, by the expectation's id: `expect = {time-sync = {state = "active (running)", enabled = "enabled"}}`. What
can be said goes by what it is about:

    file        exists (true), type, mode, owner, group, size, sha256, and whether each search finds something:
                `contains-1 = true`; `gaps = {sha256 = "Permission denied"}` for what cannot be read
    registry    exists, value
    service     exists, state ("active (running)"; on Windows "Running"), enabled ("enabled", "static"; on Windows true)
    package     version ("" for none, which is not installed), manager (dpkg, rpm)
    port        addresses
    command     exit, output
    sql         rows
    error       any of them: why nothing is answered at all
"""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checks.engine.expect.model import Expectation
from scanner.inventory.expect.reading import Written, read_lists
from scanner.inventory.products import products
from scanner.inventory.reading.values import Problems
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.tables import ScenarioError
from scanner.loading.own_checks import loaded_of
from scanner.probes.expect.probes import probe_id
from scanner.probes.expect.sh import END
from scanner.probes.probe import Probe

State = Mapping[str, Any]
_KEYS = ("exists", "type", "mode", "owner", "group", "size", "sha256", "gaps", "value", "state", "enabled", "version")
_MORE_KEYS = ("manager", "addresses", "exit", "output", "rows", "error")
_TYPES = {"file": stat.S_IFREG, "folder": stat.S_IFDIR}


def expectations_of(clusters: Mapping[str, Mapping[str, object]]) -> tuple[Expectation, ...]:
    """What the inventories of a scenario's clusters expect. Raises ScenarioError."""
    return tuple(one.expectation for one in _written(clusters))


def _written(clusters: Mapping[str, Mapping[str, object]]) -> list[Written]:
    problems = Problems()
    found = read_lists(clusters, products(), problems)
    if problems.found:
        first = problems.found[0]
        raise ScenarioError(first.place, first.message)
    return found


def probes_of_clusters(clusters: Mapping[str, Mapping[str, object]]) -> tuple[Probe, ...]:
    """The questions behind those expectations."""
    return loaded_of(_written(clusters)).probes


def check_states(states: Mapping[str, State], wanted: Iterable[Expectation], place: str) -> None:
    """Refuse what says something of an expectation, or of a thing, that there is not. Raises ScenarioError."""
    known = {one.id: one for one in wanted}
    for expectation_id, state in states.items():
        here = f"{place}.{expectation_id}"
        if expectation_id not in known:
            raise ScenarioError(here, f"the cluster's inventory expects nothing called {expectation_id}")
        searches = [item for item, _, _ in known[expectation_id].patterns]
        for key in state:
            if key not in (*_KEYS, *_MORE_KEYS, *searches):
                raise ScenarioError(f"{here}.{key}", "says nothing that could be answered")


def printed(states: Mapping[str, State], wanted: Iterable[Expectation]) -> dict[str, CommandOutput]:
    """What a Linux node prints, by probe."""
    return {probe_id(one, "sh"): _sh(one, states[one.id]) for one in wanted if one.id in states}


def canned(states: Mapping[str, State], wanted: Iterable[Expectation]) -> tuple[dict[str, object], dict[str, str]]:
    """What a Windows node answers, and the errors that it ends in, by probe."""
    here = [(probe_id(one, "powershell"), one, states[one.id]) for one in wanted if one.id in states]
    values: dict[str, object] = {probe: _windows(one, state) for probe, one, state in here if "error" not in state}
    return values, {probe: str(state["error"]) for probe, _, state in here if "error" in state}


def _sh(wanted: Expectation, state: State) -> CommandOutput:
    if "error" in state:
        return CommandOutput("", 1, f"{state['error']}\n")
    if wanted.kind == "command":
        return CommandOutput(f"{state.get('output', '')}\nexit {state.get('exit', 0)}\n{END}\n")
    lines = list({"file": _file, "service": _service, "package": _package, "port": _port}[wanted.kind](wanted, state))
    gaps = [f"gap {item} {why}" for item, why in state.get("gaps", {}).items()]
    return CommandOutput("\n".join([*lines, *gaps, END]) + "\n")


def _said(state: State, item: str) -> bool:
    return item not in state.get("gaps", {})


def _file(wanted: Expectation, state: State) -> Iterator[str]:
    if not state.get("exists", True):
        yield "exists no"
        return
    if not _said(state, "exists"):
        return
    yield "exists yes"
    mode = _TYPES.get(state.get("type", "file"), stat.S_IFSOCK) | int(state.get("mode", "0644"), 8)
    owner, group = state.get("owner", "root"), state.get("group", "root")
    yield f"stat {mode:x}/{state.get('size', 1024)}/{owner}/{group}"
    if "sha256" in wanted.items() and _said(state, "sha256"):
        yield f"sha256 {state.get('sha256', '0' * 64)}"
    for item, _, _ in wanted.patterns:
        if _said(state, item):
            yield f"{item} {'yes' if state.get(item) else 'no'}"


def _service(_: Expectation, state: State) -> Iterator[str]:
    if not _said(state, "exists"):
        return
    yield "manager systemd"
    active, __, sub = str(state.get("state", "active (running)")).partition(" (")
    there = state.get("exists", True)
    yield f"LoadState {'loaded' if there else 'not-found'}"
    yield f"ActiveState {active if there else 'inactive'}"
    yield f"SubState {sub.rstrip(')') if there else 'dead'}"
    yield f"UnitFileState {state.get('enabled', 'enabled') if there else ''}"


def _package(_: Expectation, state: State) -> Iterator[str]:
    manager = state.get("manager", "rpm")
    if state.get("version"):
        yield f"{manager} {'install ok installed ' if manager == 'dpkg' else '(none):'}{state['version']}"
    if _said(state, "installed"):
        yield "asked yes"


def _port(_: Expectation, state: State) -> Iterator[str]:
    for address in state.get("addresses", ()):
        raw = ipaddress.ip_address(address).packed
        words = (raw[at : at + 4][::-1].hex().upper() for at in range(0, len(raw), 4))
        yield f"address {''.join(words)}"
    yield "asked yes"


def _windows(wanted: Expectation, state: State) -> dict[str, object]:
    found: dict[str, object] = {}
    there = state.get("exists", True)
    if wanted.kind == "port":
        found["listening"] = bool(state.get("addresses"))
        found |= {"addresses": ", ".join(state["addresses"])} if state.get("addresses") else {}
    elif wanted.kind == "package":
        found["installed"] = bool(state.get("version"))
        found |= {"version": state["version"]} if state.get("version") else {}
    elif wanted.kind == "command":
        found |= {"exit": state.get("exit", 0), "output": state.get("output", "")}
    elif wanted.kind == "sql":
        found["rows"] = list(state.get("rows", ()))
    else:
        found["exists"] = there
    if wanted.kind == "service" and there:
        found["state"] = state.get("state", "Running")
        found["running"] = found["state"] == "Running"
    given = {"type": "file", "size": 1024, "sha256": "0" * 64, "value": "", "enabled": True}
    given |= {item: False for item, _, _ in wanted.patterns if wanted.kind == "file"}
    if there and wanted.kind in ("file", "registry", "service"):
        found |= {item: state.get(item, usual) for item, usual in given.items() if item in wanted.items()}
    gaps = dict(state.get("gaps", {}))
    return {"found": {item: value for item, value in found.items() if item not in gaps}, "gaps": gaps}

"""A simulated Windows node: it takes the delivered batch, and nothing else, and answers from recorded data."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from scanner.clock import now_s
from scanner.lab.windows_backups import BACKUP_EMULATIONS
from scanner.lab.windows_files import FILE_EMULATIONS
from scanner.lab.windows_host_probes import HOST_EMULATIONS
from scanner.lab.windows_machine import AccessError, File, Machine
from scanner.lab.windows_probes import EMULATIONS, Session
from scanner.lab.windows_sql_probe import sql_database
from scanner.lab.windows_table import MachineError
from scanner.lab.wsman_process import ProcessOutput
from scanner.probes.powershell_batch import Parameters, compose, parameters_of
from scanner.probes.probe import Probe

__all__ = ["AccessError", "File", "Machine", "MachineError", "run_script"]

_GARBAGE = b"\xff\xfe\x00#< CLIXML\r\n\x1b[31m\x80\x81 <Objs>" + bytes(range(256)) * 4
_PROBE_MS = 3
_TICKS_1970 = 621_355_968_000_000_000
_CLOCK_STEP_S = 0.0156
_EMULATIONS = {
    **EMULATIONS,
    **FILE_EMULATIONS,
    **HOST_EMULATIONS,
    **BACKUP_EMULATIONS,
    "sql-database": sql_database,
}


def run_script(
    script: str,
    machine: Machine,
    probes: Sequence[Probe],
    *,
    sleep: Callable[[float], None] = time.sleep,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> ProcessOutput:
    """What PowerShell on `machine` makes of `script`, which must be what `compose` makes of some of `probes`.

    Anything else, down to one byte, is refused on stderr with exit code 1: this machine runs no foreign script.
    `machine.slow` is really slept through. `environment` is what the shell was created with.
    """
    parameters = parameters_of(script)
    if parameters is None or _recomposed(parameters, probes) != script:
        return ProcessOutput(b"", b"this machine runs nothing but the scanner's own script\r\n", 1)
    mark = parameters.nonce
    if machine.language_mode != "FullLanguage":
        return ProcessOutput(f"{mark}:mode:{machine.language_mode}:{mark}\r\n".encode())
    begun = _ticks(machine)
    answers = _answers(parameters, Session(machine, parameters.options, environment=environment), sleep)
    whole = {
        "powershell": machine.powershell,
        "clr": "2.0.50727.5420" if machine.powershell.startswith("2.") else "4.0.30319.42000",
        "mode": machine.language_mode,
        "budget_ms": parameters.budget_ms,
        "begun": begun,
        "ended": _ticks(machine),
        "probes": answers,
    }
    text = json.dumps(whole).encode()
    form, packed = ("plain", text) if machine.frame == "plain" else ("gzip", gzip.compress(text))
    line = f"{mark}:{form}:{base64.b64encode(packed).decode()}:{mark}\r\n".encode()
    stdout = machine.noise.encode("utf-8", "surrogateescape")
    if machine.frame == "truncated":
        stdout += line[: len(line) // 2]
    elif machine.frame == "garbage":
        stdout += _GARBAGE
    elif machine.frame != "empty":
        stdout += line
    return ProcessOutput(stdout)


def _ticks(machine: Machine) -> int:
    """[DateTime]::UtcNow.Ticks: 100 ns since the year 1, in the steps in which Windows tells the time."""
    steps = (now_s() + machine.ahead_s) // _CLOCK_STEP_S
    return _TICKS_1970 + int(steps * _CLOCK_STEP_S * 10_000_000)


def _recomposed(parameters: Parameters, probes: Sequence[Probe]) -> str | None:
    known = {probe.id: probe for probe in probes}
    try:
        return compose(
            [known[probe_id] for probe_id in parameters.probe_ids],
            nonce=parameters.nonce,
            budget_s=parameters.budget_ms / 1000,
            options=parameters.options,
            probe_bytes=parameters.probe_bytes,
        )
    except (KeyError, ValueError, TypeError):
        return None


def _answers(parameters: Parameters, session: Session, sleep: Callable[[float], None]) -> Mapping[str, object]:
    machine = session.machine
    answers: dict[str, object] = {}
    clock_ms = 0.0
    for probe_id in parameters.probe_ids:
        if clock_ms >= parameters.budget_ms:
            answers[probe_id] = {"late": True}
            continue
        delay_s = machine.slow.get(probe_id, 0.0)
        if delay_s:
            sleep(delay_s)
        took_ms = delay_s * 1000 + _PROBE_MS
        clock_ms += took_ms
        answers[probe_id] = {**_answer(probe_id, session, parameters.probe_bytes), "ms": int(took_ms)}
    return answers


def _answer(probe_id: str, session: Session, probe_bytes: int) -> dict[str, object]:
    machine = session.machine
    if probe_id in machine.errors:
        return {"error": machine.errors[probe_id]}
    try:
        if probe_id in machine.canned:
            value = machine.canned[probe_id]
        elif probe_id in _EMULATIONS:
            value = _EMULATIONS[probe_id](session)
        else:
            return {"error": f"this recorded machine has no answer to {probe_id}; add it under `canned`"}
    except AccessError as error:
        return {"error": " ".join(str(error).split())[:2000]}
    text = json.dumps(value, separators=(",", ":"))
    return {"cut": text[: min(1000, probe_bytes)]} if len(text) > probe_bytes else {"value": value}

"""A simulated Windows node: it takes the delivered batch, and nothing else, and answers from recorded data."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from scanner.clock import now_s
from scanner.lab.machines.secret_server.backups import BACKUP_EMULATIONS
from scanner.lab.machines.secret_server.files import FILE_EMULATIONS
from scanner.lab.machines.secret_server.host_probes import HOST_EMULATIONS
from scanner.lab.machines.secret_server.probes import EMULATIONS, Session
from scanner.lab.machines.secret_server.sql_probe import sql_database
from scanner.lab.machines.windows.machine import AccessError, File, HangsError, Machine, blocked_name
from scanner.lab.servers.wsman.process import ProcessOutput
from scanner.probes.batch.powershell import Parameters, compose, parameters_of
from scanner.probes.probe import Probe

__all__ = ["AccessError", "File", "Machine", "run_script"]

_GARBAGE = b"\xff\xfe\x00#< CLIXML\r\n\x1b[31m\x80\x81 <Objs>" + bytes(range(256)) * 4
_PROBE_MS = 3
_MOST_BLOCKS = 3
"""How many calls of one probe may hang before it is given up."""
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
    told = {
        "powershell": machine.powershell,
        "clr": "2.0.50727.5420" if machine.powershell.startswith("2.") else "4.0.30319.42000",
        "mode": machine.language_mode,
        "budget_ms": parameters.budget_ms,
        "begun": _ticks(machine),
    }
    asked = [probe for probe in probes if probe.language == "powershell" and probe.id not in _EMULATIONS]
    samples = {probe.id: json.loads(probe.sample) for probe in asked if probe.sample}
    machine = replace(machine, canned={**samples, **machine.canned})
    watch = Watch(machine, parameters, environment, sleep)
    watch.run()
    stdout = machine.noise.encode("utf-8", "surrogateescape")
    for at, answers in watch.frames:
        rest = {"ended": _ticks(machine)} if at is None else {"at": at}
        line = _line(mark, {**told, **rest, "probes": answers}, plain=machine.frame == "plain")
        if machine.frame == "truncated":
            stdout += line[: len(line) // 2]
        elif machine.frame == "garbage":
            stdout += _GARBAGE
        elif machine.frame != "empty":
            stdout += line
    return ProcessOutput(stdout)


def _line(mark: str, whole: Mapping[str, object], *, plain: bool) -> bytes:
    text = json.dumps(whole).encode()
    form, packed = ("plain", text) if plain else ("gzip", gzip.compress(text))
    return f"{mark}:{form}:{base64.b64encode(packed).decode()}:{mark}\r\n".encode()


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


class Watch:
    """watch.ps1: what hangs is refused from then on and its probe asked again, what does not end is given up."""

    def __init__(
        self,
        machine: Machine,
        parameters: Parameters,
        environment: Mapping[str, str],
        sleep: Callable[[float], None],
    ) -> None:
        self.frames: list[tuple[str | None, dict[str, object]]] = []
        """What each line holds, and the probe that was being asked when it left; None: that was the end."""
        self._machine = machine
        self._parameters = parameters
        self._environment = environment
        self._sleep = sleep
        self._clock_ms = 0.0
        self._answers: dict[str, object] = {}
        self._blocks: dict[str, int] = {}

    def run(self) -> None:
        """Ask all probes, in as many runs as it takes."""
        while not self._run_once():
            self._flush("")
        behind = next((one for one in reversed(self._parameters.probe_ids) if one in self._blocks), "")
        for probe_id in self._parameters.probe_ids:
            if probe_id not in self._answers:
                self._answers[probe_id] = {"late": behind, "ms": 0}
        self._flush(None)

    def _run_once(self) -> bool:
        """True where no further run is worth it."""
        # A run is a runspace of its own, so what the one before had read is read anew.
        session = Session(self._machine, self._parameters.options, environment=self._environment)
        for probe_id in self._parameters.probe_ids:
            if probe_id in self._answers or self._clock_ms >= self._parameters.budget_ms:
                continue
            began_ms = self._clock_ms
            wants_ms = self._machine.slow.get(probe_id, 0.0) * 1000
            patience_ms = self._patience_ms(45_000, 0.6)
            if wants_ms >= patience_ms:
                self._spend(patience_ms)
                return self._blocked(probe_id, "", patience_ms, patience_ms)
            if wants_ms:
                self._spend(wants_ms)
            try:
                answer = _answer(probe_id, session, self._parameters.probe_bytes)
            except HangsError as hang:
                waited_ms = min(self._patience_ms(8_000, 0.3), self._parameters.budget_ms - self._clock_ms)
                self._spend(waited_ms)
                return self._blocked(probe_id, str(hang), waited_ms, self._clock_ms - began_ms)
            self._clock_ms += _PROBE_MS
            self._answers[probe_id] = {**answer, "ms": int(self._clock_ms - began_ms)}
        return True

    def _patience_ms(self, most: float, share: float) -> float:
        return max(200.0, min(most, (self._parameters.budget_ms - self._clock_ms) * share))

    def _spend(self, milliseconds: float) -> None:
        self._sleep(milliseconds / 1000)
        self._clock_ms += milliseconds

    def _blocked(self, probe_id: str, what: str, waited_ms: float, spent_ms: float) -> bool:
        times = self._blocks.get(probe_id, 0)
        self._blocks[probe_id] = times + 1
        over = self._clock_ms >= self._parameters.budget_ms
        if what:
            refused = {**self._machine.refused, blocked_name(what): f"{round(waited_ms / 1000, 1):g}"}
            self._machine = replace(self._machine, refused=refused)
        if not what or times >= _MOST_BLOCKS - 1 or over:
            self._answers[probe_id] = {"blocked": what, "ms": int(spent_ms)}
        return over or len(self._answers) == len(self._parameters.probe_ids)

    def _flush(self, at: str | None) -> None:
        sent = {probe_id for _, answers in self.frames for probe_id in answers}
        ids = self._parameters.probe_ids
        self.frames.append((at, {one: self._answers[one] for one in ids if one in self._answers and one not in sent}))


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
            why = f"this recorded machine has no answer to {probe_id}"
            return {"error": f"{why}; add it under `canned`, or give the probe a sample"}
    except AccessError as error:
        return {"error": error.line}
    text = json.dumps(value, separators=(",", ":"))
    return {"cut": text[: min(1000, probe_bytes)]} if len(text) > probe_bytes else {"value": value}

"""What tests of the scanner share."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scanner.probes.batch.sh import compose, parse
from scanner.probes.probe import Answer, Probe

_SLOWER = 20


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Preflight = Callable[..., Ended]


class _QuietClock:
    """The clock that nodes' own, the lab's as well, are held against, going slowly: tests do not tell how busy this is.

    A conversation that takes longer leaves it open how far clocks are apart, which is rightly no GO. Only while both
    are read in this process: to one that is scanned from another, the lab's would seem to stand still.
    """

    def __init__(self) -> None:
        self._begun_s = time.monotonic()

    def monotonic(self) -> float:
        return self._begun_s + (time.monotonic() - self._begun_s) / _SLOWER


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Preflight:
    """Run the command line in this process, exactly as the installed command does."""
    from scanner.cli import main

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["preflight", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        capsys.readouterr()
        code = 0
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("scanner.clock.time", _QuietClock())
                main()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Ended(code, said.out, said.err)

    return run


Play = Callable[..., Answer]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """`play(probe, command=script, ...)`: the probe's answer from a real sh, with the node's files under tmp_path."""

    def run(probe: Probe, *, sudo: bool = False, options: dict[str, object] | None = None, **commands: str) -> Answer:
        programs = tmp_path / "programs"
        programs.mkdir(exist_ok=True)
        for name, script in commands.items():
            path = programs / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        roots = re.compile(r"(?<=[ =])/(?=(opt|etc|var|proc|home|root|tmp)\b)")
        script = roots.sub(f"{tmp_path}/", probe.script)
        here = replace(probe, script=script)
        text = compose([here], nonce="N0", budget_s=20, options=options or {}, sudo=sudo, probe_bytes=100_000)
        done = subprocess.run(
            ["sh", "-s"],
            input=text.encode(),
            capture_output=True,
            check=True,
            env={"PATH": f"{programs}:{os.defpath}:/usr/bin:/bin"},
        )
        answer = parse(done.stdout, nonce="N0", probe_ids=[probe.id])[probe.id]
        assert isinstance(answer, Answer), answer
        return replace(answer, output=answer.output.replace(str(tmp_path), ""))

    return run


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path

"""The field's own texts: what real programs print, where each is from, and what may be concluded from it.

`tests/field/TOPIC/` holds the samples and a `provenance.toml` with one `[[sample]]` for each file:

    file        its name
    program     what printed it, or what reads it
    origin      vendor | report | captured | imagined
    source      page, thread, or program and version that it was captured from
    right       the right conclusion, in a line
    readers     functions in scanner.probes that it is an input of; none for what no reader reads yet

and where a machine can hold the reader to it:

    at          path on the node whose content it is: the probe's own script is then run on it, by a real sh
    around      what our script prints around it: "{sample}\\ncode 503\\n"
    exit_code   of the program; 0 unless said
    stderr      the file beside it that the program says on standard error meanwhile
    expect      values of the fact by path: {"members.0.role" = "leader", "services.#" = 5}; # is a length
    unreadable  instead: a pattern of the refusal
    scenario    of the lab, whose nodes of `roles` (default: all that are asked) give this answer
    beside      {probe = "answer"}: what the same nodes answer to other probes
    judged      {check = "status"} that the checks then come to
    awaited     why today's reader or check still misses that; whoever mends it takes this key out
"""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scanner.probes.probe import Answer, Probe
from scanner.probes.registry import BUILTIN

FOLDER = Path(__file__).parent
ORIGINS = ("vendor", "report", "captured", "imagined")
OWN = "provenance.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One text, with the keys described above."""

    path: Path
    program: str
    origin: str
    source: str
    right: str
    readers: tuple[str, ...]
    at: str = ""
    around: str = "{sample}"
    exit_code: int = 0
    stderr: str = ""
    expect: Mapping[str, object] = field(default_factory=dict)
    unreadable: str = ""
    scenario: str = ""
    roles: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    judged: Mapping[str, str] = field(default_factory=dict)
    awaited: str = ""

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def text(self) -> str:
        """What it holds."""
        return text_of(self.path)


def text_of(path: Path) -> str:
    """Decoded as a scan decodes what nodes say; its line ends are its own."""
    return path.read_bytes().decode("utf-8", errors="backslashreplace")


def topics(folder: Path = FOLDER) -> list[Path]:
    """The folders with samples."""
    return sorted(path.parent for path in folder.glob(f"*/{OWN}"))


def samples(folder: Path = FOLDER) -> list[Sample]:
    """All samples. Raises TypeError for a key that there is not, or one that is missing."""
    found = []
    for topic in topics(folder):
        for row in tomllib.loads((topic / OWN).read_text(encoding="utf-8"))["sample"]:
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
            }
            found.append(Sample(path=topic / values.pop("file"), **values))
    return found


def readers(probes: tuple[Probe, ...] = BUILTIN) -> dict[str, tuple[Probe, Callable[[Answer], object]]]:
    """Every reader of what sh or PowerShell answers, by its name."""
    return {
        reader.__name__: (probe, reader)
        for probe in probes
        if probe.language in ("sh", "powershell")
        for _, reader in probe.readers
    }


def imagined(found: list[Sample]) -> list[str]:
    """The readers that have met no text but ours."""
    real = {name for sample in found if sample.origin != "imagined" for name in sample.readers}
    real |= {name for name, (probe, _) in readers().items() if probe.sample_from}
    return sorted(set(readers()) - real)


def answer_of(sample: Sample, probe: Probe) -> Answer:
    """What `probe` answers where the sample is what its program says."""
    if not sample.at:
        noise = text_of(sample.path.with_name(sample.stderr)) if sample.stderr else ""
        return Answer(sample.around.replace("{sample}", sample.text), sample.exit_code, error_output=noise)
    assert sample.at in probe.script, f"{sample}: {probe.id} does not read {sample.at}"
    script = probe.script.replace(sample.at, shlex.quote(str(sample.path)))
    done = subprocess.run(
        ["sh", "-c", f"SUDO=; {script}"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30
    )
    out, err = (stream.decode("utf-8", errors="backslashreplace") for stream in (done.stdout, done.stderr))
    return Answer(out, done.returncode, error_output=err)


def value_at(fact: object, path: str) -> object:
    """`members.0.role` of a fact; `#` is a length."""
    for part in path.split("."):
        if part == "#":
            fact = len(fact)  # type: ignore[arg-type]  # a path that does not fit is the test's own failure
        elif part.isdigit():
            fact = fact[int(part)]  # type: ignore[index]
        elif isinstance(fact, Mapping):
            fact = fact[part]
        else:
            fact = getattr(fact, part)
    return fact


def awaited(sample: Sample) -> tuple[pytest.MarkDecorator, ...]:
    """The mark of a sample that is known not to be concluded rightly yet; strict, so that it goes with its cause."""
    return (pytest.mark.xfail(reason=sample.awaited, strict=True),) if sample.awaited else ()

"""Half a megabyte of the worst that a node can make up is read, or refused, within a second."""

from __future__ import annotations

import contextlib
import functools
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.files.evidence.file import read_evidence
from scanner.plugins.foreign import Allowance
from scanner.probes.probe import Answer, Probe
from scanner.probes.registry import BUILTIN
from scanner.run.facts import read_facts
from scanner.transports.answers import NodeResponse

_SIZE = 512 * 1024
_ALLOWED_S = 1.0
_SAMPLES = 6
"""So many of the inputs for each probe where not all are tried."""
_UNITS = (
    "a",
    " ",
    "0",
    "\n",
    "\t",
    "[",
    "{",
    "(",
    '"',
    "<",
    "=",
    "|",
    "a ",
    "0 ",
    "a\n",
    "1.",
    "a = 'b'\n",
    "\x1b[",
    "ä",
)
_RECORDINGS = Path(__file__).parents[2] / "recordings"


@functools.cache
def recorded() -> dict[str, str]:
    """What each probe answered on some recorded node."""
    answers: dict[str, str] = {}
    for file in sorted(_RECORDINGS.glob("*.evidence.json")):
        for node in read_evidence(file).evidence.nodes:
            for name, answer in node.said.answers.items():
                if isinstance(answer, Answer) and len(answer.output) > len(answers.get(name, "")):
                    answers[name] = answer.output
    return answers


def near_misses(text: str) -> Iterator[str]:
    """A real answer, with each kind of word, number and blank in it drawn out over everything."""
    seen: set[tuple[str, str]] = set()
    for token in re.finditer(r"\d+|[A-Za-z_]+|[ \t]+|.|\n", text[:4000]):
        start = token.start()
        kind = ("0" if token[0].isdigit() else "a" if token[0].isalpha() else token[0], text[max(0, start - 1) : start])
        if kind not in seen:
            seen.add(kind)
            drawn = kind[0] * (_SIZE // len(kind[0]))
            yield text[:start] + drawn + text[token.end() :]
            yield text[:start] + drawn + "\0"
    for line in sorted(set(text.split("\n")))[:10]:
        yield f"{line}\n" * (_SIZE // (len(line) + 1))


def worst(probe: Probe) -> list[str]:
    return [*(unit * (_SIZE // len(unit.encode())) for unit in _UNITS), *near_misses(recorded().get(probe.id, ""))]


def refuse_slow(probe: Probe, text: str) -> None:
    said = NodeResponse(cluster="c", node="n", host="n", transport="ssh", answers={probe.id: Answer(text, 0)})
    began = time.process_time()
    read_facts(said, (probe,))
    took = time.process_time() - began
    assert took < _ALLOWED_S * max(1, len(probe.readers)), f"{took:.1f} s for {text[:80]!r}..."
    # Also past the door that refuses long lines: it bounds what a pattern costs, and excuses none.
    for _, reader in probe.readers:
        began = time.process_time()
        with contextlib.suppress(Exception):  # refusing is as good as reading
            Allowance(20).call(functools.partial(reader, Answer(text, 0)))
        took = time.process_time() - began
        assert took < _ALLOWED_S, f"{reader.__name__}: {took:.1f} s for {text[:80]!r}..."


@pytest.mark.parametrize("probe", BUILTIN, ids=lambda probe: probe.id)
def test_some_of_the_worst(probe: Probe) -> None:
    inputs = worst(probe)
    for text in random.Random(probe.id).sample(inputs, _SAMPLES):
        refuse_slow(probe, text)


@pytest.mark.slow
@pytest.mark.parametrize("probe", BUILTIN, ids=lambda probe: probe.id)
def test_all_of_the_worst(probe: Probe) -> None:
    for text in worst(probe):
        refuse_slow(probe, text)


@pytest.mark.parametrize("unit", [" ", "a ", "0 ", "a\t\t", "x 1 1 1 1% "])
def test_the_table_of_df(unit: str) -> None:
    (probe,) = (probe for probe in BUILTIN if probe.id == "linux-disks")
    refuse_slow(probe, f"index /var/opt/x\nFilesystem{unit * (_SIZE // len(unit))}!\n")
    refuse_slow(probe, f"index /var/opt/x\na{unit * (_SIZE // len(unit))}!\n")

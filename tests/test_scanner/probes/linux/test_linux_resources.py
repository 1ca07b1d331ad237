"""Processors and memory, as a real kernel tells them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from checks.chef_backend.facts.machine import MachineResources
from scanner.probes.linux.resources import PROBES, read_machine_resources
from scanner.probes.probe import Answer, UnreadableError


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="no Linux")
def test_a_real_machine_is_read() -> None:
    done = subprocess.run(["sh", "-c", PROBES[0].script], capture_output=True, text=True, check=True)
    found = read_machine_resources(Answer(done.stdout, 0))
    assert found.cores == len(re.findall(r"^processor\b", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE))
    assert f"MemTotal:{found.memory_bytes // 1024:>15} kB" in Path("/proc/meminfo").read_text("utf-8")


def test_an_answer_is_read() -> None:
    assert read_machine_resources(Answer("cores 2\nmemory 8009212 kB\n", 0)) == MachineResources(2, 8_201_433_088)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cores 2\n",
        "cores 0\nmemory 8009212 kB\n",
        "cores 2\nmemory 8 MB\n",
        "cores two\nmemory 1 kB\n",
        "a\nb\nc\n",
    ],
)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="/proc/cpuinfo"):
        read_machine_resources(Answer(text, 0))

"""What a Linux machine of a Chef cluster is asked about its processors and memory. Needs no root."""

from __future__ import annotations

import re

from checks.chef_backend.facts.machine import MachineResources
from scanner.probes.linux.printed import printed_lines
from scanner.probes.probe import Answer, Probe, UnreadableError

_CORES = re.compile(r"cores (\d{1,5})")
_MEMORY = re.compile(r"memory (\d{1,15}) kB")


def read_machine_resources(answer: Answer) -> MachineResources:
    """Count and size as the kernel tells them. Raises UnreadableError."""
    what = "/proc/cpuinfo, /proc/meminfo"
    lines = printed_lines(answer, what)
    cores, memory = (_CORES.fullmatch(lines[0]), _MEMORY.fullmatch(lines[1])) if len(lines) == 2 else (None, None)
    if not cores or not memory or not int(cores[1]) or not int(memory[1]):
        raise UnreadableError(f"{what}: not understood: {'; '.join(lines)[:200]!r}")
    return MachineResources(int(cores[1]), int(memory[1]) * 1024)


PROBES = (
    Probe(
        id="linux-resources",
        language="sh",
        purpose="how many processors and how much memory the machine has",
        script="""\
cores=0
while read -r key rest; do
    case $key in processor) cores=$((cores + 1)) ;; esac
done </proc/cpuinfo
echo "cores $cores"
while read -r key size unit; do
    case $key in MemTotal:) echo "memory $size $unit" ;; esac
done </proc/meminfo""",
        readers=((MachineResources, read_machine_resources),),
        sample="cores 4\nmemory 16179200 kB\n",
    ),
)

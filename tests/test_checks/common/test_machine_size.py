"""What a machine has, against what its role asks for, to the last byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.common.machine_size import judged, unseen
from checks.engine.rules import Rule
from checks.outcome import Status

CORES = Rule(id="cores", check="c", target="", requires="web cores 4", text="4 cores", source="the vendor")
MEMORY = replace(CORES, id="memory", requires="web memory-gb 8", text="8 GB of memory")


@pytest.mark.parametrize(
    ("rule", "processors", "memory_bytes", "status"),
    [
        (CORES, 4, 0, Status.PASS),
        (CORES, 3, 10**12, Status.FAIL),
        # Firmware keeps some of what is installed to itself.
        (MEMORY, 1, 8 * 10**9, Status.PASS),
        (MEMORY, 1, 7_200_000_000, Status.PASS),
        (MEMORY, 1, 7_199_999_999, Status.FAIL),
        (replace(CORES, effect="warn"), 3, 0, Status.WARN),
        (replace(CORES, requires="web sockets 4"), 9, 10**12, Status.ERROR),
        (replace(CORES, requires="web cores"), 9, 10**12, Status.ERROR),
        (replace(CORES, requires="web cores four"), 9, 10**12, Status.ERROR),
        (replace(MEMORY, requires="web memory-gb ²"), 9, 10**12, Status.ERROR),
    ],
)
def test_a_machine_is_held_to_the_rule(rule: Rule, processors: int, memory_bytes: int, status: Status) -> None:
    found = judged(rule, processors=processors, processor="core", memory_bytes=memory_bytes)
    assert found.status is status


def test_a_machine_that_told_nothing_is_as_grave_as_one_that_breaks_the_rule() -> None:
    soft = replace(MEMORY, effect="warn")
    hard = unseen([CORES, soft], "the machine did not say")
    assert hard.status is Status.ERROR
    assert "4 cores and 8 GB of memory are asked for" in hard.message
    mild = unseen([soft], "the machine did not say")
    assert mild.status is Status.WARN
    # A warning says how it can be seen; an error is cleared where the question failed.
    assert mild.remediation
    assert not hard.remediation

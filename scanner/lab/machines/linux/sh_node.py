"""A POSIX shell that knows one script: the batch of probes, which it recognises instead of running it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from checks.common.dataclass import dataclass
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.probes.batch.sh import END_BYTES, ERROR_BYTES, compose
from scanner.probes.probe import Probe

REFUSAL = b"sh: 1: this is a simulated node, which runs the scanner's own batch and nothing else: not found\n"
REFUSED = 127

_EXEC = re.compile(r"(?:exec )?(?:/bin/)?sh(?: -s)?(?: -)?")
_HEAD = re.compile(
    r"\n*echo \S+-ready\n\{\nSUDO=(?P<sudo>''|'sudo -n')\n"
    r"pf_nonce=(?P<nonce>\S+) pf_bytes=(?P<bytes>\d+) pf_budget=(?P<budget>\d+)\n"
)
_READY = re.compile(rb"echo (\S+-ready\n)")
_FIRST_PROBE = "\npf_probe "
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*); export (?P=name)\n", re.DOTALL)
_TIMED_OUT = 124
_START = "start"
"""Stands among the slow probes for the starting of the shell itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a recognised script asks for."""

    nonce: str
    budget_s: int
    probe_bytes: int
    sudo: bool
    probes: tuple[Probe, ...]


def recognise(script: str, known: Mapping[str, Probe]) -> Batch | None:
    """The batch that `script` is, byte for byte; None for anything else."""
    head = _HEAD.match(script)
    begin = script.find(_FIRST_PROBE)
    if not head or begin < 0:
        return None
    try:
        words = shlex.split(script[begin:])
    except ValueError:
        return None
    probes: list[Probe] = []
    options: dict[str, str] = {}
    while len(words) >= 4 and words[0] == "pf_probe":
        probe = known.get(words[1])
        if probe is None or not words[3].endswith(probe.script):
            return None
        probes.append(probe)
        options |= _options(words[3].removesuffix(probe.script), probe)
        words = words[4:]
    budget_s, probe_bytes, sudo = int(head["budget"]), int(head["bytes"]), head["sudo"] != "''"
    nonce = shlex.split(head["nonce"])[0]
    again = compose(probes, nonce=nonce, budget_s=budget_s, options=options, sudo=sudo, probe_bytes=probe_bytes)
    return (
        Batch(nonce=nonce, budget_s=budget_s, probe_bytes=probe_bytes, sudo=sudo, probes=tuple(probes))
        if again == script
        else None
    )


def _options(text: str, probe: Probe) -> dict[str, str]:
    """The options that stand before a probe's script. What is wrongly read shows in the comparison."""
    options = {}
    for name in probe.parameters:
        unset = f"unset {name}\n"
        if text.startswith(unset):
            text = text.removeprefix(unset)
            continue
        # An option's value may hold line ends: the next parameter's beginning tells where it stops.
        end = text.find(f"; export {name}\n")
        line = text[: end + len(f"; export {name}\n")]
        found = _ASSIGNMENT.fullmatch(line) if end >= 0 else None
        if found:
            options[name] = "".join(shlex.split(found["value"]))
        text = text.removeprefix(line)
    return options


class ShNode:
    """Answers the batch as the real script would where the commands print what `answers` says.

    `slow` holds the seconds that a probe takes, or the shell before the first (`start`); `clock` is what `date` prints
    there: seconds since 1970, with a fraction or without. See `ssh_server.Shell`.
    """

    def __init__(
        self,
        known: Mapping[str, Probe],
        answers: Callable[[str, bool], CommandOutput],
        slow: Mapping[str, float],
        *,
        clock: Callable[[], str],
    ) -> None:
        self._known = known
        self._answers = answers
        self._slow = slow
        self._clock = clock

    def refuses(self, command: str) -> CommandOutput | None:
        """What is said of any command but a shell that reads its script from standard input."""
        if _EXEC.fullmatch(command):
            return None
        return CommandOutput(f"sh: 1: {command.partition(' ')[0]}: not found\n", REFUSED)

    def greets(self, command: str, line: bytes, wait: Callable[[float], object]) -> bytes:  # noqa: ARG002  the same
        """What is printed once the script's first line that is not blank has come, and the shell has been started."""
        wait(self._slow.get(_START, 0.0))
        said = _READY.fullmatch(line)
        return said[1] if said else b""

    def run(
        self,
        command: str,  # noqa: ARG002  a shell is a shell, however it was named
        stdin: bytes,
        *,
        wait: Callable[[float], object],
        non_utf8: bool = False,
    ) -> Iterator[bytes | int]:
        """The output in the pieces in which it would come, then the exit code. `wait` spends seconds."""
        batch = recognise(stdin.decode("utf-8", errors="surrogateescape"), self._known)
        if batch is None:
            yield REFUSAL
            yield REFUSED
            return
        spent_s = 0.0
        yield f"\n{batch.nonce} clock begun {self._clock()}\n".encode()
        for probe in batch.probes:
            left_s = int(batch.budget_s - spent_s)
            if left_s < 1:
                yield f"\n{batch.nonce} late {probe.id}\n".encode()
                continue
            left_s = min(left_s, max(1, int(probe.timeout_s)))
            yield f"\n{batch.nonce} begin {probe.id} {left_s} {batch.probe_bytes}\n".encode()
            takes_s = self._slow.get(probe.id, 0.0)
            wait(min(takes_s, left_s))
            spent_s += min(takes_s, left_s)
            found = self._answers(probe.id, batch.sudo and "$SUDO" in probe.script)
            output = found.output.encode("utf-8", errors="surrogateescape")
            if non_utf8:
                output += b"caf\xe9 \xff\xfe\n"
            code = found.exit_code
            if takes_s > left_s:
                output, code = b"", _TIMED_OUT
            yield output[: batch.probe_bytes + 1]
            errors = found.error_output.encode("utf-8", errors="surrogateescape")
            if takes_s <= left_s:
                yield f"\n{batch.nonce} errors {probe.id} {ERROR_BYTES}\n".encode() + errors[-ERROR_BYTES - 1 :]
            yield f"\n{batch.nonce} end {probe.id} {code}\n".encode()
        yield f"\n{batch.nonce} clock ended {self._clock()}\n".encode()
        yield f"{'':{END_BYTES}}\n{batch.nonce} done\n".encode()
        yield 0

"""From a node's answers to its facts: each probe's readers, whatever they do on garbage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checks.common.clock_facts import ClockSample
from checks.facts import Contact, Unknown
from scanner.errors import cause_of
from scanner.files.packed.answers import opened
from scanner.plugins.foreign import Allowance, ForeignCodeError
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.transports.answers import NodeResponse

_LINE_CHARS = 32 * 1024
"""Of one line that a shell's probe printed: no program's table is as wide, and no reader needs to look at it."""
_ERROR_CHARS = 4_096
_ERROR_LINES = 2
_SHOWN_CHARS = 300
_TOLD_CHARS = 80
"""Of a line of standard error: where a message holds as much of it, it tells it."""


def read_facts(said: NodeResponse, probes: Sequence[Probe]) -> dict[type, object]:
    """Facts from answers, each with `Unknown` where it could not be read.

    `Contact` and `ClockSample` come of the conversation itself, whatever was asked.
    """
    said = opened(said)
    facts: dict[type, object] = {}
    allowance = Allowance()
    for probe in probes:
        answer = said.answers.get(probe.id)
        if answer is None:
            if probe.id in said.lacking:
                absent = Unknown(said.lacking[probe.id], unanswered=said.failure is not None, unasked=True)
                facts |= {kind: absent for kind in probe.facts if kind not in facts}
            continue
        for kind, reader in probe.readers:
            if isinstance(facts.get(kind, Unknown("")), Unknown):
                facts[kind] = _read(probe, reader, answer, allowance)
    facts[ClockSample] = said.clock or _no_clock(said)
    asked = [probe for probe in probes if probe.id in said.answers]
    silent = {probe.id: found.reason for probe in asked if isinstance(found := said.answers[probe.id], Unknown)}
    facts[Contact] = Contact(
        host=said.host,
        transport=said.transport,
        failure=said.failure,
        asked=len(asked),
        answered=len(asked) - len(silent),
        unanswered=tuple(silent),
        hint=said.hint,
        reasons=tuple(silent.values()),
    )
    return facts


def read_error_output(said: NodeResponse, probes: Sequence[Probe]) -> dict[type, dict[str, str]]:
    """What went to standard error where the facts of each kind were asked for, by probe."""
    said = opened(said)
    found: dict[type, dict[str, str]] = {}
    for probe in probes:
        answer = said.answers.get(probe.id)
        if isinstance(answer, Answer) and answer.error_output:
            for kind in probe.facts:
                found.setdefault(kind, {})[probe.id] = answer.error_output
    return found


def _no_clock(said: NodeResponse) -> Unknown:
    if said.transport == "tds":
        return Unknown("the host itself is not asked, only its SQL Server port")
    if said.failure:
        return Unknown("not answered (see connectivity)", unanswered=True)
    return Unknown("the node did not say what time it is")


def _read(probe: Probe, reader: Callable[[Answer], object], answer: Answer | Unknown, allowance: Allowance) -> object:
    if isinstance(answer, Unknown):
        return Unknown(answer.reason, unanswered=True)
    said = answer.output if probe.language == "sh" and len(answer.output) > _LINE_CHARS else ""
    if (long := max(map(len, said.split("\n")))) > _LINE_CHARS:
        return Unknown(f"probe {probe.id}: unreadable answer, a line of {long:,} characters")
    try:
        return allowance.call(lambda: reader(answer))
    except ForeignCodeError as error:
        return Unknown(f"probe {probe.id}: reading its answer {error}")
    except UnreadableError as error:
        return Unknown(" ".join([*str(error).split(), *_untold(str(error), answer.error_output).split()]))
    except Exception as defect:  # noqa: BLE001  a reader, perhaps a plugin's, may raise anything on garbage
        return Unknown(" ".join(f"probe {probe.id}: unreadable answer, {cause_of(defect)}".split()))


def _untold(message: str, error_output: str) -> str:
    """What standard error may say of an answer that cannot be read, where the reader does not tell it already."""
    lines = [line.strip() for line in error_output[:_ERROR_CHARS].splitlines() if line.strip()]
    if not lines or any(line[:_TOLD_CHARS] in message for line in lines):
        return ""
    return f"; on standard error: {' / '.join(lines[:_ERROR_LINES])[:_SHOWN_CHARS]}"

"""The probes behind an expectation: one for each way in which a node can be spoken to."""

from __future__ import annotations

from functools import partial

from checks.engine.expect.model import ANSWERED, Expectation
from checks.engine.expect.observation import observation_kind
from scanner.probes.expect import powershell, sh
from scanner.probes.expect.readers import read_powershell, read_sh, read_sql
from scanner.probes.probe import Language, Probe

_PURPOSE = {
    "file": "what it is, whose, and what is in it, as far as it is asked; no content leaves the node",
    "registry": "whether it is there, and what it holds",
    "service": "whether it is there, runs, and starts by itself",
    "package": "whether it is installed, and in which version",
    "port": "whether and on which addresses somebody listens there",
    "command": "run as the inventory gives it: whoever writes the inventory answers for it",
    "sql": "the inventory's own SELECT, as it is given",
}
_SHOWN_CHARS = 120


def probe_id(wanted: Expectation, language: Language) -> str:
    """A name that no check can have."""
    return f"expect.{wanted.id}" + {"sh": "", "powershell": ".windows", "tds": ".sql"}[language]


def probes_of(wanted: Expectation) -> tuple[Probe, ...]:
    """What is asked for `wanted`, in each language that has an answer to it."""
    kind = observation_kind(wanted.id)
    subject = wanted.subject if len(wanted.subject) <= _SHOWN_CHARS else wanted.subject[:_SHOWN_CHARS] + "..."
    purpose = f"{wanted.kind} {subject}: {_PURPOSE[wanted.kind]}"
    given: list[Probe] = []
    if wanted.kind in ANSWERED["sh"]:
        given.append(
            Probe(
                id=probe_id(wanted, "sh"),
                language="sh",
                purpose=purpose,
                script=sh.script(wanted),
                readers=((kind, partial(read_sh, wanted)),),
                timeout_s=wanted.timeout_s,
                own=True,
            )
        )
    if wanted.kind in ANSWERED["powershell"] and powershell.can_ask(wanted):
        given.append(
            Probe(
                id=probe_id(wanted, "powershell"),
                language="powershell",
                purpose=purpose,
                script=powershell.script(wanted),
                readers=((kind, partial(read_sql if wanted.kind == "sql" else read_powershell, wanted)),),
                parameters=("sql_instance", "sql_user") if wanted.kind == "sql" else (),
                needs=powershell.needs(wanted),
                parts=powershell.parts(wanted),
                own=True,
            )
        )
    return tuple(given)

"""One node's whole conversation: connect, run one script, take the answers home. Nothing is judged here."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from checks.common.clock_facts import ClockSample
from checks.engine.connectivity import cure_of_silence
from checks.facts import Contact, Unknown
from scanner.clock import now_s, utc_now
from scanner.errors import NodeError, ProtocolError, cause_of
from scanner.inventory.model import Node
from scanner.probes import powershell_batch, sh_batch
from scanner.probes.probe import Answer, Probe, Stamps, UnreadableError
from scanner.probes.sql_database import SQL_PASSWORD_VARIABLE
from scanner.run.foreign import Allowance, ForeignCodeError
from scanner.secrets.masking import masked
from scanner.secrets.redaction import NOTHING_SECRET, Redactor, redactor
from scanner.secrets.secret import Secret
from scanner.transports.cures import cure_of
from scanner.transports.own_trouble import own_trouble
from scanner.transports.protocol import Limits, Moments, Transport, Usage

_LINE_CHARS = 32 * 1024
"""Of one line that a shell's probe printed: no program's table is as wide, and no reader needs to look at it."""
_ERROR_CHARS = 4_096
_ERROR_LINES = 2
_SHOWN_CHARS = 300
_TOLD_CHARS = 80
"""Of a line of standard error: where a message holds as much of it, it tells it."""
_ANSWER_SHARE = 0.15
"""Share of a node's time that is kept for its answer's way home: the script stops asking before its deadline."""
_LEAST_FOR_SQL_S = 5.0
"""What a SQL Server gets in any case where the host beside it has used up the node's time."""


@dataclass(frozen=True, slots=True)
class NodeCall:
    """Everything that is needed to ask one node. It can be pickled and carried out anywhere."""

    node: Node
    probes: tuple[Probe, ...]
    limits: Limits
    hide: Redactor = NOTHING_SECRET
    """Takes the secrets of the whole run out: a node may say what another one is reached with, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAnswers:
    """What one node said."""

    cluster: str
    node: str
    host: str
    transport: str
    answers: Mapping[str, Answer | Unknown] = field(default_factory=dict)
    """Probe id to its answer, or to why there is none."""
    failure: str | None = None
    """Why the conversation did not go to its end, one line."""
    hint: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    clock: ClockSample | Unknown | None = None
    """None where the node did not say the time both when it began and when it had ended; Unknown where saved answers
    hold no sample that could be compared with the other nodes'."""
    asked_at: datetime | None = None
    """When the node was turned to, by this machine's clock; aware, UTC."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Only of saved answers: id of each probe that a check needs now and that was not asked then, with why."""


def ask(call: NodeCall, gate: AbstractContextManager[object] | None = None) -> NodeAnswers:
    """Ask the node everything at once. Never raises for what a node does: that is in the answers.

    `gate` bounds how many nodes of this process are worked on at a time; it is entered once the TCP connection stands,
    so that dead hosts keep nobody waiting.
    """
    node = call.node
    if not call.hide.logins:
        call = replace(call, hide=redactor([node]))
    started = time.monotonic()
    asked_at = utc_now()
    spoken = tuple(probe for probe in call.probes if probe.language == node.language)
    said = NodeAnswers(
        cluster=node.cluster, node=node.name, host=node.host, transport=node.transport, asked_at=asked_at
    )
    if spoken and node.transport != "tds":
        said = _converse(said, call, spoken, gate)
    listening = tuple(probe for probe in call.probes if probe.language == "tds" and _is_needed(probe, node, said))
    if listening:
        from scanner.transports.tds.gathering import ask_listener

        left_s = max(_LEAST_FOR_SQL_S, call.limits.timeout_s - (time.monotonic() - started))
        limits = replace(call.limits, timeout_s=min(call.limits.timeout_s, left_s))
        said = ask_listener(said, listening, node, limits, call.hide)
    return replace(said, seconds=round(time.monotonic() - started, 3))


def script_budget_s(timeout_s: float) -> float:
    """Seconds that the script may spend on the node before it answers with what it has."""
    return max(1.0, timeout_s * (1 - _ANSWER_SHARE))


def compose(node: Node, probes: Sequence[Probe], *, nonce: str, budget_s: float, probe_bytes: int) -> str:
    """The one script that asks `node` all `probes`, which are in its language; see the batches' own `compose`."""
    options = node.options
    if node.language == "sh":
        return sh_batch.compose(
            probes, nonce=nonce, budget_s=budget_s, options=options, sudo=node.sudo, probe_bytes=probe_bytes
        )
    return powershell_batch.compose(probes, nonce=nonce, budget_s=budget_s, options=options, probe_bytes=probe_bytes)


def confidential(node: Node, probes: Sequence[Probe]) -> dict[str, str]:
    """What `probes` need of `node` that its script must not hold: environment variables for it, in Base64 of UTF-8.

    Raises ValueError where others could read it on the way: the inventory refuses such a node.
    """
    secret = node.sql_password
    if not isinstance(secret, Secret) or not any(
        "sql_user" in probe.parameters for probe in probes if probe.language == node.language
    ):
        return {}
    if not node.keeps_secrets:
        raise ValueError(f"node {node.name} is not reached over a connection that keeps secrets")
    return {SQL_PASSWORD_VARIABLE: base64.b64encode(secret.reveal().encode("utf-8")).decode("ascii")}


def _door(node: Node, limits: Limits, gate: AbstractContextManager[object] | None, hide: Redactor) -> Transport:
    """The node's transport. Each is imported late: its libraries take long to load."""
    if node.transport == "local":
        from scanner.transports.local import LocalTransport

        return LocalTransport(node, limits, gate=gate, hide=hide)
    if node.transport == "ssh":
        from scanner.transports.ssh.transport import SshTransport

        return SshTransport(node, limits, gate=gate, hide=hide)
    from scanner.transports.winrm.transport import WinrmTransport

    return WinrmTransport(node, limits, gate=gate, hide=hide)


def _converse(
    said: NodeAnswers, call: NodeCall, probes: Sequence[Probe], gate: AbstractContextManager[object] | None
) -> NodeAnswers:
    node, limits, hide = call.node, call.limits, call.hide
    nonce = secrets.token_hex(16)
    budget_s = script_budget_s(limits.timeout_s)
    ids = [probe.id for probe in probes]
    failure: NodeError | None = None
    transport: Transport | None = None
    output = b""
    before_s = now_s()
    try:
        script = compose(node, probes, nonce=nonce, budget_s=budget_s, probe_bytes=limits.probe_bytes)
        variables = confidential(node, probes)
        transport = _door(node, limits, gate, hide)
        output = transport.run(script, variables)
    except NodeError as error:
        failure, output = own_trouble(error) or error, error.partial
    except Exception as defect:  # noqa: BLE001  an unmapped foreign exception must not cost the other nodes their scan
        hide.cleanse(defect)
        cause = f"unexpected {cause_of(defect)}"
        failure = own_trouble(defect) or ProtocolError(cause, hint="this is a defect of preflight; please report it")
    finally:
        if transport:
            with suppress(Exception):
                transport.close()
    answers: dict[str, Answer | Unknown] = {}
    clock: ClockSample | None = None
    try:
        if transport:
            batch = sh_batch if node.language == "sh" else powershell_batch
            answers = batch.parse(output, nonce=nonce, probe_ids=ids, hide=hide)
            clock = _clock(batch.stamps(output, nonce=nonce), transport.moments, before_s)
    except Exception as defect:  # noqa: BLE001  whatever a hostile answer provokes stays this node's
        failure = failure or ProtocolError(
            f"its answer cannot be taken apart: {cause_of(defect)}",
            hint="look at what the node printed; if it is in order, this is a defect of preflight",
        )
    if failure:
        answers = {
            probe_id: Unknown("not answered (see connectivity)")
            if isinstance(answers.get(probe_id, Unknown("")), Unknown)
            else answers[probe_id]
            for probe_id in ids
        }
    elif ids and all(isinstance(answers[probe_id], Unknown) for probe_id in ids):
        # The transport is content and yet nothing came back: without this, a silent node would look like a reached one.
        reasons = dict.fromkeys(answer.reason for answer in answers.values() if isinstance(answer, Unknown))
        failure = ProtocolError("; ".join(reasons), hint=cure_of_silence(*reasons))
    return replace(
        said,
        answers=answers,
        failure=hide.message(str(failure)) if failure else None,
        hint=hide.message(cure_of(failure, node.transport)) if failure else "",
        usage=transport.usage if transport else Usage(),
        clock=clock,
    )


def erased(said: NodeAnswers, hide: Redactor) -> NodeAnswers:
    """The same without secrets in any text that may have come from the node."""
    return replace(
        said,
        answers={
            probe_id: Unknown(hide.message(answer.reason))
            if isinstance(answer, Unknown)
            else replace(
                answer,
                output=hide.json(answer.output, cut=answer.truncated),
                error_output=masked(hide(answer.error_output)),
            )
            for probe_id, answer in said.answers.items()
        },
        failure=said.failure and hide.message(said.failure),
        hint=hide.message(said.hint),
    )


def _clock(stamps: Stamps | None, moments: Moments, before_s: float) -> ClockSample | None:
    """The node's stamps between the scanner's; `before_s` is when the transport had not begun yet."""
    if stamps is None:
        return None
    sent_s = before_s if moments.sent_s is None else moments.sent_s
    received_s = now_s() if moments.received_s is None else moments.received_s
    return ClockSample(
        sent_s=sent_s,
        begun_s=stamps.begun_s,
        ended_s=stamps.ended_s,
        received_s=received_s,
        resolution_s=stamps.resolution_s,
    )


def _is_needed(probe: Probe, node: Node, said: NodeAnswers) -> bool:
    """A listener is asked with a login where there is one, and else where it is all there is, or where the host could
    not say it itself.
    """
    if node.logs_in_to_sql and (probe.instead_of or said.transport == "tds"):
        return True
    if node.tds is None and "sql_port" not in node.options:
        return False
    if said.transport == "tds" or said.failure or not probe.fallback_for:
        return True
    first = said.answers.get(probe.fallback_for)
    return not isinstance(first, Answer) or first.exit_code != 0


def read_facts(said: NodeAnswers, probes: Sequence[Probe]) -> dict[type, object]:
    """Facts from answers, each with `Unknown` where it could not be read.

    `Contact` and `ClockSample` come of the conversation itself, whatever was asked.
    """
    facts: dict[type, object] = {}
    allowance = Allowance()
    for probe in probes:
        answer = said.answers.get(probe.id)
        if answer is None:
            if probe.id in said.lacking:
                absent = Unknown(said.lacking[probe.id], unanswered=said.failure is not None)
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


def read_error_output(said: NodeAnswers, probes: Sequence[Probe]) -> dict[type, dict[str, str]]:
    """What went to standard error where the facts of each kind were asked for, by probe."""
    found: dict[type, dict[str, str]] = {}
    for probe in probes:
        answer = said.answers.get(probe.id)
        if isinstance(answer, Answer) and answer.error_output:
            for kind in probe.facts:
                found.setdefault(kind, {})[probe.id] = answer.error_output
    return found


def _no_clock(said: NodeAnswers) -> Unknown:
    if said.transport == "tds":
        return Unknown("the host itself is not asked, only its SQL Server port")
    if said.failure:
        return Unknown("not answered (see connectivity)", unanswered=True)
    return Unknown("the node did not say what time it is")


def _read(probe: Probe, reader: Callable[[Answer], object], answer: Answer | Unknown, allowance: Allowance) -> object:
    if isinstance(answer, Unknown):
        return Unknown(answer.reason, unanswered=True)
    if probe.language == "sh" and (long := max(map(len, answer.output.split("\n")))) > _LINE_CHARS:
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

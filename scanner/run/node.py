"""One node's whole conversation: connect, run one script, take the answers home. Nothing is judged here."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import KW_ONLY, replace
from functools import partial

from checks.common.clock_facts import ClockSample
from checks.common.dataclass import dataclass
from checks.engine.connectivity import cure_of_silence
from checks.facts import Unknown
from scanner.clock import now_s, utc_now
from scanner.errors import NodeError, ProtocolError, cause_of
from scanner.inventory.model import Node
from scanner.inventory.redactor import redactor
from scanner.probes.batch import powershell, sh
from scanner.probes.probe import Answer, NodeClock, Probe
from scanner.probes.secret_server.database.database import SQL_PASSWORD_VARIABLE
from scanner.secrets.masking import masked
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.secrets.secret import Secret
from scanner.transports.answers import NodeResponse
from scanner.transports.bounded import looked_through
from scanner.transports.cures import cure_of
from scanner.transports.own_trouble import own_trouble
from scanner.transports.protocol import ConnectionCost, Limits, TransferTimes, Transport

_ANSWER_SHARE = 0.15
"""Share of a node's time that is kept for its answer's way home: the script stops asking before its deadline."""
_LEAST_FOR_SQL_S = 5.0
"""What a SQL Server gets in any case where the host beside it has used up the node's time."""
UNANSWERED = Unknown("not answered (see connectivity)")
"""To each of the questions of a node whose failure is told."""


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """Everything that is needed to ask one node. It can be pickled and carried out anywhere."""

    node: Node
    probes: tuple[Probe, ...]
    limits: Limits
    _: KW_ONLY
    site: str = ""
    """Whose machines are to ask it; empty: any."""
    hide: Redactor = NOTHING_SECRET
    """Takes the secrets of the whole run out: a node may say what another one is reached with, too."""


def query_node(call: NodeRequest, gate: AbstractContextManager[object] | None = None) -> NodeResponse:
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
    said = NodeResponse(
        cluster=node.cluster, node=node.name, host=node.host, transport=node.transport, asked_at=asked_at
    )
    if spoken and node.transport != "tds":
        said = _query_host(said, call, spoken, gate)
    listening = tuple(probe for probe in call.probes if probe.language == "tds" and _is_needed(probe, node, said))
    if listening:
        from scanner.transports.tds.gathering import ask_listener

        left_s = max(_LEAST_FOR_SQL_S, call.limits.timeout_s - (time.monotonic() - started))
        limits = replace(call.limits, timeout_s=min(call.limits.timeout_s, left_s))
        said = replace(ask_listener(said, listening, node, limits, call.hide), cleaned_by=b"")
    return replace(said, seconds=round(time.monotonic() - started, 3))


def script_budget_s(timeout_s: float) -> float:
    """Seconds that the script may spend on the node before it answers with what it has."""
    return max(1.0, timeout_s * (1 - _ANSWER_SHARE))


def compose(node: Node, probes: Sequence[Probe], *, nonce: str, budget_s: float, probe_bytes: int) -> str:
    """The one script that asks `node` all `probes`, which are in its language; see the batches' own `compose`."""
    options = node.options
    if node.language == "sh":
        return sh.compose(
            probes, nonce=nonce, budget_s=budget_s, options=options, sudo=node.sudo, probe_bytes=probe_bytes
        )
    return powershell.compose(probes, nonce=nonce, budget_s=budget_s, options=options, probe_bytes=probe_bytes)


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


def _open_transport(
    node: Node, limits: Limits, gate: AbstractContextManager[object] | None, hide: Redactor
) -> Transport:
    """The node's transport. Each is imported late: its libraries take long to load."""
    if node.transport == "local":
        from scanner.transports.local import LocalTransport

        return LocalTransport(node, limits, gate=gate, hide=hide)
    if node.transport == "ssh":
        from scanner.transports.ssh.transport import SshTransport

        return SshTransport(node, limits, gate=gate, hide=hide)
    from scanner.transports.winrm.transport import WinrmTransport

    return WinrmTransport(node, limits, gate=gate, hide=hide)


def _query_host(
    said: NodeResponse, call: NodeRequest, probes: Sequence[Probe], gate: AbstractContextManager[object] | None
) -> NodeResponse:
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
        transport = _open_transport(node, limits, gate, hide)
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
    cleaned_by = b""
    try:
        if transport:
            batch = sh if node.language == "sh" else powershell
            take_apart = partial(batch.parse_with_stamps, output, nonce=nonce, probe_ids=ids, hide=hide)
            answers, stamps = looked_through(batch.unpacked_bytes(output, nonce=nonce), take_apart)
            cleaned_by = hide.mark
            clock = _clock(stamps, transport.moments, before_s)
    except Exception as defect:  # noqa: BLE001  whatever a hostile answer provokes stays this node's
        failure = (
            failure
            or own_trouble(defect)
            or ProtocolError(
                f"its answer cannot be taken apart: {cause_of(defect)}",
                hint="look at what the node printed; if it is in order, this is a defect of preflight",
            )
        )
    if failure:
        answers = {
            probe_id: UNANSWERED if isinstance(answers.get(probe_id, Unknown("")), Unknown) else answers[probe_id]
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
        usage=transport.usage if transport else ConnectionCost(),
        clock=clock,
        cleaned_by=cleaned_by,
    )


def redacted(said: NodeResponse, hide: Redactor) -> NodeResponse:
    """The same without secrets in any text that may have come from the node."""
    over = said.cleaned_by == hide.mark
    return replace(
        said,
        answers={probe_id: _redacted(answer, hide, over=over) for probe_id, answer in said.answers.items()},
        failure=said.failure and hide.message(said.failure),
        hint=hide.message(said.hint),
    )


def _redacted(answer: Answer | Unknown, hide: Redactor, *, over: bool) -> Answer | Unknown:
    """`over`: `hide` has been over what was printed, and there is nothing in it that it would find."""
    if isinstance(answer, Unknown):
        return Unknown(hide.message(answer.reason))
    output = answer.output if over else hide.json(answer.output, cut=answer.truncated)
    errors = masked(answer.error_output if over else hide(answer.error_output))
    # As a rule there is nothing to take out, and a copy of each answer of an estate takes longer than to see that.
    if output == answer.output and errors == answer.error_output:
        return answer
    return replace(answer, output=output, error_output=errors)


def _clock(stamps: NodeClock | None, moments: TransferTimes, before_s: float) -> ClockSample | None:
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


def _is_needed(probe: Probe, node: Node, said: NodeResponse) -> bool:
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

"""A SQL Server's listener asked for a node: with a login everything at once, without one its version alone."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from checks.facts import Unknown
from checks.secret_server.database.access import CANNOT_CONNECT
from scanner.errors import AuthenticationError, NodeError
from scanner.inventory.model import Node
from scanner.inventory.products import DEFAULT_SQL_PORT
from scanner.probes.probe import Answer, Probe
from scanner.secrets.redaction import Redactor
from scanner.secrets.secret import Secret
from scanner.transports.cures import cure_of
from scanner.transports.own_trouble import own_trouble
from scanner.transports.protocol import ConnectionCost, Limits
from scanner.transports.tds.browser import port_of
from scanner.transports.tds.prelogin import prelogin
from scanner.transports.tds.refusals import DATABASE_NOT_OPEN

if TYPE_CHECKING:
    from scanner.transports.answers import NodeResponse

_PATIENCE_S = 10.0


def ask_listener(
    said: NodeResponse, probes: Sequence[Probe], node: Node, limits: Limits, hide: Redactor
) -> NodeResponse:
    """`said` with the answers to `probes`. Never raises for what the listener does."""
    usage = replace(said.usage)
    try:
        found = _answers(probes, node, limits, usage)
    except NodeError as refusal:
        own = own_trouble(refusal)
        error = own or refusal
        hide.cleanse(error)
        cause = hide.message(str(error))
        # Nothing of the host's or of its SQL Server's: whatever else was answered, the node is to be asked again.
        alone = said.transport == "tds" or own is not None
        reason = _reason(error, cause, node)
        cure = hide.message(cure_of(error, "tds"))
        if not alone and error.hint:
            # The node itself is in order, so that nothing else would say what to do.
            reason = f"{reason}; {cure}"
        silent = {probe.id: Unknown(reason) for probe in probes}
        return replace(
            said,
            answers={**said.answers, **silent},
            usage=usage,
            failure=cause if alone else said.failure,
            hint=cure if alone else said.hint or cure,
        )
    answers = {name: Answer(hide.json(json.dumps(value)), 0) for name, value in found.items()}
    return replace(said, answers={**said.answers, **answers}, usage=usage)


def _reason(error: NodeError, cause: str, node: Node) -> str:
    """Why a fact is unknown, so that the checks can tell a server that is out of reach from one that wants a grant."""
    if isinstance(error, AuthenticationError) or DATABASE_NOT_OPEN in cause or not node.logs_in_to_sql:
        return cause
    return f"{CANNOT_CONNECT} {node.sql_host}: {cause}"


def _answers(probes: Sequence[Probe], node: Node, limits: Limits, usage: ConnectionCost) -> dict[str, object]:
    asking = [probe for probe in probes if probe.instead_of]
    greeting_only = [probe for probe in probes if not probe.instead_of]
    ends = time.monotonic() + limits.timeout_s
    if not asking or not isinstance(node.sql_password, Secret):
        settings = node.tds or node.winrm or node.ssh
        patience_s = min(settings.connect_timeout_s if settings else _PATIENCE_S, limits.timeout_s)
        told = prelogin(node.sql_host, _port(node, patience_s), patience_s, usage)
        return {probe.id: dataclasses.asdict(told) for probe in greeting_only}
    from scanner.transports.tds.conversation import converse, greeting
    from scanner.transports.tds.session import Target, open_session

    assert node.tds  # noqa: S101  for the type checker: without it nothing is asked with a login
    target = Target(
        host=node.sql_host,
        port=_port(node, min(node.tds.connect_timeout_s, limits.timeout_s)),
        user=str(node.options["sql_user"]),
        password=node.sql_password,
        settings=node.tds,
        database=str(node.options.get("sql_database", "")),
    )
    options = {name: str(value) for name, value in node.options.items()}
    with open_session(target, limits, usage, ends) as session:
        usage.commands += 1
        answers: dict[str, object] = {probe.id: converse(session, options) for probe in asking}
        told = greeting(session)
    return answers | {probe.id: dataclasses.asdict(told) for probe in greeting_only}


def _port(node: Node, timeout_s: float) -> int:
    """The port that is declared, or what SQL Server Browser tells of the named instance."""
    if "sql_port" in node.options:
        return int(node.options["sql_port"])
    instance = str(node.options.get("sql_instance", ""))
    return port_of(node.sql_host, instance, timeout_s) if instance else DEFAULT_SQL_PORT

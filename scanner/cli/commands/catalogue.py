"""`preflight checks`, `explain` and `probes`: what there is, why, and what it sends."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checks.exit_codes import ExitCode
from scanner.cli import completion
from scanner.cli.machines import Source, inventory_of, takes_machines
from scanner.cli.options import CheckOption, ClusterOption, NodeOption, SkipCheckOption
from scanner.cli.output.ending import leave
from scanner.cli.output.not_loaded import tell_failures
from scanner.cli.output.prose import rendered, wrapped
from scanner.cli.output.reporting import color_wanted, on_terminal, width
from scanner.cli.output.streams import print_out
from scanner.errors import UsageError

if TYPE_CHECKING:
    from checks.check import Check
    from checks.engine.rules import Rule
    from checks.outcome import Result
    from scanner.inventory.model import Node, WinrmSettings
    from scanner.probes.probe import Probe
    from scanner.run.node import NodeRequest

NONCE_SHOWN = "0" * 32
"""Stands where each run puts a random number of its own."""

_CODE_COLUMNS = 160
_ONE_EACH = "one connection, one command"


_WithInventory = Annotated[
    Path | None,
    typer.Argument(metavar="[INVENTORY]", help="With the checks that this inventory brings along.", show_default=False),
]


def checks(inventory: _WithInventory = None) -> None:
    """List all checks: id, severity, scope, what it is for."""
    known, _, failures = _known(inventory)
    longest = max(len(check.id) for check in known)
    for check in known:
        head = f"{check.id:<{longest}}  {check.severity.value:<8}  "
        text = f"{scope_of(check)}: {check.title}"
        # For a reader; whoever counts or searches lines gets one for each.
        for line in wrapped(text, width=width(), first=head) if on_terminal() else [head + text]:
            typer.echo(line)
    tell_failures(failures)
    if failures:
        leave(ExitCode.UNKNOWN)


def _known(inventory: Path | None) -> tuple[tuple[Check, ...], tuple[Probe, ...], tuple[Result, ...]]:
    from scanner.loading.inventory import load_inventory
    from scanner.loading.registry import load_registry

    found, probes, loaded = load_registry(None if inventory is None else load_inventory(inventory).own)
    return found, probes, loaded.failures


def explain(
    check_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="A check's id.", autocompletion=completion.check_ids, show_default=False),
    ],
    inventory: _WithInventory = None,
) -> None:
    """Print one check's documentation, the vendor's rules it applies, its references and its remediation."""
    from scanner.run.prepare import pick_checks

    known, probes, failures = _known(inventory)
    tell_failures(failures)
    pick_checks(known, [check_id], ())
    check = next(check for check in known if check.id == check_id)
    text = "\n".join(_explanation(check, probes))
    # Printed as it is: the library would take the colours out that FORCE_COLOR asks for.
    lines = rendered(text, width=width(), color=color_wanted()) if on_terminal() else [text]
    if lost := print_out("\n".join([*lines, ""])):
        raise UsageError(f"{lost}; make room, or send it elsewhere")


@takes_machines
def probes(
    inventory: Source,
    cluster: ClusterOption = None,
    node: NodeOption = None,
    check: CheckOption = None,
    skip_check: SkipCheckOption = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            "--fact",
            metavar="NAME",
            help="Only what is sent for this fact. Repeatable.",
            autocompletion=completion.fact_names,
        ),
    ] = None,
    sudoers: Annotated[
        bool, typer.Option("--sudoers", help="Print the lines of sudoers that the nodes need, instead.")
    ] = False,
) -> None:
    """Print everything that a scan would send, per node, for a security review. Nothing is contacted."""
    from scanner.inventory.select import select
    from scanner.run.prepare import build_request, pick_facts

    selection = select(inventory_of(inventory), cluster or (), node or (), {})
    job = build_request(selection, only=check or (), without=skip_check or ())
    tell_failures(job.failures)
    calls = job.calls()
    if fact:
        calls = _for_facts(calls, pick_facts(job.probes, fact))
    typer.echo("\n".join(_sudoers(calls) if sudoers else review(calls)))


def scope_of(check: Check) -> str:
    """Where a check looks, in words: "node, secret-server: web"."""
    from checks.check import NodeCheck

    where = "node" if isinstance(check, NodeCheck) else "cluster"
    product = " and ".join(check.products) or "every product"
    product = " and ".join(check.clusters) if check.clusters else product
    return f"{where}, {product}" + (f" ({', '.join(check.roles)})" if check.roles else "")


def _explanation(check: Check, probes: Sequence[Probe]) -> Iterator[str]:
    """The whole as Markdown; what is to be copied is indented."""
    from checks.common.pages import links_of
    from checks.engine.left_out import NEVER
    from reports.text import link_line
    from scanner.loading.registry import load_registry
    from scanner.rule_data import load_rules

    yield f"# {check.id} · {check.severity.value} · {scope_of(check)}"
    yield ""
    yield check.doc.strip()
    if check.phases:
        yield "\n## What is expected (--phase)"
        for phase, expectation in check.phases.items():
            yield f"- {phase}: {expectation}"
    found = load_registry()[2].by_name
    for product in check.products or tuple(found):
        rules = load_rules(product, found.values()).of(check.id)
        if rules:
            yield f"\n## Rules for {product} (override one with [clusters.NAME.rules.ID])"
        for rule in rules:
            yield from _rule_lines(rule)
    fix = check.remediation
    yield "\n## Remediation"
    yield fix.summary
    if fix.command:
        yield f"\n    $ {fix.command}"
    if fix.links:
        yield ""
        yield from (f"    {link_line(link)}" for link in fix.links)
    yield "\n## Leaving it out"
    if check.id in NEVER:
        yield f"It cannot be left out of a cluster: {NEVER[check.id]}."
    else:
        yield "Where it can never be told, the inventory can leave it out; every report shows the reason:"
        yield "\n    [clusters.NAME.skip]"
        yield f'    {check.id} = "why"'
    if check.references:
        yield "\n## References"
        for reference in check.references:
            pages = links_of(reference) if "://" in reference else ()
            yield from (f"- {link_line(link)}" for link in pages)
            if not pages:
                yield f"- {reference}"
    wanted = set(check.facts + check.optional_facts)
    asked = [probe for probe in probes if not wanted.isdisjoint(probe.facts)]
    if asked:
        yield "\n## Asks each node"
        for probe in asked:
            yield f"- {probe.id} ({probe.language}): {probe.purpose}"


def _rule_lines(rule: Rule) -> Iterator[str]:
    when = f"target {rule.target}" if rule.target else "any target"
    if rule.current:
        when += f", installed {rule.current}"
    yield f"- {rule.id}: {rule.text}"
    yield f"  ({when} · {rule.effect} · {rule.confidence} · {rule.source}){f' {rule.url}' if rule.url else ''}"


def _for_facts(calls: Iterable[NodeRequest], wanted: frozenset[type]) -> list[NodeRequest]:
    """The calls, with the probes alone that give one of the facts. Raises UsageError where no node is asked for any."""
    from dataclasses import replace

    kept = [
        replace(call, probes=tuple(probe for probe in call.probes if not wanted.isdisjoint(probe.facts)))
        for call in calls
    ]
    if not any(call.probes for call in kept):
        raise UsageError("no node that was chosen is asked for that: no check of its product and roles reads it")
    return [call for call in kept if call.probes]


def review(calls: Iterable[NodeRequest]) -> Iterator[str]:
    """Everything that is sent, by node; nodes that are sent the same stand together."""
    groups: dict[str, list[Node]] = {}
    for call in calls:
        text = "\n".join(_sent(call.node, call.probes, call.limits.timeout_s, call.limits.probe_bytes))
        groups.setdefault(text, []).append(call.node)
    for text, nodes in groups.items():
        names = [f"{node.cluster}.{node.name}" for node in nodes]
        yield f"# Sent to {', '.join(names)}"
        yield text
        yield ""


def _sudoers(calls: Iterable[NodeRequest]) -> Iterator[str]:
    """The lines that each node needs, nodes with the same ones together, as one text that sudoers takes as it is."""
    from scanner.probes.sudoers import root_commands, sudoers_lines, without_terminal

    groups: dict[tuple[str, ...], list[str]] = {}
    without: dict[str, list[str]] = {}
    for call in calls:
        node, name = call.node, f"{call.node.cluster}.{call.node.name}"
        if node.language != "sh":
            without.setdefault("no sudo is used there", []).append(name)
        elif not root_commands(call.probes):
            without.setdefault("nothing that is asked needs root", []).append(name)
        elif not node.sudo:
            without.setdefault("`sudo` is not set: what needs root is read where the account may", []).append(name)
        else:
            user = _login(node)
            if user == "root":
                without.setdefault("root needs none", []).append(name)
                continue
            terminal = f"# Where sudo says that you must have a tty (RHEL up to 7): {without_terminal(user)}"
            groups.setdefault((terminal, *sudoers_lines(user, call.probes)), []).append(name)
    if groups:
        yield "# One file, for example /etc/sudoers.d/preflight, made with `visudo -f`. No node was asked: each program"
        yield "# stands there by every path that it may have; one that does not exist allows nothing and does no harm."
    for lines, names in groups.items():
        yield ""
        yield f"# {', '.join(names)}"
        yield from lines
    for why, names in without.items():
        yield ""
        yield f"# None for {', '.join(names)}: {why}"


def _login(node: Node) -> str:
    """The account that the node is asked with."""
    from scanner.run.invoker import run_by
    from scanner.transports.ssh.config import route

    if node.ssh is None:
        return run_by().user
    return node.ssh.user or route(node.host, node.ssh)[-1].user


def _sent(node: Node, probes: Iterable[Probe], timeout_s: float, probe_bytes: int) -> Iterator[str]:
    from scanner.probes.rights import ANY
    from scanner.probes.secret_server.database.database import SQL_PASSWORD_VARIABLE
    from scanner.run.node import compose, script_budget_s

    spoken = [probe for probe in probes if probe.language == node.language]
    way = "on this machine, one command" if node.transport == "local" else f"over {node.transport}, {_ONE_EACH}"
    script_too = f"; each run puts a random number for {NONCE_SHOWN}" if node.language != "tds" else ""
    yield f"# {way}{script_too}" if script_too else "# over tds, one connection to SQL Server"
    for probe in probes:
        if probe.language != "tds":
            yield f"#   {probe.id}: {probe.purpose}"
            if set(probe.needs) - {ANY}:
                yield f"#     needs {'; '.join(probe.needs)}"
        elif not probe.instead_of and (node.tds or "sql_port" in node.options):
            yield f"#   {probe.id}: {probe.purpose} (one TDS PRELOGIN packet to {_listener(node)})"
            yield "#     (who does not answer is asked who it is: by an SSLRequest of PostgreSQL, or by GET /)"
    for probe in probes:
        if probe.language == "tds" and probe.instead_of:
            yield from _sent_to_sql(node, probe)
    if node.language == "tds":
        return
    budget_s = script_budget_s(timeout_s)
    script = compose(node, spoken, nonce=NONCE_SHOWN, budget_s=budget_s, probe_bytes=probe_bytes)
    if node.language == "sh":
        yield "# Started as `sh -s`, with this on its standard input:"
    else:
        has_login = node.sql_password is not None and any("sql_user" in probe.parameters for probe in spoken)
        variables = {SQL_PASSWORD_VARIABLE: "***"} if has_login and not node.winrm else {}
        where = "in the shell's environment" if node.winrm else "on a line before it"
        if node.winrm and node.winrm.protocol == "psrp":
            where = "in what the session is opened with ($PSSenderInfo.ApplicationArguments)"
            yield from _session_of(script, node.winrm)
        else:
            yield from _start_of(script, node.winrm.delivery if node.winrm else "stdin", variables)
        if has_login:
            yield f"# The SQL login's password, in Base64, stands {where} only: {SQL_PASSWORD_VARIABLE}=***"
    yield script


def _session_of(script: str, settings: WinrmSettings) -> Iterator[str]:
    """How the script gets into a session of PowerShell remoting: only its size and `delivery` decide."""
    from scanner.transports.psrp.conversation import pipeline_text
    from scanner.transports.psrp.delivery import plain
    from scanner.transports.psrp.envelopes import CONFIGURATION

    name = settings.configuration or CONFIGURATION
    yield f"# One session of {name} (PowerShell remoting), and one pipeline in it: no process is started for it by us."
    text = plain(script)
    sent = pipeline_text(text, settings.delivery)
    if sent == text:
        yield "# The pipeline is the script, as it is:"
        return
    yield "# The pipeline is this, with the script compressed in it with gzip:"
    for line in sent.splitlines():
        yield f"#     {line if len(line) <= _CODE_COLUMNS else line[:_CODE_COLUMNS] + '... (the script)'}"
    yield "# which is:"


def _listener(node: Node) -> str:
    if "sql_port" in node.options:
        return f"port {node.options['sql_port']}"
    return f"the port that SQL Server Browser (UDP 1434) tells of {node.options.get('sql_instance', '')}"


def _sent_to_sql(node: Node, probe: Probe) -> Iterator[str]:
    """What the scanner itself sends to SQL Server, once it is logged in."""
    from scanner.transports.tds.packets import APPLICATION

    kind = "Windows account, by NTLM" if node.tds and node.tds.auth == "ntlm" else "SQL login"
    yield f"#   {probe.id}: {probe.purpose}"
    yield f"# Sent to SQL Server at {node.sql_host}, {_listener(node)}, over one TLS connection: a login as"
    yield f"#   {node.options['sql_user']} ({kind}; its password stands in this login only), program {APPLICATION},"
    yield "# then each of these once, and nothing else; a USE before the question after a database's version:"
    yield probe.script


def _start_of(script: str, mode: str, variables: Mapping[str, str]) -> Iterator[str]:
    """The command line as Windows' own logs would show it, with its encoded part in the clear.

    `variables` go with the script on standard input.
    """
    from scanner.transports.powershell.script_delivery import deliver, deliver_on_stdin

    delivery = deliver_on_stdin(script, variables) if variables else deliver(script, mode)
    *plain, encoded = delivery.arguments
    yield "# Started as this, the last argument decoded (in the logs it stands in Base64, of UTF-16):"
    yield f"#   {delivery.command} {' '.join(plain)}"
    for line in base64.b64decode(encoded).decode("utf-16-le").splitlines():
        yield f"#     {line if len(line) <= _CODE_COLUMNS else line[:_CODE_COLUMNS] + '... (the script)'}"
    if delivery.environment:
        way = f"in the shell's environment ({', '.join(delivery.environment)}), compressed with gzip"
    elif delivery.stdin is not None:
        way = "on standard input, as it is"
    else:
        way = "in that argument, compressed with gzip"
    yield f"# The script gets there {way}:"

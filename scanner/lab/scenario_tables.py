"""From a scenario's TOML tables to its model, every value checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from checks.check import PHASES
from checks.engine.expect import model as own
from checks.product import Product
from scanner.lab import expected, fault_names
from scanner.lab.machines.chef_backend.cluster import CommandOutput, read_backends
from scanner.lab.machines.chef_backend.host import read_linux
from scanner.lab.machines.windows.script import Machine, MachineError
from scanner.lab.machines.windows.shell import DEFAULT_SHELLS
from scanner.lab.scenario_model import (
    DEFAULT_SQL_VERSION,
    ClusterScenario,
    Expectation,
    ExpectedResult,
    NodeScenario,
    Scenario,
    SqlPort,
)
from scanner.lab.servers.tds.responder import FAULTS as TDS_FAULTS
from scanner.lab.servers.tds.responder import parse_sql_version
from scanner.lab.servers.tds.server import FAULTS as SQL_FAULTS
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.tables import ScenarioError, choice, format_key, get, known_keys, subtable, subtables, texts
from scanner.loading.registry import load_registry

_ACCEPTED = ("waivers", "attestations")
_TOP_KEYS = ("title", "about", "extends", "clusters", "run", *_ACCEPTED, "expect")
_CLUSTER_KEYS = ("product", "inventory", "defaults", "nodes", "absent")
_NODE_KEYS = (
    *("roles", "inventory", "windows", "chef", "linux", "answers", "slow", "expect"),
    *("fault", "scheme", "auth", "login", "account", "default_shell", "tds", "absent"),
)
_RESULT_KEYS = ("check", "cluster", "node", "status", "message")
_STATUSES = ("fail", "error", "warn", "waived", "skip")


def deep_merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: tables key by key, anything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = deep_merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def read_scenario(name: str, table: Mapping[str, object]) -> Scenario:
    """The scenario that `table` (with its `extends` already merged in) describes. Raises ScenarioError."""
    known_keys(table, _TOP_KEYS, "")
    clusters = tuple(
        _cluster(cluster, rows, f"clusters.{cluster}")
        for cluster, rows in subtables(table, "clusters", "").items()
        if not get(rows, "absent", False, f"clusters.{cluster}")
    )
    if not any(cluster.nodes for cluster in clusters):
        raise ScenarioError("clusters", "a scenario needs at least one cluster with a node")
    title = get(table, "title", "", "")
    if not title:
        raise ScenarioError("title", "say in one line what the scenario is about")
    return Scenario(
        name=name,
        title=title,
        clusters=clusters,
        about=get(table, "about", "", "").strip(),
        run=subtable(table, "run", ""),
        accepted={name: table[name] for name in _ACCEPTED if name in table},
        expect=_expectation(subtable(table, "expect", ""), clusters) if "expect" in table else None,
    )


def _cluster(name: str, table: Mapping[str, object], place: str) -> ClusterScenario:
    known_keys(table, _CLUSTER_KEYS, place)
    products = load_registry()[2].by_name
    product = choice(get(table, "product", "", place), products, f"{place}.product")
    defaults = subtable(table, "defaults", place)
    tables = {
        node: deep_merge(defaults, row)
        for node, row in subtables(table, "nodes", place).items()
        if not get(row, "absent", False, f"{place}.nodes.{node}")
    }
    for row in tables.values():
        _match_database(row, tables.values())
    backends = {}
    if product == "chef-backend":
        backends = read_backends(
            {
                node: subtable(row, "chef", f"{place}.nodes.{node}")
                for node, row in tables.items()
                if "backend" in (roles := texts(row, "roles", f"{place}.nodes.{node}"))
                or ("chef" in row and "frontend" not in roles)
            },
            place,
        )
    nodes = tuple(_node(name, products[product], node, row, f"{place}.nodes.{node}") for node, row in tables.items())
    inventory = subtable(table, "inventory", place)
    wanted = expected.expectations_of({name: inventory})
    if wanted:
        nodes = tuple(_with_answers(node, tables[node.name], wanted, f"{place}.nodes.{node.name}") for node in nodes)
    return ClusterScenario(name=name, product=product, nodes=nodes, inventory=inventory, backends=backends)


def _with_answers(
    node: NodeScenario, table: Mapping[str, object], wanted: Sequence[own.Expectation], place: str
) -> NodeScenario:
    """The node with its answers to what the inventory expects of its own."""
    states = subtables(table, "expect", place)
    expected.check_states(states, wanted, f"{place}.expect")
    if node.machine is None:
        return replace(node, answers={**expected.printed(states, wanted), **node.answers})
    values, errors = expected.canned(states, wanted)
    canned = {**values, **node.machine.canned}
    return replace(node, machine=replace(node.machine, canned=canned, errors={**errors, **node.machine.errors}))


def _node(cluster: str, product: Product, name: str, table: Mapping[str, object], place: str) -> NodeScenario:
    known_keys(table, _NODE_KEYS, place)
    inventory = subtable(table, "inventory", place)
    transport = str(inventory.get("transport", product.transports[0]))
    choice(transport, ("winrm", "ssh", "tds"), f"{place}.inventory.transport")
    windows = product.platform == "windows" and (transport != "tds" or "sql_user" in inventory)
    linux = ("chef", "linux", "answers", "slow")
    foreign = {
        "winrm": (*linux, "login", "default_shell"),
        "ssh": ("scheme", "auth", "account", *(linux if windows else ("windows", "default_shell"))),
        "tds": ("fault",),
    }
    for key in foreign[transport]:
        if key in table:
            raise ScenarioError(f"{place}.{key}", f"says nothing about a node that is reached over {transport}")
    fault = get(table, "fault", "", place)
    if fault:
        known = [
            name for name in fault_names.BY_TRANSPORT[transport] if not windows or name not in fault_names.OF_LINUX
        ]
        choice(fault, known, f"{place}.fault")
    return NodeScenario(
        cluster=cluster,
        name=name,
        roles=texts(table, "roles", place),
        transport=transport,
        inventory=inventory,
        fault=fault,
        scheme=choice(get(table, "scheme", "https", place), ("https", "http"), f"{place}.scheme"),
        auth=choice(get(table, "auth", "ntlm", place), ("ntlm", "basic", "certificate"), f"{place}.auth"),
        login=choice(get(table, "login", "key", place), ("key", "password"), f"{place}.login"),
        account=choice(get(table, "account", "administrator", place), tuple(Right), f"{place}.account"),
        default_shell=choice(get(table, "default_shell", "cmd", place), DEFAULT_SHELLS, f"{place}.default_shell"),
        machine=_machine(name, table, place) if windows else None,
        linux=read_linux(subtable(table, "linux", place), f"{place}.linux"),
        answers=_answers(table, place),
        error_output=_error_output(table, place),
        slow={
            key: get(subtable(table, "slow", place), key, 0.0, f"{place}.slow")
            for key in subtable(table, "slow", place)
        },
        sql_port=_sql_port(table, place),
    )


def _match_database(row: dict[str, Any], nodes: Iterable[Mapping[str, Any]]) -> None:
    """Let the database of a machine have the version that most web nodes have, unless it says another."""
    windows = row.get("windows")
    found = [found for node in nodes if isinstance(found := node.get("windows"), Mapping)]
    installed = [one[0] if isinstance(one, list) else one for each in found if (one := each.get("app_version"))]
    if installed and isinstance(windows, Mapping) and "sql" in windows:
        row["windows"] = {"database_version": Counter(map(str, installed)).most_common(1)[0][0], **windows}


def _machine(name: str, table: Mapping[str, object], place: str) -> Machine:
    try:
        return Machine.from_table({"computer_name": name.upper()[:15], **subtable(table, "windows", place)})
    except MachineError as error:
        raise ScenarioError(f"{place}.windows", str(error)) from None


def _answers(table: Mapping[str, object], place: str) -> dict[str, CommandOutput]:
    answers = {}
    for probe, row in subtables(table, "answers", place).items():
        here = f"{place}.answers.{probe}"
        known_keys(row, ("output", "error_output", "exit"), here)
        if set(row) == {"error_output"}:
            continue
        exit_code = get(row, "exit", 0, here)
        if not 0 <= exit_code <= 255:
            raise ScenarioError(f"{here}.exit", "expected 0 to 255")
        answers[probe] = CommandOutput(get(row, "output", "", here), exit_code, get(row, "error_output", "", here))
    return answers


def _error_output(table: Mapping[str, object], place: str) -> dict[str, str]:
    """Of the probes that nothing else is said of: the node itself answers these."""
    return {
        probe: get(row, "error_output", "", f"{place}.answers.{probe}")
        for probe, row in subtables(table, "answers", place).items()
        if set(row) == {"error_output"}
    }


def _sql_port(table: Mapping[str, object], place: str) -> SqlPort | None:
    if "tds" not in table:
        return None
    row = subtable(table, "tds", place)
    here = format_key(place, "tds")
    known_keys(row, ("version", "fault", "instance", "strict", "routes"), here)
    fault = get(row, "fault", "", here)
    version = get(row, "version", DEFAULT_SQL_VERSION, here)
    try:
        parse_sql_version(version)
    except ValueError as error:
        raise ScenarioError(f"{here}.version", str(error)) from None
    return SqlPort(
        version=version,
        fault=choice(fault, tuple(dict.fromkeys((*TDS_FAULTS, *SQL_FAULTS))), f"{here}.fault") if fault else "",
        instance=get(row, "instance", "", here),
        strict=get(row, "strict", False, here),
        routes=get(row, "routes", False, here),
    )


def _expectation(table: Mapping[str, object], clusters: tuple[ClusterScenario, ...]) -> Expectation:
    known_keys(table, ("exit_code", "results", "phase"), "expect")
    if "exit_code" not in table:
        raise ScenarioError("expect.exit_code", "is missing")
    exit_code = get(table, "exit_code", 0, "expect")
    if exit_code not in (0, 1, 2, 3):
        raise ScenarioError("expect.exit_code", f"{exit_code} is none of 0, 1, 2, 3")
    rows: list[object] = get(table, "results", [], "expect")
    phase = choice(get(table, "phase", "before", "expect"), PHASES, "expect.phase")
    return Expectation(exit_code, tuple(_expected(row, number, clusters) for number, row in enumerate(rows)), phase)


def _expected(row: object, number: int, clusters: tuple[ClusterScenario, ...]) -> ExpectedResult:
    here = f"expect.results[{number}]"
    if not isinstance(row, Mapping):
        raise ScenarioError(here, "expected a table")
    known_keys(row, _RESULT_KEYS, here)
    names = {cluster.name for cluster in clusters}
    nodes = {node.name for cluster in clusters for node in cluster.nodes}
    check = get(row, "check", "", here)
    message = get(row, "message", "", here)
    if not check or not message:
        raise ScenarioError(here, "`check` and `message` are needed")
    return ExpectedResult(
        check=check,
        status=choice(get(row, "status", "", here), _STATUSES, f"{here}.status"),
        message=message,
        node=choice(get(row, "node", "", here), nodes, f"{here}.node") if "node" in row else None,
        cluster=choice(get(row, "cluster", "", here), names, f"{here}.cluster") if "cluster" in row else None,
    )

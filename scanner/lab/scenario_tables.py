"""From a scenario's TOML tables to its model, every value checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Annotated, Any

from checks.common.dataclass import dataclass
from checks.engine.expect import model as own
from checks.product import Product
from reports.codec.shape import Form, one_of, whole
from scanner.lab import expected, fault_names
from scanner.lab.machines.chef_backend.cluster import CommandOutput, read_backends
from scanner.lab.machines.chef_backend.host import LinuxNode
from scanner.lab.machines.windows.machine import Machine
from scanner.lab.machines.windows.shell import DEFAULT_SHELLS
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.scenario_model import ClusterScenario, Expectation, NodeScenario, Scenario, SqlPort
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.tables import CLOSED, ScenarioError, choice, read_table
from scanner.loading.registry import load_registry

_Table = Mapping[str, Any]
_ACCEPTED = ("waivers", "attestations")


def _exit_code(value: object) -> int:
    if not 0 <= (code := whole(value)) <= 255:
        raise ValueError
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A literal answer; of what a node answers by itself, where only `error_output` is said."""

    output: str | None = None
    error_output: str | None = None
    exit: Annotated[int, Form("0 to 255", _exit_code, {})] | None = None

    @property
    def is_aside(self) -> bool:
        """Whether it goes beside the node's own answer."""
        return self.error_output is not None and self.output is None and self.exit is None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    roles: tuple[str, ...] = ()
    inventory: _Table = field(default_factory=dict)
    windows: _Table = field(default_factory=dict)
    chef: _Table = field(default_factory=dict)
    linux: Annotated[LinuxNode, CLOSED] = field(default_factory=LinuxNode)
    answers: Mapping[str, Annotated[_Answer, CLOSED]] = field(default_factory=dict)
    slow: Mapping[str, float] = field(default_factory=dict)
    expect: Mapping[str, _Table] = field(default_factory=dict)
    fault: str = ""
    scheme: Annotated[str, one_of("https", "http")] = "https"
    auth: Annotated[str, one_of("ntlm", "basic", "certificate")] = "ntlm"
    login: Annotated[str, one_of("key", "password")] = "key"
    account: Annotated[str, one_of(*map(str, Right))] = "administrator"
    default_shell: Annotated[str, one_of(*DEFAULT_SHELLS)] = "cmd"
    tds: Annotated[SqlPort, CLOSED] | None = None
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    product: str = ""
    inventory: _Table = field(default_factory=dict)
    defaults: _Table = field(default_factory=dict)
    nodes: Mapping[str, _Table] = field(default_factory=dict)
    absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scenario:
    title: str = ""
    about: str = ""
    extends: str = ""
    clusters: Mapping[str, Annotated[_Cluster, CLOSED]] = field(default_factory=dict)
    run: _Table = field(default_factory=dict)
    waivers: Any = None
    attestations: Any = None
    expect: Annotated[Expectation, CLOSED] | None = None


def deep_merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: tables key by key, anything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = deep_merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def read_scenario(name: str, table: Mapping[str, object]) -> Scenario:
    """The scenario that `table` (with its `extends` already merged in) describes. Raises ScenarioError."""
    read = read_table(_Scenario, table, "")
    clusters = tuple(
        _cluster(cluster, rows, f"clusters.{cluster}") for cluster, rows in read.clusters.items() if not rows.absent
    )
    if not any(cluster.nodes for cluster in clusters):
        raise ScenarioError("clusters", "a scenario needs at least one cluster with a node")
    if not read.title:
        raise ScenarioError("title", "say in one line what the scenario is about")
    if read.expect:
        _check_places(read.expect, clusters)
    return Scenario(
        name=name,
        title=read.title,
        clusters=clusters,
        about=read.about.strip(),
        run=read.run,
        accepted={name: table[name] for name in _ACCEPTED if name in table},
        expect=read.expect,
    )


def _cluster(name: str, cluster: _Cluster, place: str) -> ClusterScenario:
    products = load_registry()[2].by_name
    product = choice(cluster.product, products, f"{place}.product")
    there = {node: row for node, row in cluster.nodes.items() if row.get("absent") is not True}
    tables = {node: deep_merge(cluster.defaults, row) for node, row in there.items()}
    for table in tables.values():
        _match_database(table, tables.values())
    rows = {node: read_table(_Node, table, f"{place}.nodes.{node}") for node, table in tables.items()}
    backends = {}
    if product == "chef-backend":
        chefs = {
            node: row.chef
            for node, row in rows.items()
            if "backend" in row.roles or ("chef" in tables[node] and "frontend" not in row.roles)
        }
        backends = read_backends(chefs, place)
    wanted = expected.expectations_of({name: cluster.inventory})
    nodes = []
    for node, row in rows.items():
        here = f"{place}.nodes.{node}"
        _refuse_strays(products[product], row, tables[node], here)
        made = _node(name, products[product], node, row, here)
        nodes.append(_with_answers(made, row, wanted, here) if wanted else made)
    return ClusterScenario(
        name=name, product=product, nodes=tuple(nodes), inventory=cluster.inventory, backends=backends
    )


def _with_answers(node: NodeScenario, row: _Node, wanted: Sequence[own.Expectation], place: str) -> NodeScenario:
    """The node with its answers to what the inventory expects of its own."""
    states = row.expect
    expected.check_states(states, wanted, f"{place}.expect")
    if node.machine is None:
        return replace(node, answers={**expected.printed(states, wanted), **node.answers})
    values, errors = expected.canned(states, wanted)
    canned = {**values, **node.machine.canned}
    return replace(node, machine=replace(node.machine, canned=canned, errors={**errors, **node.machine.errors}))


def _transport(product: Product, row: _Node) -> str:
    return str(row.inventory.get("transport", product.transports[0]))


def _is_windows(product: Product, row: _Node) -> bool:
    return product.platform == "windows" and (_transport(product, row) != "tds" or "sql_user" in row.inventory)


def _refuse_strays(product: Product, row: _Node, table: Mapping[str, object], place: str) -> None:
    """Refuse what says nothing about a node that is reached like this one."""
    transport, windows = _transport(product, row), _is_windows(product, row)
    choice(transport, ("winrm", "ssh", "tds"), f"{place}.inventory.transport")
    linux = ("chef", "linux", "answers", "slow")
    foreign = {
        "winrm": (*linux, "login", "default_shell"),
        "ssh": ("scheme", "auth", "account", *(linux if windows else ("windows", "default_shell"))),
        "tds": ("fault",),
    }
    for key in foreign[transport]:
        if key in table:
            raise ScenarioError(f"{place}.{key}", f"says nothing about a node that is reached over {transport}")
    known = fault_names.BY_TRANSPORT[transport]
    if row.fault:
        choice(row.fault, [one for one in known if not windows or one not in fault_names.OF_LINUX], f"{place}.fault")


def _node(cluster: str, product: Product, name: str, row: _Node, place: str) -> NodeScenario:
    literal = {probe: one for probe, one in row.answers.items() if not one.is_aside}
    return NodeScenario(
        cluster=cluster,
        name=name,
        roles=row.roles,
        transport=_transport(product, row),
        inventory=row.inventory,
        fault=row.fault,
        scheme=row.scheme,
        auth=row.auth,
        login=row.login,
        account=row.account,
        default_shell=row.default_shell,
        machine=_machine(name, row.windows, place) if _is_windows(product, row) else None,
        linux=row.linux,
        answers={
            probe: CommandOutput(one.output or "", one.exit or 0, one.error_output or "")
            for probe, one in literal.items()
        },
        error_output={probe: one.error_output or "" for probe, one in row.answers.items() if one.is_aside},
        slow=row.slow,
        sql_port=row.tds,
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
        return read_windows({"computer_name": name.upper()[:15], **table})
    except ScenarioError as error:
        raise ScenarioError(f"{place}.windows", str(error)) from None


def _check_places(expect: Expectation, clusters: Iterable[ClusterScenario]) -> None:
    """Refuse a result of a node or cluster that there is not."""
    names = {cluster.name for cluster in clusters}
    nodes = {node.name for cluster in clusters for node in cluster.nodes}
    for number, row in enumerate(expect.results):
        for key, name, known in (("node", row.node, nodes), ("cluster", row.cluster, names)):
            if name is not None:
                choice(name, known, f"expect.results[{number}].{key}")

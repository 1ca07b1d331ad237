"""A site at night: the lab's machines behind doors without a network, and what each step of a plan does to them.

All but the wires is the product's own: inventory, command line, scripts, readers, judging. So a whole
night is walked through in seconds, with a look after every step.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from checks.runbook.model import Step
from scanner.inventory.model import Node
from scanner.inventory.writing.toml_text import dumps
from scanner.lab.machines.chef_backend.frontend import level_of
from scanner.lab.machines.chef_backend.host import LinuxNode
from scanner.lab.machines.linux import sh_answers
from scanner.lab.machines.linux.sh_node import ShNode
from scanner.lab.machines.windows import script as windows
from scanner.lab.scenario import load_scenario
from scanner.lab.scenario_model import ClusterScenario, NodeScenario, Scenario
from scanner.loading.registry import load_registry
from scanner.run import node as gather
from scanner.transports.protocol import ConnectionCost, TransferTimes

Table = dict[str, Any]
OLD, NEW = "27d 9h 51m 38s", "0d 0h 1m 0s"
_SWITCH = re.compile(r'appcmd\.exe (stop|start) apppool /apppool\.name:"([^"]*)"')
_BACKUP = re.compile(r"BACKUP DATABASE .* TO DISK = N'([^']*)'")
_FRONTEND_SERVICES = (
    *("nginx", "oc_bifrost", "oc_id", "opscode-erchef", "redis_lb", "bookshelf"),
    *("haproxy", "opscode-expander", "opscode-solr4", "rabbitmq"),
)
NEW_FRONTEND = "15.10.12-1.el7"


class _Door:
    """What stands for a connection: the node's own machine, asked at once."""

    def __init__(self, cluster: ClusterScenario, node: NodeScenario) -> None:
        self.usage, self.moments = ConnectionCost(), TransferTimes()
        self._cluster, self._node = cluster, node

    def run(self, script: str, variables: Mapping[str, str] = {}) -> bytes:
        del variables
        probes = load_registry()[1]
        self.usage.commands += 1
        if self._node.machine:
            return windows.run_script(script, self._node.machine, probes).stdout
        known = {probe.id: probe for probe in probes if probe.language == "sh"}
        answers = partial(sh_answers.answer, self._node, self._cluster, {})
        shell = ShNode(known, answers, {}, clock=self._node.linux.date)
        pieces = shell.run("sh -s", script.encode("utf-8", "surrogateescape"), wait=lambda _: None)
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))

    def close(self) -> None:
        """Nothing is open."""


class Site:
    """One cluster, its inventory, and how it stands by now."""

    def __init__(self, folder: Path, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.table = folder, table
        ((self.cluster, _),) = table["clusters"].items()
        self.kept: dict[str, Any] = {}
        """What a step took away and a later one brings back."""
        self._scenario: Scenario | None = None
        monkeypatch.setenv("NIGHT_PASSWORD", "not looked at")
        monkeypatch.setattr(gather, "_open_transport", self._door)

    @property
    def nodes(self) -> Table:
        found: Table = self.table["clusters"][self.cluster]["nodes"]
        return found

    def of_role(self, role: str) -> list[str]:
        return [name for name, node in self.nodes.items() if role in node["roles"]]

    def write(self) -> Path:
        """The inventory as it is by now, and the machines with it."""
        file = self.folder / "scenario.toml"
        file.write_text(dumps(self.table), encoding="utf-8")
        self._scenario = load_scenario(file)
        login = {"user": "x", "password_env": "NIGHT_PASSWORD"}
        (cluster,) = self._scenario.clusters
        nodes = {
            node.name: {"host": f"{node.name}.example", "roles": list(node.roles), **node.inventory}
            for node in cluster.nodes
        }
        defaults = {"winrm": login} if cluster.product == "secret-server" else {"ssh": {**login, "agent": False}}
        clusters = {cluster.name: {"product": cluster.product, **cluster.inventory, "nodes": nodes}}
        inventory = self.folder / "inventory.toml"
        inventory.write_text(dumps({"defaults": defaults, "clusters": clusters}), encoding="utf-8")
        return inventory

    def _door(self, node: Node, *_: object) -> _Door:
        assert self._scenario
        (cluster,) = self._scenario.clusters
        return _Door(cluster, next(one for one in cluster.nodes if one.name == node.name))

    def otherwise(self, act: Act, step: Step, **swapped: str) -> Table:
        """The table as it would be had `act` been done, with nodes taken for each other by mistake."""
        before = copy.deepcopy(self.table)
        act(self, step, swapped)
        after, self.table = self.table, before
        return after


Act = Callable[[Site, Step, Mapping[str, str]], None]
"""What a step does to the site; the mapping takes one node for another, as somebody tired does."""


def table_of(path: Path) -> Table:
    """A scenario's table, with each node's own part to write into."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    for cluster in table["clusters"].values():
        for node in cluster["nodes"].values():
            for key in ("windows",) if cluster["product"] == "secret-server" else ("chef", "linux"):
                if key != "chef" or "backend" in node["roles"]:
                    defaults = cluster.get("defaults", {}).get(key, {})
                    node[key] = copy.deepcopy({**defaults, **node.get(key, {})})
        cluster.pop("defaults", None)
    return table


def _where(step: Step, swapped: Mapping[str, str], *, proof: bool = False) -> list[str]:
    """The nodes that a step's commands, or those of its proof, are typed on."""
    commands = step.proof.commands if proof and step.proof else step.commands
    return [swapped.get(one.where, one.where) for one in commands if one.where]


def _windows(site: Site, name: str) -> Table:
    found: Table = site.nodes[name]["windows"]
    return found


def _database(site: Site) -> Table:
    (name,) = site.of_role("database")[:1]
    web = _windows(site, site.of_role("web")[0])
    usual = [{"hours_ago": 10}, {"kind": "log", "hours_ago": 1}]
    databases = _windows(site, name)["sql"][0].setdefault("databases", [{"version": web["app_version"]}])
    found: Table = databases[0]
    found.setdefault("backups", usual)
    return found


def _level(package: str) -> str:
    """The migration-level of a version of Chef Infra Server."""
    return level_of(LinuxNode(package=package))


def _to(step: Step) -> str:
    found = re.search(r"\bto (\d+(?:\.\d+)+)", step.title)
    assert found, step.title
    return found[1]


def _pools(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for command in step.commands:
        if switched := _SWITCH.search(command.text):
            states = _windows(site, swapped.get(command.where, command.where)).setdefault("pool_states", {})
            states[switched[2]] = 3 if switched[1] == "stop" else 1


def _back_up_database(site: Site, step: Step, _: Mapping[str, str]) -> None:
    device = next(found[1] for command in step.commands if (found := _BACKUP.search(command.text)))
    kept = _database(site)["backups"]
    kept.append({"hours_ago": min(float(one["hours_ago"]) for one in kept) - 0.05, "device": device, "copy_only": True})


def _keys(*, same: bool) -> Act:
    def act(site: Site, _: Step, __: Mapping[str, str]) -> None:
        for name in site.of_role("web"):
            was = _windows(site, name).get("encryption_config", {})
            efs = isinstance(was, dict) and was.get("efs", False)
            text = "the plain key" if same else f"protected on {name}"
            _windows(site, name)["encryption_config"] = {"text": text, "efs": efs}

    return act


def _upgrade_first(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in set(_where(step, swapped)):
        _windows(site, name)["app_version"] = _to(step)
    _database(site)["version"] = _to(step)


def _copy_application(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    source = _where(step, {})[0]
    for name in _where(step, swapped, proof=True):
        _windows(site, name)["app_version"] = _windows(site, source)["app_version"]


def _dotnet(version: str) -> Act:
    def act(site: Site, _: Step, __: Mapping[str, str]) -> None:
        for name in site.of_role("web"):
            _windows(site, name)["dotnet"] = version

    return act


def _iis(**settings: object) -> Act:
    def act(site: Site, _: Step, __: Mapping[str, str]) -> None:
        for name in site.of_role("web"):
            _windows(site, name).setdefault("iis", {}).update(settings)

    return act


def _authentication(site: Site, _: Step, __: Mapping[str, str]) -> None:
    site.table["clusters"][site.cluster]["inventory"]["integrated_windows_auth"] = True
    for name in site.of_role("web"):
        _windows(site, name).setdefault("iis", {})["authentication"] = {"windows": "true", "anonymous": "false"}


def _failover(state: str) -> Act:
    def act(site: Site, _: Step, __: Mapping[str, str]) -> None:
        site.table["clusters"][site.cluster]["inventory"]["failover"] = state

    return act


def _install(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    version = re.search(r"Chef Backend (\d+(?:\.\d+)+)", step.title)
    assert version
    for name in set(_where(step, swapped)):
        node = site.nodes[name]
        node["chef"] |= {"version": version[1], "uptime": OLD}
        node["linux"] |= {"package": f"{version[1]}-1", "installed_days_ago": 0.01}


def _upgrade_backend(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in set(_where(step, swapped)):
        site.nodes[name]["chef"] |= {"uptime": NEW, "services": {}}


def _upgrade_leader(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    _upgrade_backend(site, step, swapped)
    (name,) = set(_where(step, swapped))
    for other in site.of_role("backend"):
        site.nodes[other]["chef"]["role"] = "follower"
    heir = next(other for other in site.of_role("backend") if other != name)
    site.nodes[heir]["chef"]["role"] = "leader"


def _services(state: str, *names: str) -> Act:
    def act(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
        # A switch of the whole cluster stands beside them, and is typed on one node alone.
        own = [one for one in step.commands if "failover" not in one.text]
        for name in {swapped.get(one.where, one.where) for one in own}:
            services = site.nodes[name]["chef"].setdefault("services", {})
            for service in names:
                services[service] = "down"
                if state == "run":
                    del services[service]

    return act


def _stop_frontends(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for command in step.commands:
        if command.text.endswith("chef-server-ctl stop"):
            site.nodes[swapped.get(command.where, command.where)]["linux"]["down"] = list(_FRONTEND_SERVICES)


def _start_frontends(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in set(_where(step, swapped)):
        site.nodes[name]["linux"]["down"] = []


def _delete_index(site: Site, _: Step, __: Mapping[str, str]) -> None:
    for name in site.of_role("backend"):
        site.nodes[name]["linux"]["index"] = "none"


def _define_index(site: Site, _: Step, __: Mapping[str, str]) -> None:
    version = site.nodes[site.of_role("backend")[0]]["chef"]["version"]
    for name in site.of_role("backend"):
        if site.nodes[name]["chef"].get("services", {}).get("elasticsearch") == "down":
            continue
        # What is still there is taken over as it is.
        if site.nodes[name]["linux"].get("index") == "none":
            site.nodes[name]["linux"]["index"] = "6.8.23" if version.startswith("3") else "5.6.16"


def _install_frontend(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in set(_where(step, swapped)):
        linux = site.nodes[name]["linux"]
        site.kept.setdefault(name, linux["package"])
        linux.setdefault("migration_level", _level(linux["package"]))
        linux |= {"package": NEW_FRONTEND, "down": list(_FRONTEND_SERVICES)}


def _upgrade_frontend(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in set(_where(step, swapped)):
        site.nodes[name]["linux"] |= {"down": [], "migration_level": _level(NEW_FRONTEND)}


def _copy_level(site: Site, _: Step, __: Mapping[str, str]) -> None:
    first, *others = site.of_role("frontend")
    linux = site.nodes[first]["linux"]
    for name in others:
        site.nodes[name]["linux"]["migration_level"] = linux.get("migration_level", _level(linux["package"]))


def _leads_to(step: Step) -> str:
    found = re.match(r"Back to (\d+(?:\.\d+)+): ", step.title)
    assert found, step.title
    return found[1]


def _databases(site: Site) -> list[Table]:
    """Each database node's own, the one that is open first."""
    found = [_database(site)]
    found += [_windows(site, name)["sql"][0]["databases"][0] for name in site.of_role("database")[1:]]
    return found


_COPIES = ("replicas", "mirroring", "role", "partner", "asynchronous", "state", "open")


def _end_second_copy(site: Site, _: Step, __: Mapping[str, str]) -> None:
    """What the other servers keep is neither in step with anything nor open."""
    own, *others = _databases(site)
    site.kept["copies"] = [{key: one[key] for key in _COPIES if key in one} for one in (own, *others)]
    for one in (own, *others):
        for key in _COPIES:
            one.pop(key, None)
    for one in others:
        one |= {"state": "RESTORING", "open": False}


def _second_copy_anew(site: Site, _: Step, __: Mapping[str, str]) -> None:
    for one, was in zip(_databases(site), site.kept["copies"], strict=True):
        for key in _COPIES:
            one.pop(key, None)
        one.update(was)


def _restore_database(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    names = site.of_role("database")
    for name in set(_where(step, swapped)):
        _databases(site)[names.index(name)]["version"] = _leads_to(step)


def _application_back(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in set(_where(step, swapped)):
        _windows(site, name)["app_version"] = _leads_to(step)


def _frontend_back(site: Site, step: Step, swapped: Mapping[str, str]) -> None:
    for name in {swapped.get(one.where, one.where) for one in step.commands if one.where in site.nodes}:
        linux = site.nodes[name]["linux"]
        # One that was not upgraded yet stays as it is.
        was = site.kept.get(name, linux["package"])
        linux |= {"package": was, "down": [], "migration_level": _level(was)}


ACTS: Mapping[str, Act] = {
    "turn-dpapi-off": _keys(same=True),
    "turn-dpapi-on": _keys(same=False),
    "back-up-database": _back_up_database,
    "stop-others": _pools,
    "upgrade-first": _upgrade_first,
    "copy-application": _copy_application,
    "start-other": _pools,
    "copy-to-spare": _copy_application,
    "install-dotnet-451": _dotnet("4.5.1"),
    "install-dotnet-48": _dotnet("4.8"),
    "set-pool-pipeline": _iis(mode="Integrated"),
    "set-iis-authentication": _authentication,
    "failover-off": _failover("off"),
    "failover-on": _failover("on"),
    "install-package": _install,
    "install-everywhere": _install,
    "upgrade-backend": _upgrade_backend,
    "upgrade-leader": _upgrade_leader,
    "take-leader-down": _services("down", "postgresql", "leaderl", "etcd", "elasticsearch"),
    "take-followers-down": _services("down", "postgresql", "leaderl", "etcd", "elasticsearch"),
    "upgrade-down-follower": _upgrade_backend,
    "upgrade-down-leader": _upgrade_backend,
    "stop-frontends": _stop_frontends,
    "start-frontends": _start_frontends,
    "stop-elasticsearch": _services("down", "elasticsearch"),
    "start-elasticsearch": _services("run", "elasticsearch"),
    "delete-index": _delete_index,
    "define-index": _define_index,
    "install-first-frontend": _install_frontend,
    "install-other-frontend": _install_frontend,
    "upgrade-first-frontend": _upgrade_frontend,
    "upgrade-other-frontend": _upgrade_frontend,
    "copy-migration-level": _copy_level,
    "back-stop-pools": _pools,
    "back-keep-what-failed": _back_up_database,
    "back-leave-group": _end_second_copy,
    "back-end-mirroring": _end_second_copy,
    "back-restore-database": _restore_database,
    "back-copy-application": _application_back,
    "back-pool-settings": _iis(mode="Classic"),
    "back-start-first": _pools,
    "back-start-others": _pools,
    "back-back-up-for-copy": _back_up_database,
    "back-join-group": _second_copy_anew,
    "back-mirror-again": _second_copy_anew,
    "back-stop-frontends": _stop_frontends,
    "back-configure-frontend": _frontend_back,
}
"""What is done at the steps that change what a scan sees; at the others nothing, or nothing that it looks at."""

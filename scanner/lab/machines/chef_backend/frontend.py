"""What a simulated frontend says of its packages, its services and itself, as its version of Chef Infra Server does."""

from __future__ import annotations

import json

from packaging.version import Version

from checks.chef_backend.installed import package_version
from checks.engine.upgrade_path import FRONTEND_LEVELS
from checks.versions import VersionError
from scanner.lab.machines.chef_backend.cluster import CommandOutput, printed
from scanner.lab.machines.chef_backend.host import Host, LinuxNode
from scanner.probes.chef_backend.frontend_readers import MIGRATION_LEVEL
from scanner.rule_data import load_rules

USUAL = "15.0.9-1.el7"
"""The package of Chef Infra Server, where a scenario says none."""
_WITHOUT_SOLR = Version("14.0")
_LINE = "-------------------"


def version_of(linux: LinuxNode) -> Version:
    """Of Chef Infra Server; where the package's is none, one that is as good as any."""
    try:
        return package_version(linux.package or USUAL)
    except VersionError:
        return package_version(USUAL)


def level_of(linux: LinuxNode) -> str:
    """The last migration of the version."""
    rules = load_rules("chef-backend").of(FRONTEND_LEVELS)
    last = next((rule.requires for rule in rules if rule.applies_to(str(version_of(linux)))), "1.37")
    major, minor = last.split(".")
    return f'{{"major":{major},"minor":{minor}}}'


def package(host: Host) -> CommandOutput:
    """The packages of Chef Infra Server and its add-ons, and the migration-level."""
    linux = host.linux
    installed = linux.package or USUAL
    if installed == "none":
        lines = ["package none"]
    elif linux.manager == "deb":
        lines = [f"deb install ok installed {installed}"]
    else:
        lines = [f"package {installed}", "manager rpm"]
    lines += [*(f"addon {name}" for name in linux.addons), "level"]
    why = {"missing": "No such file or directory", "denied": "Permission denied"}.get(linux.migration_level, "")
    if not why and linux.migration_level != "empty":
        lines.append(linux.migration_level or level_of(linux))
    lines.append(f"code {1 if why else 0}")
    return CommandOutput(printed(lines), error_output=f"cat: {MIGRATION_LEVEL}: {why}\n" if why else "")


def services(host: Host) -> CommandOutput:
    """`chef-server-ctl status`: what runit says of each service, then what connecting to the external ones came to."""
    old = version_of(host.linux) < _WITHOUT_SOLR
    inside = ["bookshelf", "haproxy", "nginx", "oc_bifrost", "oc_id", "opscode-erchef"]
    inside += ["opscode-expander"] if old else []
    own = [_internal(host.linux, at, name) for at, name in enumerate((*inside, "redis_lb"))]
    search = _external(host.linux, "opscode-solr4" if old else "elasticsearch", "http://127.0.0.1:9200")
    # From 14 on the old name of the search prints nothing, on a line of its own.
    outside = [search, "\n" * (not old), _external(host.linux, "postgresql", "127.0.0.1:5432")]
    parts = [_heading("Internal"), *own, _heading("External"), *outside]
    stopped = sum(line.startswith("down:") for line in own)
    return CommandOutput("".join(parts), 3 * stopped % 256)


def _heading(which: str) -> str:
    return printed([_LINE, f" {which} Services ", _LINE])


def _internal(linux: LinuxNode, at: int, name: str) -> str:
    """A service's line; nothing where it is not there."""
    if name in linux.services:
        return f"{linux.services[name]}\n".lstrip("\n")
    log = f"; run: log: (pid {3120 + 11 * at}) 86590s"
    if name in linux.down:
        return f"down: {name}: 3s, normally up{log}\n"
    return f"run: {name}: (pid {9410 + 17 * at}) {86412 - at}s{log}\n"


def _external(linux: LinuxNode, name: str, where: str) -> str:
    if name in linux.services:
        return f"{linux.services[name]}\n".lstrip("\n")
    if name in linux.down:
        return f"down: {name}: failed to connect to {where}: Connection refused\n"
    return f"run: {name}: connected OK to {where}\n"


_ASKED = "where default\nasked https://127.0.0.1:443/_status\n"


def api(host: Host) -> CommandOutput:
    """What a frontend answers to /_status."""
    if "nginx" in host.linux.down:
        return CommandOutput(f"{_ASKED}\ncode 000\n")
    old = version_of(host.linux) < _WITHOUT_SOLR
    behind = {
        "chef_elasticsearch": {"elasticsearch", "opscode-solr4"},
        "chef_sql": {"postgresql"},
        **({"chef_index": set[str]()} if old else {}),
        "oc_chef_authz": {"oc_bifrost"},
    }
    upstreams = {name: "fail" if needs & set(host.linux.down) else "pong" for name, needs in behind.items()}
    failed = "fail" in upstreams.values()
    keygen = {"keys": 10, "max": 10, "max_workers": 2, "cur_max_workers": 2, "inflight": 0, "avail_workers": 2}
    body = {"status": "fail" if failed else "pong", "upstreams": upstreams, "keygen": {**keygen, "start_size": 0}}
    said = json.dumps(body if old else {**body, "indexing": {"mode": "batch"}}, separators=(",", ":"))
    return CommandOutput(f"{_ASKED}{said}\ncode {500 if failed else 200}\n")


def members(host: Host) -> CommandOutput:
    """The line of chef_backend_members in chef-server.rb."""
    if host.linux.members == "none":
        return CommandOutput("asked\n")
    listed = ", ".join(f'"{address}"' for address in host.backends)
    return CommandOutput(f"members {host.linux.members or f'[{listed}]'}\nasked\n")

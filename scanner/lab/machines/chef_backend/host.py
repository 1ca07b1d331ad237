"""What the machines of a simulated Chef Backend cluster say of themselves: packages, files, hardware."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Literal

from checks.common.dataclass import dataclass
from scanner.clock import now_s
from scanner.lab.machines.chef_backend.cluster import Backend, CommandOutput, printed
from scanner.lab.machines.linux import df
from scanner.probes.chef_backend.node_readers import BACKEND_SECRETS, FRONTEND_SECRETS

NOW_S = 1_900_000_000
"""What the simulated nodes' clocks say, seconds since 1970."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxNode:
    """One machine: the keys of a scenario's `linux`. Nothing said is a healthy one, of the version that `chef` says."""

    package: str = ""
    manager: Literal["rpm", "deb"] = "rpm"
    manifest: str = ""
    installed_days_ago: float = 400.0
    staged: str = "the package"
    staged_version: str = "2.3.16-1.el7"
    secrets: str = "the secrets"
    secrets_mode: str = ""
    secrets_owner: str = ""
    strays: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    config_logic: tuple[str, ...] = ()
    leader_answer: str = ""
    migration_level: str = ""
    addons: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    down: tuple[str, ...] = ()
    drbd: tuple[str, ...] = ()
    index: str = "5.6.16"
    disk_gb: int = 100
    free_mb: int = 60_000
    file_system: str = "xfs"
    index_disk: df.IndexDisk = ()
    ahead_s: float = 0.0
    whole_seconds: bool = False
    cores: int = 4
    memory_mib: int = 15_800
    members: str = ""
    foreign: bool = False
    connections: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()

    def date(self) -> str:
        """What `date` prints, seconds since 1970."""
        time_s = now_s() + self.ahead_s
        return str(int(time_s)) if self.whole_seconds else f"{time_s:.9f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine with what its answers depend on."""

    name: str
    linux: LinuxNode
    roles: tuple[str, ...]
    backend: Backend | None
    package: str
    """`package` of the inventory; empty where it declares none."""
    backends: tuple[str, ...] = ()
    """Addresses of the cluster's backends."""

    @property
    def version(self) -> str:
        """The version of the product that it runs."""
        return self.backend.version if self.backend else "15.0.9"


def linux_disks(host: Host) -> CommandOutput:
    """What df says of the machine's file systems."""
    linux = host.linux
    return df.answer(linux.disk_gb, linux.free_mb, linux.file_system, linux.index_disk, backend=bool(host.backend))


def installed_package(host: Host) -> CommandOutput:
    """What rpm or dpkg, and the manifest, say of Chef Backend."""
    linux = host.linux
    at = NOW_S - int(linux.installed_days_ago * _DAY_S)
    version = linux.package or f"{host.version}-1"
    package = f"rpm {version} {at}|" if linux.manager == "rpm" else f"deb install ok installed {version} {at}"
    manifest = linux.manifest or host.version
    path = "/opt/chef-backend/version-manifest.json"
    missing = f"grep: {path}: No such file or directory"
    said = missing if manifest == "none" else f'"build_version": "{manifest}"'
    return CommandOutput(f"{'none' if version == 'none' else package}\nnow {NOW_S}\nmanifest {said}\n")


def staged_package(host: Host) -> CommandOutput:
    """The file that the inventory's `package` names."""
    staged = host.linux.staged
    if not host.package:
        return CommandOutput("undeclared\n")
    if staged == "missing":
        return CommandOutput(f"stat: cannot stat '{host.package}': No such file or directory\n")
    if staged == "denied":
        return CommandOutput(f"stat: cannot stat '{host.package}': Permission denied\n")
    named = f" chef-backend {host.linux.staged_version}" if host.linux.staged_version else ""
    return CommandOutput(f"size 265000000 regular file\nsha256 {_sha256(staged)}  -\nname{named}\n")


def secrets_files(host: Host) -> CommandOutput:
    """`sha256sum` and `stat` of the files of secrets of both roles."""
    lines, errors = [], []
    state = host.linux.secrets
    for role, path, mode, owner in (
        ("backend", BACKEND_SECRETS, "640", "root:chef_pgsql"),
        ("frontend", FRONTEND_SECRETS, "600", "root:root"),
    ):
        if role not in host.roles or state == "missing":
            errors += [f"{tool}: {path}: No such file or directory" for tool in ("sha256sum", "stat")]
        elif state == "denied":
            errors += [f"{tool}: {path}: Permission denied" for tool in ("sha256sum", "stat")]
        else:
            rights = f"{host.linux.secrets_mode or mode}:{host.linux.secrets_owner or owner}".replace(":", "/")
            lines += [f"{_sha256(state)}  {path}", f"{rights}{path}"]
    return CommandOutput(printed(lines), error_output=printed(errors))


def stray_secrets(host: Host) -> CommandOutput:
    """`find` for the backends' file of secrets: `/root` is closed, everything else is open to everybody."""
    own = (BACKEND_SECRETS,) if "backend" in host.roles else ()
    told = () if own else ("find: '/etc/chef-backend': No such file or directory",)
    files = [f"-rw-r--r-- 1 0 0 470 Nov 24 03:30 {path}" for path in (*own, *host.linux.strays)]
    above = {str(folder) for path in (*own, *host.linux.strays) for folder in PurePosixPath(path).parents}
    folders = [
        f"{'drwx------' if folder == '/root' else 'drwxr-xr-x'} 8 0 0 4096 Nov 24 03:30 {folder}"
        for folder in sorted(above - {"/"})
    ]
    return CommandOutput(printed(("form 2", "as root", *files, *folders, "end")), 0 if own else 1, printed(told))


def config_digest(host: Host) -> CommandOutput:
    """The settings of chef-backend.rb, each with a hash of its value."""
    address = host.backend.ip if host.backend else ""
    settings = {"publish_address": address, "postgresql.max_connections": "350", **host.linux.config}
    lines = [f"set {key} {_sha256(value)[:16]}" for key, value in settings.items() if value]
    lines += [f"raw {key} {_sha256(key)[:16]}" for key in host.linux.config_logic]
    return CommandOutput(printed(("form 3", *lines, "end")))


def leader_answer(host: Host) -> CommandOutput:
    """Leaderl's answer: 200 where the backend believes itself the leader."""
    me = host.backend
    role = me.believes.get(me.name, {}).get("role", me.role) if me else ""
    code = "200" if role == "leader" else "503"
    if me and me.services.get("leaderl", "running") != "running":
        code = "000"
    asked = "where default\nasked http://127.0.0.1:7331/leader"
    return CommandOutput(f"{asked}\ncode {host.linux.leader_answer or code}\n")


def chef_traces(host: Host) -> CommandOutput:
    """What there is of the two products: all of what the machine's roles are."""
    lines = [f"name {host.name}"]
    for role, folder, command in (
        ("backend", "chef-backend", "chef-backend-ctl"),
        ("frontend", "opscode", "chef-server-ctl"),
    ):
        if role in host.roles:
            lines += [f"{role} {above}/{folder}" for above in ("/opt", "/etc", "/var/opt")]
            lines += [f"{role} /usr/bin/{command}", f"{role} {command}", f"{role} package"]
    return CommandOutput(printed([*lines, "asked"]))


def linux_connections(host: Host) -> CommandOutput:
    """/proc/net/tcp, as the probe asks for it."""
    own = _words(host.backend.ip) if host.backend else _words("10.0.0.21")
    rows = [
        f"  {number:2}: {own}:{int(port):04X} {_words(peer)}:{51_000 + number:04X} 01 00000000:00000000 02:0000A1B2 "
        f"00000000   998        0 {71_000 + number} 2 0000000000000000 20 4 30 10 -1"
        for number, (peer, _, port) in enumerate(one.rpartition(":") for one in host.linux.connections)
    ]
    return CommandOutput(printed(["table proc x86_64", *rows, "asked"]))


def service_ports(host: Host) -> CommandOutput:
    """What chef-backend.rb says of ports."""
    return CommandOutput(printed([*host.linux.ports, "asked"]))


def _words(address: str) -> str:
    """An IPv4 address as the kernel of a PC prints it."""
    return bytes(reversed(ip_address(address).packed)).hex().upper()


def linux_resources(host: Host) -> CommandOutput:
    """What the kernel counts of processors and memory."""
    return CommandOutput(f"cores {host.linux.cores}\nmemory {host.linux.memory_mib * 1024} kB\n")


def drbd_traces(host: Host) -> CommandOutput:
    """What is there of DRBD and keepalived."""
    return CommandOutput(printed((*host.linux.drbd, "asked")))


def search_index(host: Host) -> CommandOutput:
    """What Elasticsearch says of the index named chef."""
    asked = "where default\nasked http://127.0.0.1:9200/chef/_settings/index.version.created*?human\n"
    if host.linux.index == "none":
        return CommandOutput(f"{asked}\ncode 000\n")
    setting = f'{{"version":{{"created_string":"{host.linux.index}"}}}}'
    return CommandOutput(f'{asked}{{"chef":{{"settings":{{"index":{setting}}}}}}}\ncode 200\n')


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

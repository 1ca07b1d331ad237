"""A whole Chef estate of real machines: three backends, two frontends, with the field's own texts on them."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scanner.lab.servers.certificates import CertificateAuthority
from tests.live.machine import USER, Machine
from tests.user_pages import user_pages

FIELD = Path(__file__).parents[1] / "field" / "chef"
BACKENDS = ("be-north1", "be-north2", "be-north3")
FRONTENDS = ("fe-north1", "fe-north2")
ADDRESSES = {
    **{name: f"10.20.30.4{number}" for number, name in enumerate(BACKENDS, 1)},
    **{name: f"10.20.30.5{number}" for number, name in enumerate(FRONTENDS, 1)},
}
CLUSTER = "north"
CONFIG = "/etc/chef-backend/chef-backend.rb"
SECRETS = "/etc/chef-backend/chef-backend-secrets.json"
FRONTEND_CONFIG = "/etc/opscode/chef-server.rb"
FRONTEND_SECRETS = "/etc/opscode/private-chef-secrets.json"
MIGRATION_LEVEL = "/var/opt/opscode/upgrades/migration-level"
SUDOERS = "/etc/sudoers.d/preflight"
FRONTEND_VERSION = "15.9.38"
MIGRATED_TO = 37
"""The minor number that the migrations of that version end with."""
INDEX = "5.6.16"
CANARY = "hush-9d1c"
"""Stands in every file of secrets."""
HEALTHY_API = json.dumps(
    {
        "status": "pong",
        "upstreams": {"chef_solr": "pong", "chef_sql": "pong", "chef_index": "pong", "oc_chef_authz": "pong"},
        "keygen": {"keys": 10, "max": 10, "max_workers": 2, "cur_max_workers": 2, "inflight": 0, "avail_workers": 2},
    }
)


def field_text(name: str) -> str:
    """A sample."""
    return (FIELD / name).read_bytes().decode()


def sudoers_lines() -> str:
    """The guides' lines for sudoers, to the letter."""
    text = user_pages()
    found = re.search(r"<!-- sudoers:begin -->\n```sudoers\n(.*?)```\n<!-- sudoers:end -->", text, re.DOTALL)
    assert found
    return found[1]


@dataclass(kw_only=True)
class Estate:
    """The machines by name, and how they are asked."""

    folder: Path
    machines: Mapping[str, Machine]
    key: Path
    version: str = ""
    """Of Chef Backend; empty until it is installed."""
    node_keys: dict[str, dict[str, object]] = field(default_factory=dict)
    """Further keys of the inventory's nodes, by name."""

    @property
    def backends(self) -> list[Machine]:
        """Them alone."""
        return [self.machines[name] for name in BACKENDS]

    @property
    def frontends(self) -> list[Machine]:
        """Them alone."""
        return [self.machines[name] for name in FRONTENDS]

    def upgrade(self, version: str) -> None:
        """Have all backends at `version`, by their package manager and by what they say."""
        if version != self.version:
            self._each(self.backends, lambda machine: install(machine, self.folder, "chef-backend", version))
            self.version = version
        self.heal()

    def heal(self) -> None:
        """Put back what a test may have changed."""
        self.node_keys = {}
        self._each(self.backends, lambda machine: heal_backend(machine, self.version))
        self._each(self.frontends, heal_frontend)

    def inventory(self, target: str) -> Path:
        """An inventory as a good administrator writes it."""
        known = self.folder / "known_hosts"
        known.write_text("".join(f"[127.0.0.1]:{each.port} {each.host_key}\n" for each in self.machines.values()))
        lines = [
            "[defaults.ssh]",
            *(f"user = {json.dumps(USER)}", f"key_file = {json.dumps(str(self.key))}"),
            *(f"known_hosts = {json.dumps(str(known))}", 'ssh_config = ""', "agent = false", "sudo = true"),
            *(f"[clusters.{CLUSTER}]", 'product = "chef-backend"', f"target = {json.dumps(target)}"),
        ]
        for name, machine in self.machines.items():
            roles = ["backend" if name in BACKENDS else "frontend"]
            keys = {"host": "127.0.0.1", "port": machine.port, "roles": roles, **self.node_keys.get(name, {})}
            lines += [f"[clusters.{CLUSTER}.nodes.{name}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]  # for these, JSON is TOML
        path = self.folder / "inventory.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    @staticmethod
    def _each(machines: list[Machine], work: Callable[[Machine], None]) -> None:
        with ThreadPoolExecutor(len(machines)) as pool:
            list(pool.map(work, machines))


def install(machine: Machine, folder: Path, name: str, version: str) -> None:
    """Build a tiny package and have the machine's own dpkg install it, as of long ago."""
    package = build(folder, name, version)
    machine.write(f"/var/cache/{package.name}", package.read_bytes())
    machine.run("dpkg", "--force-unsafe-io", "--force-downgrade", "-i", f"/var/cache/{package.name}")
    machine.run("touch", "-d", "@1700000000", f"/var/lib/dpkg/info/{name}.list")


_building = threading.Lock()
_PRODUCTS = {"chef-backend": ("chef-backend", "chef-backend-ctl"), "chef-server-core": ("opscode", "chef-server-ctl")}
_CTL = """\
#!/bin/sh
# Says what the real one was seen to say.
answer=/srv/answers/${1-none}
cat "$answer.err" >&2 2>/dev/null
cat "$answer.out" || exit 1
read -r code <"$answer.exit"
exit "$code"
"""


def build(folder: Path, name: str, version: str) -> Path:
    """A package with the product's folder, its manifests and its command; made once."""
    path = folder / f"{name}_{version}-1_amd64.deb"
    with _building:
        if path.is_file():
            return path
        home, command = _PRODUCTS[name]
        tree = folder / f"{name}-{version}"
        for part in ("DEBIAN", f"opt/{home}/bin", "usr/bin"):
            (tree / part).mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}-1\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\n"
            f"Description: stands in for {name}\n"
        )
        manifest = {"manifest_format": 2, "software": {}, "build_version": version, "build_git_revision": "0" * 40}
        (tree / f"opt/{home}/version-manifest.json").write_text(json.dumps(manifest))
        (tree / f"opt/{home}/version-manifest.txt").write_text(f"{name} {version}\n\nComponent Installed Version\n")
        (tree / f"opt/{home}/bin/{command}").write_text(_CTL)
        (tree / f"opt/{home}/bin/{command}").chmod(0o755)
        (tree / f"usr/bin/{command}").symlink_to(f"/opt/{home}/bin/{command}")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(path)], check=True, capture_output=True)
        return path


def says(machine: Machine, command: str, output: str, errors: str = "", code: int = 0) -> None:
    """What the product's command prints for a subcommand from now on."""
    for ending, text in (("out", output), ("err", errors), ("exit", f"{code}\n")):
        machine.write(f"/srv/answers/{command}.{ending}", text)


def own_config(machine: Machine, sample: str) -> str:
    """A sample of chef-backend.rb as `machine` has it: with its own name and address."""
    text = field_text(sample)
    for number, name in enumerate(BACKENDS, 1):
        text = text.replace(name, machine.name).replace(f"10.20.30.4{number}", machine.address)
    return text


def heal_backend(machine: Machine, version: str) -> None:
    """A healthy backend of `version`, as the field's samples show it."""
    old = tuple(int(part) for part in version.split(".")[:2]) < (1, 4)
    says(machine, "status", field_text("status-1x.txt" if old else "status-2x.txt"))
    says(machine, "cluster-status", field_text("cluster-status.txt"))
    says(machine, "--version", f"{version}\n")
    sample = "backend-generated-be2.rb" if machine.name == BACKENDS[1] else "backend-generated-be1.rb"
    machine.write(CONFIG, own_config(machine, sample), 0o640)
    machine.write(SECRETS, f'{{"postgresql":{{"db_superuser_password":"{CANARY}"}}}}\n', 0o640)
    machine.run("chown", "root:chef_pgsql", SECRETS)
    machine.remove("/var/opt/chef-backend", "/root/strays", "/home/kim", "/home/preflight/.bashrc")
    machine.run("mkdir", "-p", "-m", "750", "/var/opt/chef-backend/leaderl/data", "/var/log/chef-backend")
    machine.write(SUDOERS, sudoers_lines(), 0o440)
    machine.serve(
        {"port": 7331, "answers": {"/leader": leads(machine)}},
        {"port": 9200, "answers": elasticsearch(INDEX)},
    )


def leads(machine: Machine) -> list[object]:
    """What leaderl answers of itself: the first backend of the sample is the leader."""
    return [200 if machine.name == BACKENDS[0] else 503, ""]


def elasticsearch(created: str) -> dict[str, list[object]]:
    """What Elasticsearch answers of its index, which was created by that version."""
    major, minor, patch = (int(part) for part in created.split("."))
    version = {"created_string": created, "created": f"{major}{minor:02}{patch:02}99"}
    settings = {"chef": {"settings": {"index": {"version": version}}}}
    return {"/chef/_settings/index.version.created*": [200, json.dumps(settings)]}


def heal_frontend(machine: Machine) -> None:
    """A healthy frontend with an external PostgreSQL and search, as the field's samples show it."""
    notice = "frontend-status-healthy-pg-notice"
    says(machine, "status", field_text(f"{notice}.stdout.txt"), field_text(f"{notice}.stderr.txt"))
    members = ", ".join(f'"{ADDRESSES[name]}"' for name in BACKENDS)
    text = f"fqdn '{machine.name}'\nuse_chef_backend true\nchef_backend_members [{members}]\n"
    machine.write(FRONTEND_CONFIG, text, 0o640)
    machine.write(FRONTEND_SECRETS, f'{{"postgresql":{{"password":"{CANARY}"}}}}\n', 0o600)
    level = field_text("migration-level.json").replace('"minor":33', f'"minor":{MIGRATED_TO}')
    machine.write(MIGRATION_LEVEL, level)
    machine.write(SUDOERS, sudoers_lines(), 0o440)
    serve_api(machine, 200, HEALTHY_API)


def serve_api(machine: Machine, code: int, body: str, port: int = 443) -> None:
    """What nginx on a frontend answers to /_status."""
    machine.serve({"port": port, "tls": "/srv/frontend.pem", "answers": {"/_status": [code, body]}})


@contextmanager
def running(folder: Path, key: Path) -> Iterator[Estate]:
    """The estate without Chef Backend, which `Estate.upgrade` installs; `key` is what preflight logs in with."""
    with ExitStack() as stack:
        machines = {name: Machine(name=name, address=address, user_key=key) for name, address in ADDRESSES.items()}
        with ThreadPoolExecutor(len(machines)) as pool:
            list(pool.map(stack.enter_context, machines.values()))
        tls = CertificateAuthority(folder / "tls").server()
        for name, machine in machines.items():
            machine.write(SUDOERS, sudoers_lines(), 0o440)
            machine.run("groupadd", "-f", "chef_pgsql")
            if name in FRONTENDS:
                machine.write("/srv/frontend.pem", tls.key.read_bytes() + tls.certificate.read_bytes())
                install(machine, folder, "chef-server-core", FRONTEND_VERSION)
        next(iter(machines.values())).run("visudo", "-c", "-f", SUDOERS)
        yield Estate(folder=folder, machines=machines, key=key)

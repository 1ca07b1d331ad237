"""On what each page of the documentation is typed: which machines answer, and what lies in the working folder.

Names of machines lead to the lab's nodes, so what is typed is what stands on the page. The rest is the same for all
pages: folders of the system are folders of the test, and `pip` looks at what it is to install and leaves it at that.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, parse_scenario
from scanner.lab.servers.ssh.server import SshServer
from scanner.lab.servers.wsman.server import WsmanServer
from tests.test_scanner.terminal import TOP, Terminal

Stage = Callable[[Path], contextlib.AbstractContextManager[Terminal]]

CHEF = """
title = "A cluster that can be discovered, save for a frontend that is asleep"
extends = "chef-frontends"
[clusters.chef.nodes.backend-1.linux]
connections = ["10.0.0.12:5432", "10.0.0.21:5432", "10.0.0.21:9200"]
"""
CHEF_NAMES = {
    "be1.corp.example": "backend-1",
    **{f"10.0.0.1{number}": f"backend-{number}" for number in (1, 2, 3)},
    **{f"10.0.0.2{number}": f"frontend-{number}" for number in (1, 2)},
}
VAULT = """
title = "A vault that can be discovered"
extends = "secret-server-healthy"
[clusters.vault.nodes.web1.windows]
connections = ["10.0.0.31:1433", "10.0.0.7:443"]
computer_name = "WEB1"
[[clusters.vault.nodes.sql1.windows.sql]]
version = "15.0.2000.5"
[[clusters.vault.nodes.sql1.windows.sql.databases]]
sessions = ["WEB1", "WEB2", "WEB3"]
"""
VAULT_NAMES = {**{f"web{number}.corp.example": f"web{number}" for number in (1, 2, 3)}, "10.0.0.31": "sql1"}
PIP = f"""exec "{sys.executable}" - "$@" <<'END'
import pathlib, sys, tomllib
from packaging.requirements import Requirement
project = tomllib.loads(pathlib.Path({str(TOP / "pyproject.toml")!r}).read_text("utf-8"))["project"]
words = iter(sys.argv[1:])
assert next(words) == "install", sys.argv
for word in words:
    if word == "-e":
        assert pathlib.Path(next(words), "pyproject.toml").is_file()
    elif word == "-r":
        assert pathlib.Path(next(words)).is_file()
    else:
        wanted = Requirement(word)
        assert wanted.name == project["name"], word
        assert wanted.extras <= set(project["optional-dependencies"]), word
END"""


@contextlib.contextmanager
def bare(home: Path) -> Iterator[Terminal]:
    """No machine but this one."""
    terminal = Terminal(home)
    terminal.program("pip", PIP)
    terminal.program("python3", f'exec "{sys.executable}" "$@"')
    terminal.words = {
        "/opt/preflight/bin/preflight": "preflight",
        "C:/preflight/Scripts/preflight.exe": "preflight",
        **dict.fromkeys(("/etc/preflight/", "/var/lib/preflight/", "C:/preflight/"), f"{home}/"),
        "/var/lib/node_exporter/textfile/": f"{home}/",
        "/var/www/html/": f"{home}/",
        # Whoever types has a shell of a person's.
        "preflight --install-completion": "exec bash -c 'preflight --install-completion; exit $?'",
    }
    try:
        yield terminal
    finally:
        terminal.end()


def lab_of(scenario: str) -> Stage:
    """A lab's inventory in the working folder, as `inventory.toml`."""

    @contextlib.contextmanager
    def stage(home: Path) -> Iterator[Terminal]:
        with Lab(load_scenario(scenario)) as lab, bare(home) as terminal:
            lab.write(home)
            yield terminal

    return stage


@contextlib.contextmanager
def two_sites(home: Path) -> Iterator[Terminal]:
    """A site of each product behind its names, known and trusted as on a machine that is set up for them."""
    vault, names = parse_scenario(VAULT), tuple(VAULT_NAMES)
    with Lab(parse_scenario(CHEF)) as chef, Lab(vault, names=names) as windows, bare(home) as terminal:
        chef.write(home / "chef")
        windows.write(home / "vault")
        ports = dict(known(chef, home)) | {
            name: server.port
            for name, node in VAULT_NAMES.items()
            if isinstance(server := windows.node(node).server, WsmanServer)
        }
        terminal.names(ports)
        terminal.environment["SSL_CERT_FILE"] = str(home / "vault" / "ca.pem")
        terminal.password = (home / "vault" / "password").read_text("utf-8").strip()
        terminal.words = {**terminal.words, "CORP\\svc-preflight": "preflight", "~/.ssh/config": "ssh_config"}
        for file in ("list.json", "ssh_config"):
            shutil.copy(TOP / "tests" / "field" / "ansible" / file, home)
        (home / "list.json").rename(home / "hosts.json")
        yield terminal


def known(chef: Lab, home: Path) -> Iterator[tuple[str, int]]:
    """Names and ports of the lab's backends and frontends, whose keys `home` knows as ssh does, and has one for."""
    (home / ".ssh").mkdir(mode=0o700)
    shutil.copy(home / "chef" / "id_ed25519", home / ".ssh" / "id_ed25519")
    lines = []
    for name, node in CHEF_NAMES.items():
        server = chef.node(node).server
        assert isinstance(server, SshServer)
        lines.append(f"{name} {server.host_key}\n")
        yield name, server.port
    (home / ".ssh" / "known_hosts").write_text("".join(lines), encoding="utf-8")


@contextlib.contextmanager
def nights(home: Path) -> Iterator[Terminal]:
    """A vault, two histories of other sites, and the units where systemd looks for them."""
    with lab_of("secret-server-healthy")(home) as terminal:
        for site in ("paris", "oslo"):
            assert terminal.ended(f"preflight scan -q inventory.toml --history {site}.db") == (0, "")
        units = home / "root" / "etc" / "systemd" / "system"
        units.mkdir(parents=True)
        for kind in ("service", "timer"):
            text = f"[Unit]\nDescription=the page's\n[Install]\nWantedBy={kind}s.target\n"
            (units / f"preflight-drift.{kind}").write_text(text, encoding="utf-8")
        if shutil.which("systemctl", path="/usr/bin:/bin"):
            terminal.words = {**terminal.words, "systemctl enable --now": f"systemctl --root={home}/root enable"}
        else:
            terminal.program("systemctl", 'test "$1 $2 $3" = "enable --now preflight-drift.timer"')
        yield terminal


@contextlib.contextmanager
def checkout(home: Path) -> Iterator[Terminal]:
    """What lies in a checkout, with one small test for all."""
    for name in ("pyproject.toml", "requirements-dev.txt", "checks", "reports", "scanner"):
        (home / name).symlink_to(TOP / name)
    (home / "tests").mkdir()
    (home / "tests" / "test_small.py").write_text("def test_small():\n    assert True\n", encoding="utf-8")
    with bare(home) as terminal:
        terminal.program(
            "py", "mkdir -p .venv/bin && cp bin/pip bin/preflight .venv/bin && cp bin/python3 .venv/bin/python"
        )
        terminal.words = {**terminal.words, ".venv\\Scripts\\": ".venv/bin/"}
        yield terminal


@contextlib.contextmanager
def front_page(home: Path) -> Iterator[Terminal]:
    """README: as a guide, and `make` says what it would do."""
    with two_sites(home) as terminal:
        terminal.words = {**terminal.words, "make ": f"make -n -C {TOP} "}
        yield terminal


STAGES: dict[str, Stage] = {
    "README.md": front_page,
    "docs/tutorial.md": bare,
    "docs/guides/air-gapped.md": lab_of("chef-healthy"),
    "docs/guides/ci.md": lab_of("chef-healthy"),
    "docs/guides/cron.md": lab_of("chef-healthy"),
    "docs/guides/install.md": checkout,
    "docs/guides/lab.md": bare,
    "docs/guides/nightly.md": nights,
    "docs/guides/plan.md": lab_of("backups"),
    "docs/guides/scan.md": two_sites,
    # Its scheduler, workers and scan are typed by tests/live/test_dask_live.py.
    "docs/guides/sites.md": bare,
}
"""By the page's place in the repository. A page with something to type that is not here is found out."""

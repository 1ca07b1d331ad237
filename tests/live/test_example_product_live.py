"""A product that a package brings, on real OpenSSH servers: scan, baseline, drift, waiver, plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.example_product import TRACKING, VERSION, install, preflight
from tests.live.openssh import OpenSshServer

pytestmark = pytest.mark.live

NAMES = ("time-1", "time-2")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    return install(tmp_path_factory.mktemp("site"))


def say(server: OpenSshServer, version: str = "4.3", leap: str = "Normal") -> None:
    for command, text in (("chronyd", VERSION.format(version)), ("chronyc", TRACKING.format(leap))):
        server.install(command, f"cat <<'END'\n{text}END")


def inventory(folder: Path, servers: list[OpenSshServer], ssh_keys: Path, more: str = "") -> Path:
    known = folder / "known_hosts"
    known.write_text("".join(server.known_hosts.read_text() for server in servers))
    lines = [
        '[clusters.time]\nproduct = "chrony"\ntarget = "4.5"',
        f'user = "{servers[0].user}"\nkey_file = "{ssh_keys / "user_ed25519"}"\nknown_hosts = "{known}"\nsudo = false',
        more,
    ]
    lines += [
        f'[clusters.time.nodes.{name}]\nhost = "127.0.0.1"\nport = {server.port}\nroles = ["server"]'
        for name, server in zip(NAMES, servers, strict=True)
    ]
    path = folder / "inventory.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_a_whole_product_of_a_package_is_scanned_kept_compared_and_planned(
    start_sshd: Callable[..., OpenSshServer], ssh_keys: Path, tmp_path: Path, site: Path
) -> None:
    servers = [start_sshd() for _ in NAMES]
    for server in servers:
        say(server)
    asked = str(inventory(tmp_path, servers, ssh_keys))

    healthy = preflight(site, tmp_path, "scan", asked, "--junit", "r.xml", "--json", "r.json")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    document = json.loads((tmp_path / "r.json").read_text())
    (cluster,) = document["clusters"]
    assert (cluster["product"], cluster["installed"], cluster["target"]) == ("chrony", "4.3", "4.5")
    statuses = {(row["check"], row["node"]): row["status"] for row in document["results"]}
    assert statuses["chrony-supported", "time-1"] == statuses["chrony-synchronized", "time-2"] == "pass"
    assert statuses["stepping-stone", None] == "pass"
    assert statuses["clock-skew", None] in ("pass", "skip")
    assert 'name="chrony-synchronized [time-1]"' in (tmp_path / "r.xml").read_text(encoding="utf-8")

    assert preflight(site, tmp_path, "baseline", asked).returncode == 0
    assert preflight(site, tmp_path, "drift", asked).returncode == 0
    say(servers[1], "4.2", "Not synchronised")
    drifted = preflight(site, tmp_path, "drift", asked)
    assert drifted.returncode == 1, drifted.stdout + drifted.stderr
    assert "chrony-version.version" in drifted.stdout
    assert "chrony-tracking.leap-status" in drifted.stdout

    broken = preflight(site, tmp_path, "scan", asked)
    assert broken.returncode == 1
    assert "not synchronized: Leap status: Not synchronised" in broken.stdout
    waiver = (
        '[[waivers]]\ncheck = "chrony-synchronized"\nnode = "time.time-2"\n'
        'reason = "moved tonight"\nowner = "ops"\nexpires = 2099-01-01\n'
    )
    (tmp_path / "waivers.toml").write_text(waiver)
    waived = preflight(site, tmp_path, "scan", asked, "--waivers", "waivers.toml")
    assert waived.returncode == 0, waived.stdout + waived.stderr

    say(servers[1])
    plan = preflight(site, tmp_path, "plan", asked)
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "chrony 4.3 to 4.5" in plan.stdout
    assert "sudo apt-get install 'chrony=4.5*'" in plan.stdout
    assert "Upgrade time-2, and wait until it is synchronized" in plan.stdout


def test_the_product_s_own_rules_decide_and_the_inventory_overrides_them(
    start_sshd: Callable[..., OpenSshServer], ssh_keys: Path, tmp_path: Path, site: Path
) -> None:
    servers = [start_sshd() for _ in NAMES]
    for server in servers:
        say(server, "3.4")
    asked = inventory(tmp_path, servers, ssh_keys)
    old = preflight(site, tmp_path, "scan", str(asked), "--strict")
    assert old.returncode == 1
    assert "install 4.0 first, then 4.5" in old.stdout
    asked = inventory(
        tmp_path, servers, ssh_keys, '[clusters.time.rules.chrony-stop-at-4]\noff = true\nreason = "rehearsed"'
    )
    assert "install 4.0 first" not in preflight(site, tmp_path, "scan", str(asked), "--strict").stdout

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, parse_scenario
from scanner.loading.inventory import load_inventory

DOORS = """
title = "Every way to log in"
[clusters.vault]
product = "secret-server"
inventory = {target = "11.7.000049", dpapi = "off"}
defaults = {windows = {app_version = "11.6.000003"}}
[clusters.vault.nodes.ntlm-https]
roles = ["web"]
[clusters.vault.nodes.ntlm-http]
roles = ["web"]
scheme = "http"
[clusters.vault.nodes.basic-https]
roles = ["web"]
auth = "basic"
[clusters.vault.nodes.basic-http]
roles = ["web"]
auth = "basic"
scheme = "http"
[clusters.vault.nodes.certificate]
roles = ["web"]
auth = "certificate"
[clusters.vault.nodes.sql1]
roles = ["database"]
windows = {sql = [{version = "15.0.2000.5"}]}
[clusters.chef]
product = "chef-backend"
inventory = {target = "2.3.16"}
defaults = {chef = {version = "2.2.5"}}
[clusters.chef.nodes.key]
roles = ["backend"]
[clusters.chef.nodes.password]
roles = ["backend"]
login = "password"
[clusters.chef.nodes.canned]
roles = ["backend"]
answers = {chef-version = {output = "2.2.5"}}
"""


def lab_threads() -> list[threading.Thread]:
    found = [thread for thread in threading.enumerate() if thread.name.startswith(("lab-", "wsman"))]
    for thread in found:
        thread.join(1)  # one that is about to end may do so
    return [thread for thread in found if thread.is_alive()]


def ports(lab: Lab) -> list[int]:
    servers = [node.server.port for node in lab.nodes if node.server]
    return servers + [node.sql_port.port for node in lab.nodes if node.sql_port]


def test_the_demo_starts_at_once_and_leaves_nothing_behind() -> None:
    environment = dict(os.environ)
    begun = time.monotonic()
    with Lab(load_scenario("demo")) as lab:
        started_s = time.monotonic() - begun
        open_ports = ports(lab)
        folder = lab._folder
        assert folder.is_dir()
        assert len(lab.nodes) >= 7
    assert started_s < 2
    assert not lab_threads()
    assert not folder.exists()
    assert dict(os.environ) == environment
    for port in open_ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    lab.stop()


def test_what_it_writes_is_an_inventory_that_loads(tmp_path: Path) -> None:
    with Lab("demo") as lab:
        inventory = load_inventory(lab.write(tmp_path))
        written = {(cluster.name, node.name) for cluster in inventory.clusters for node in cluster.nodes}
        assert written == {(node.scenario.cluster, node.name) for node in lab.nodes}
        assert {node.host for cluster in inventory.clusters for node in cluster.nodes} == {"127.0.0.1"}
    for file in tmp_path.iterdir():
        assert "password" not in file.name or file.read_text().strip() in lab.secrets


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    with Lab(parse_scenario(DOORS)) as lab:
        lab.write(tmp_path)
    secret = [file for file in tmp_path.iterdir() if any(part in file.read_text() for part in lab.secrets)]
    secret += [file for file in tmp_path.iterdir() if "PRIVATE KEY" in file.read_text()]
    assert {"password", "id_ed25519", "client.key"} <= {file.name for file in secret}
    assert {stat.S_IMODE(file.stat().st_mode) for file in secret} == {0o600}


def test_no_secret_is_in_the_inventory(tmp_path: Path) -> None:
    with Lab(parse_scenario(DOORS)) as lab:
        text = lab.write(tmp_path).read_text()
    assert not [secret for secret in lab.secrets if secret in text]


def test_every_door_opens_to_a_scan(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab(parse_scenario(DOORS)) as lab:
        ended = preflight("scan", lab.write(tmp_path), "-v")
    assert ended.code == 0, ended.out


def test_a_name_or_a_file_will_do(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(DOORS)
    assert Lab(tmp_path / "mine.toml").scenario.name == "mine"
    assert Lab("chef-healthy").scenario.name == "chef-healthy"


def test_nodes_are_found_by_name() -> None:
    with Lab("chef-healthy") as lab:
        assert lab.node("backend-2").name == "backend-2"
        with pytest.raises(KeyError):
            lab.node("backend-9")


def test_a_start_that_fails_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    from scanner.lab import lab as module

    def no_more_ports(*_: object, **__: object) -> None:
        raise OSError("no more ports")

    monkeypatch.setattr(module, "TdsResponder", no_more_ports)
    with pytest.raises(OSError, match="no more ports"):
        Lab("secret-server-healthy").start()
    assert not lab_threads()

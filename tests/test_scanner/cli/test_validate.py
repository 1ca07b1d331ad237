"""`validate` says what it looked at and what it did not; with --connect, who lets us in. And the short `init`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory import credentials
from scanner.inventory.products import BUILTIN, Product
from scanner.inventory.writing.template import short_template
from scanner.lab.lab import Lab
from scanner.loading.inventory import load_inventory, parse_inventory

Preflight = Callable[..., Any]

CANARY = "correct-horse-battery"


def inventory(folder: Path, keys: str, product: str = "chef-backend", role: str = "backend") -> Path:
    path = folder / "inventory.toml"
    nodes = "".join(f'[clusters.c.nodes.n{number}]\nroles = ["{role}"]\n' for number in (1, 2))
    path.write_text(f'[clusters.c]\nproduct = "{product}"\nuser = "u"\n{keys}\n{nodes}', encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("key_file = 'gone.pem'", "clusters.c.nodes.n1.key_file: {folder}/gone.pem: there is no such file (and 1 more"),
        ("known_hosts = 'gone'", "n1.known_hosts: {folder}/gone: there is no such file"),
        ("key_file = '.'", "n1.key_file: {folder} is a folder"),
        ("password_env = 'PF_GONE'", "n1.password_env: the environment variable PF_GONE is not set"),
        ("password_file = 'pw.gone'", "n1.password_file: {folder}/pw.gone: there is no such file; create it"),
        ("password_file = 'open'", "n1.password_file: {folder}/open is open to others (mode 0644); run: chmod 600"),
        (
            "password_command = 'no-such-program show x'",
            "n1.password_command: the command no-such-program: there is no",
        ),
        ("passphrase_env = 'PF_GONE'", "n1.passphrase_env: the environment variable PF_GONE is not set"),
    ],
)
def test_what_this_machine_lacks_is_told_as_a_scan_would(
    preflight: Preflight, tmp_path: Path, keys: str, said: str
) -> None:
    (tmp_path / "open").write_text(CANARY, encoding="utf-8")
    (tmp_path / "open").chmod(0o644)
    path = inventory(tmp_path, keys)
    ended = preflight("validate", path)
    assert (ended.code, "no problems found" in ended.out) == (0, True)
    assert said.format(folder=tmp_path) in ended.out
    with pytest.raises(Exception, match=re.escape(said.format(folder=tmp_path))):
        credentials.resolve(load_inventory(path))


def test_nothing_is_read_and_nothing_is_run_for_that(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PF_THERE", CANARY)
    ran = tmp_path / "ran"
    (tmp_path / "pw").write_bytes(b"\xff" * 100_000)
    (tmp_path / "pw").chmod(0o600)
    monkeypatch.setattr("scanner.inventory.credentials.children.run", lambda *_, **__: ran.touch())
    for keys in (f"password_command = 'touch {ran}'", "password_file = 'pw'", "password_env = 'PF_THERE'"):
        ended = preflight("validate", inventory(tmp_path, keys))
        assert (ended.code, "would lack" in ended.out, CANARY in ended.out) == (0, False, False)
    assert not ran.exists()
    assert "Not looked at: whether the hosts are there and let us in (--connect does)" in ended.out


AT_SITES = """
[run]
engine = "dask"
scheduler = "tls://127.0.0.1:1"
ca_file = "none.pem"
cert_file = "none.pem"
key_file = "none.key"
secrets = "{secrets}"
"""


@pytest.mark.parametrize(("secrets", "lacks"), [("worker", False), ("home", True)])
def test_what_is_looked_for_at_the_sites_is_not_missed_here(
    preflight: Preflight, tmp_path: Path, secrets: str, lacks: bool
) -> None:
    path = inventory(tmp_path, 'password_env = "PF_OF_A_SITE"\nkey_file = "/none/of/ours"')
    path.write_text(path.read_text("utf-8") + AT_SITES.format(secrets=secrets), "utf-8")
    ended = preflight("validate", path)
    assert "PF_OF_A_SITE" in ended.out if lacks else "PF_OF_A_SITE" not in ended.out
    assert "/none/of/ours" not in ended.out, "a key file is the worker's, whoever has the secrets"
    assert "none.pem: there is no such file" in ended.out, "and the scheduler's certificates are ours"
    here = preflight("validate", path, "--connect", "--engine", "threads")
    assert "/none/of/ours" in here.out


def test_who_logs_in_is_said_of_a_login_alone(preflight: Preflight, tmp_path: Path) -> None:
    path = inventory(tmp_path, "password_env = 'X'")
    for option in (("--engine", "dask"), ("--scheduler", "tcp://127.0.0.1:1")):
        ended = preflight("validate", path, *option)
        assert (ended.code, "add --connect, or leave it out" in ended.err) == (2, True)


def test_connect_says_of_each_node_whether_it_lets_us_in(preflight: Preflight, tmp_path: Path) -> None:
    with Lab("ssh-down") as lab:
        ended = preflight("validate", lab.write(tmp_path), "--connect")
        sent = [node.name for node in lab.nodes]
    lines = [line.split(": ", 1) for line in ended.out.splitlines() if line.startswith(("  OK", "  ERROR"))]
    assert [line[0].split() for line in lines] == [
        ["ERROR" if name == "backend-2" else "OK", f"chef.{name}"] for name in sent
    ]
    assert (ended.code, "2 of 3 nodes let us in" in ended.out) == (3, True)
    assert "connection refused" in dict(map(tuple, lines))["  ERROR  chef.backend-2"]
    assert "Not looked at" not in ended.out


def test_connect_asks_no_more_than_whether_somebody_answers(tmp_path: Path) -> None:
    from scanner.inventory.select import select
    from scanner.run.logins import only_logins
    from scanner.run.prepare import build_request

    for product, role in (("chef-backend", "backend"), ("secret-server", "database")):
        path = inventory(tmp_path, "password_env = 'X'", product, role)
        job = only_logins(build_request(select(load_inventory(path))))
        assert {tuple(probe.id for probe in call.probes) for call in job.calls()} <= {("shell",), ("powershell",)}


def test_connect_over_winrm_and_with_a_wrong_password(preflight: Preflight, tmp_path: Path) -> None:
    with Lab("winrm-wrong-password") as lab:
        ended = preflight("validate", lab.write(tmp_path), "--connect")
    assert ended.code == 3
    assert re.search(r"ERROR  vault\.\S+: .*password", ended.out)
    assert re.search(r"OK     vault\.\S+: logged in over winrm in \d", ended.out)


def test_connect_of_a_machine_without_an_inventory(preflight: Preflight) -> None:
    ended = preflight("validate", "--local", "--product", "chef-backend", "--role", "backend", "--connect")
    assert (ended.code, "1 of 1 node let us in" in ended.out) == (0, True)


@pytest.mark.parametrize("product", BUILTIN, ids=lambda product: product.name)
def test_a_short_inventory_holds_no_more_than_it_takes(preflight: Preflight, tmp_path: Path, product: Product) -> None:
    path = tmp_path / "short.toml"
    assert preflight("init", path, "--product", product.name).code == 0
    text = path.read_text(encoding="utf-8")
    assert text == short_template(product)
    assert len(text.splitlines()) < 50
    (cluster,) = parse_inventory(text, path).clusters
    assert (cluster.product, bool(cluster.target)) == (product.name, True)
    assert not re.search(r"^#\w+ =", text, re.MULTILINE), "nothing is switched off"
    every = [line for line in text.splitlines() if re.match(r"(user|password_env|product|host|roles) =", line)]
    for line in every:
        without = text.replace(f"{line}\n", "", 1)
        if line.startswith(("roles", "product", "password_env")) or (line.startswith("user") and "CORP" in line):
            with pytest.raises(Exception, match="problem"):
                parse_inventory(without, path)


def test_init_of_no_product(preflight: Preflight, tmp_path: Path) -> None:
    ended = preflight("init", tmp_path / "x.toml", "--product", "chef")
    assert (ended.code, 'did you mean "chef-backend"?' in ended.err, list(tmp_path.iterdir())) == (2, True, [])

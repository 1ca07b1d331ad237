"""`preflight inventory add`: one node more, and not a byte of the rest another one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.writing.added import NewNode, with_node
from scanner.inventory.writing.template import template
from scanner.loading.inventory import parse_inventory

Preflight = Callable[..., Any]
WRITTEN = """\
# Ours, since 2019.
[defaults.ssh]
user = "kim"   # not root

[clusters.chef]   # the old one
product = 'chef-backend'

  [clusters.chef.nodes.be1]
  host = "10.0.0.11"
  roles = [
    "backend",   # all
  ]

# The vault.
[clusters.vault]
product = "secret-server"
transport = "ssh"
[clusters.vault.nodes.web1]
host = "web1"
roles = ["web"]

# The end of it.
"""
ADD = ("--node", "be2", "--host", "10.0.0.12", "--role", "backend")


def test_it_stands_behind_its_like_and_nothing_else_changes(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    path.write_text(WRITTEN)
    ended = preflight("inventory", "add", path, "--cluster", "chef", *ADD, "--set", "port=2222", "--set", "sudo=true")
    assert ended.code == 0, ended.err
    added = '[clusters.chef.nodes.be2]\nhost = "10.0.0.12"\nroles = ["backend"]\nport = 2222\nsudo = true\n'
    head, _, tail = WRITTEN.partition("\n# The vault.")
    assert path.read_text() == f"{head}\n{added}\n# The vault.{tail}"


@pytest.mark.parametrize(
    "text", [WRITTEN, WRITTEN.replace("\n", "\r\n"), "\ufeff" + WRITTEN, WRITTEN.rstrip(), template()]
)
@pytest.mark.parametrize("cluster", ["chef", "vault", "chef-prod", "vault-prod"])
def test_taking_it_out_again_gives_the_file_as_it_was(
    preflight: Preflight, tmp_path: Path, text: str, cluster: str
) -> None:
    if f"[clusters.{cluster}]" not in text:
        return
    path, data = tmp_path / "i.toml", text.encode()
    path.write_bytes(data)
    role = "backend" if "chef" in cluster else "web"
    keys = ("--cluster", cluster, "--node", "n-9", "--host", "10.0.0.99", "--role", role)
    assert preflight("inventory", "add", path, *keys).code == 0
    after = path.read_bytes()
    ending = b"\r\n" if b"\r\n" in data else b"\n"
    lines = (f"[clusters.{cluster}.nodes.n-9]", 'host = "10.0.0.99"', f'roles = ["{role}"]')
    block = ending.join(line.encode() for line in lines)
    at = after.index(block)
    rest = after[: at - len(ending)] + after[at + len(block) + len(ending) :]
    assert rest.rstrip() == data.rstrip()
    assert tomllib.loads(after.decode("utf-8-sig"))["clusters"][cluster]["nodes"]["n-9"]["host"] == "10.0.0.99"


def test_a_new_cluster_is_made_with_its_product(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    path.write_text(WRITTEN)
    assert preflight("inventory", "add", path, "--cluster", "lab 2", "--product", "chef-backend", *ADD).code == 0
    found = tomllib.loads(path.read_text())["clusters"]["lab 2"]
    assert found == {"product": "chef-backend", "nodes": {"be2": {"host": "10.0.0.12", "roles": ["backend"]}}}
    assert path.read_text().startswith(WRITTEN)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cluster", "chaf", *ADD], "has no such cluster (it has chef, vault)"),
        (["--cluster", "chef", "--product", "chef-backend", *ADD], "is in"),
        (["--cluster", "chef", "--node", "be1", "--host", "x", "--role", "backend"], "has a node of that name already"),
        (["--cluster", "chef", "--node", "be2", "--host", "x y", "--role", "backend"], "clusters.chef.nodes.be2.host"),
        (["--cluster", "chef", "--node", "be2", "--host", "x", "--role", "web"], "clusters.chef.nodes.be2.roles"),
        (["--cluster", "chef", *ADD, "--set", "prot=1"], 'did you mean "port"?'),
        (["--cluster", "chef", *ADD, "--set", "password=hush-7"], "secrets are never written"),
        (["--cluster", "chef", *ADD, "--set", "target=2.3.16"], "is a key of the whole cluster"),
    ],
)
def test_what_would_not_be_valid_changes_nothing(
    preflight: Preflight, tmp_path: Path, arguments: list[str], told: str
) -> None:
    path = tmp_path / "i.toml"
    path.write_text(WRITTEN)
    ended = preflight("inventory", "add", path, *arguments)
    assert (ended.code, told in ended.err, path.read_text() == WRITTEN) == (2, True, True), ended.err
    assert "hush-7" not in ended.err


def test_an_inventory_that_is_wrong_already_is_told_first(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    path.write_text(WRITTEN.replace("'chef-backend'", "'chef-backnd'"))
    ended = preflight("inventory", "add", path, "--cluster", "chef", *ADD)
    assert (ended.code, "line 6" in ended.err) == (2, True)


def test_a_cluster_in_braces_is_told_as_that(tmp_path: Path) -> None:
    from scanner.errors import UsageError

    text = 'clusters = {chef = {product = "chef-backend", nodes = {a = {host = "a", roles = ["backend"]}}}}\n'
    new = NewNode(cluster="chef", node="b", keys={"host": "b", "roles": ["backend"]})
    with pytest.raises(UsageError, match="written in braces"):
        with_node(text, tmp_path / "i.toml", new, parse_inventory)

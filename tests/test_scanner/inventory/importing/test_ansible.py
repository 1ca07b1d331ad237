"""Machines out of Ansible's inventory: what it says is taken over, what it hides stays hidden."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.importing.ansible import machine_of
from tests.field.samples import FOLDER

Preflight = Callable[..., Any]
SAMPLES = FOLDER / "ansible"
VAULT = ("--product", "secret-server", "--map", "web=vault:web", "--map", "sql=vault:database")
CHEF = ("--product", "chef-backend", "--map", "backends=chef-prod:backend", "--map", "frontends=chef-prod:frontend")


def table(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_cluster_over_ssh_is_taken_over(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    assert preflight("init", path, *CHEF, "--from-ansible", SAMPLES / "list.json").code == 0
    assert preflight("validate", path).code == 0
    found = table(path)
    assert found["defaults"]["ssh"] == {
        "user": "deploy",
        "key_file": "~/.ssh/deploy_ed25519",
        "jump": "kim@bastion.corp.example:2222",
        "sudo": True,
    }
    nodes = found["clusters"]["chef-prod"]["nodes"]
    assert [(name, node["host"], node["roles"]) for name, node in nodes.items()][:3] == [
        ("be1", "10.20.30.41", ["backend"]),
        ("be2", "10.20.30.42", ["backend"]),
        ("be3.corp.example", "be3.corp.example", ["backend"]),
    ]
    assert [node["roles"] for node in nodes.values()][3:] == [["frontend"], ["frontend"]]


def test_a_cluster_over_winrm_is_taken_over_without_its_password(preflight: Preflight, tmp_path: Path) -> None:
    path = tmp_path / "i.toml"
    assert preflight("init", path, *VAULT, "--from-ansible", SAMPLES / "list.json").code == 0
    assert preflight("validate", path).code == 0
    assert "hush-4c11" not in path.read_text(encoding="utf-8")
    assert "# Not taken over: ansible_password." in path.read_text(encoding="utf-8")
    found = table(path)
    wanted = {"user": "CORP\\svc-ansible", "auth": "ntlm", "password_env": "PREFLIGHT_WINRM_PASSWORD"}
    assert found["defaults"]["winrm"] == wanted
    nodes = found["clusters"]["vault"]["nodes"]
    assert nodes["web1"] == {"host": "web1.corp.example", "roles": ["web"], "verify": False}
    assert nodes["web2"] == {"host": "web2.corp.example", "roles": ["web"], "scheme": "http", "port": 5985}


def test_any_form_that_ansible_s_own_tool_reads(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("ansible-inventory") is None:
        pytest.skip("no ansible-inventory on this machine")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    for name, path in (("list.json", tmp_path / "json.toml"), ("hosts.ini", tmp_path / "ini.toml")):
        assert preflight("init", path, *CHEF, "--from-ansible", SAMPLES / name).code == 0
    assert table(tmp_path / "json.toml") == table(tmp_path / "ini.toml")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("all: [\n")
    ended = preflight("init", tmp_path / "w.toml", *CHEF, "--from-ansible", wrong)
    assert (ended.code, "ansible-inventory" in ended.err, (tmp_path / "w.toml").exists()) == (2, True, False)


def test_without_that_tool_it_is_told_what_to_do(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    ended = preflight("init", tmp_path / "i.toml", *CHEF, "--from-ansible", SAMPLES / "hosts.ini")
    assert (ended.code, (tmp_path / "i.toml").exists()) == (2, False)
    assert "ansible-inventory -i hosts.ini --list > list.json" in ended.err


@pytest.mark.parametrize(
    ("variables", "otherwise", "keys", "transport", "note"),
    [
        (
            {"ansible_connection": "psrp", "ansible_psrp_auth": "kerberos"},
            "ssh",
            {"protocol": "psrp", "auth": "kerberos"},
            "winrm",
            "",
        ),
        (
            {"ansible_connection": "winrm", "ansible_winrm_transport": ["credssp", "ntlm"]},
            "ssh",
            {"auth": "credssp"},
            "winrm",
            "",
        ),
        ({"ansible_port": "5985"}, "winrm", {"port": 5985, "scheme": "http"}, "", ""),
        ({"ansible_ssh_port": 2222, "ansible_ssh_user": "kim"}, "ssh", {"port": 2222, "user": "kim"}, "", ""),
        ({"ansible_ssh_extra_args": "-J a,b:2022 -v"}, "ssh", {"jump": "a,b:2022"}, "", ""),
        ({"ansible_ssh_common_args": "-o ProxyCommand='ssh -W %h:%p gate'"}, "ssh", {}, "", "ProxyCommand"),
        ({"ansible_become": True, "ansible_become_method": "su"}, "ssh", {}, "", ""),
        ({"ansible_become": "yes"}, "ssh", {"sudo": True}, "", ""),
        ({"ansible_connection": "docker"}, "ssh", {}, "", "reaches it by docker"),
        ({"ansible_user": "{{ vault_user }}"}, "ssh", {}, "", "computes ansible_user"),
        ({"ansible_user": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}}, "ssh", {}, "", "computes ansible_user"),
        ({"ansible_become_pass": "hush-1", "api_token": "hush-2"}, "ssh", {}, "", ": ansible_become_pass, api_token"),
        ({"ansible_port": "99999"}, "ssh", {}, "", ""),
    ],
)
def test_what_variables_come_to(
    variables: dict[str, object], otherwise: str, keys: dict[str, object], transport: str, note: str
) -> None:
    found = machine_of("n1", variables, otherwise)
    assert (dict(found.keys), found.transport, found.host) == (keys, transport, "n1")
    told = " ".join(found.notes)
    assert note in told if note else told == ""
    assert "hush" not in told


def test_a_host_that_ansible_computes_is_a_blank(preflight: Preflight, tmp_path: Path) -> None:
    source = {"_meta": {"hostvars": {"n1": {"ansible_host": "{{ lookup('x') }}"}}}, "be": {"hosts": ["n1", "n2"]}}
    (tmp_path / "l.json").write_text(json.dumps(source))
    path = tmp_path / "i.toml"
    ended = preflight(
        "init", path, "--product", "chef-backend", "--map", "be=backend", "--from-ansible", tmp_path / "l.json"
    )
    assert ended.code == 0
    assert list(table(path)["clusters"]["chef-backend"]["nodes"]) == ["n2"]
    assert "#[clusters.chef-backend.nodes.n1]" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "backends (3), chef (5)"),
        (["--map", "backend=backend"], 'knows no "backend"; did you mean "backends"?'),
        (["--map", "backends=chef:web"], '"web" is no role of chef-backend'),
        (["--map", "backends"], "expected GROUP=CLUSTER:ROLE"),
        (["--map", "be=backend", "--map", "be=frontend"], "mapped twice"),
    ],
)
def test_what_cannot_be_mapped_is_told(preflight: Preflight, tmp_path: Path, arguments: list[str], told: str) -> None:
    path = tmp_path / "i.toml"
    ended = preflight("init", path, "--product", "chef-backend", "--from-ansible", SAMPLES / "list.json", *arguments)
    assert (ended.code, told in ended.err, path.exists()) == (2, True, False), ended.err


@pytest.mark.parametrize("text", ["{}", '{"_meta": {}}', '{"_meta": {"hostvars": []}}', '{"_meta": 1}', "[1]", "\x00"])
def test_a_file_of_another_kind_is_told(
    preflight: Preflight, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    (tmp_path / "l.json").write_text(text)
    ended = preflight("init", tmp_path / "i.toml", *CHEF, "--from-ansible", tmp_path / "l.json")
    assert (ended.code, "ansible-inventory" in ended.err) == (2, True)
    assert preflight("init", tmp_path / "i.toml", *CHEF, "--from-ansible", tmp_path / "none").code == 2

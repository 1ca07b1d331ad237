"""A secret that was written where none belongs is refused unseen: the message names the key and the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.product_settings.known import catalogue
from scanner.secrets.discretion import may_be_secret

CANARY = "hunter2!Zq9#Canary"
WORD = "CANARYhunter2Zq9"
PEM = "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAABG5vbmUCANARY -----END OPENSSH PRIVATE KEY-----"
WRITTEN = (CANARY, f"bob:{CANARY}", PEM, WORD, f"https://bob:{WORD}@vault:5986/wsman", f"Server=h;Password={WORD}")

CHEF = "[clusters.c]\nproduct = 'chef-backend'\n[clusters.c.nodes.b1]\nroles = ['backend']\n"
VAULT = "[clusters.c]\nproduct = 'secret-server'\n[clusters.c.nodes.w1]\nroles = ['web', 'database']\nuser = 'u'\n"
KEYS = sorted(
    {
        (base, key.name)
        for base, sections in ((CHEF, ("[defaults.ssh]",)), (VAULT, ("[defaults.winrm]", "[defaults.tds]")))
        for section in (*sections, "[clusters.NAME.nodes.NODE]")
        for key in catalogue().sections[section]
    }
)
UNKNOWN = ("password", "Password", "passphrase", "pw", "passwd", "token", "password_evn", "sql_password", "secret_env")
SYNTAX = (
    f"password = {CANARY}",
    f'password_env = "{CANARY}',
    f"password = '{CANARY}",
    f'password "{CANARY}"',
    f'"{CANARY}" = 1',
    f'password = "\\{CANARY}"',
    f'password = "{CANARY}" x',
    f"password = 0x{CANARY}",
    f'password_env = "{CANARY}"\npassword_env = "{CANARY}"',
    f"[clusters.c.nodes.b1.{WORD}]",
    f'[[waivers]]\ncheck = "{CANARY}"\nreason = "{CANARY}"\nuntil = "{CANARY}"',
)


def leaks(text: str) -> list[str]:
    return [line for line in text.splitlines() if any(mark in line for mark in ("hunter2", "Zq9", "CANARY", "b3Blbn"))]


@pytest.mark.parametrize(("base", "name"), KEYS)
def test_no_key_shows_the_secret_that_it_is_given(
    base: str, name: str, tmp_path: Path, preflight: Callable[..., Any]
) -> None:
    inventory = tmp_path / "i.toml"
    for written in WRITTEN:
        text = base.replace("user = 'u'\n", "") if name == "user" else base
        inventory.write_text(f'{text}{name} = "{written}"\n')
        told = preflight("validate", inventory)
        assert told.out + told.err
        assert leaks(told.out + told.err) == []


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("base", [CHEF, VAULT])
def test_no_unknown_key_shows_it(base: str, name: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    (tmp_path / "i.toml").write_text(f'{base}{name} = "{CANARY}"\n')
    told = preflight("validate", tmp_path / "i.toml")
    assert told.code == 2
    assert name in told.err
    assert leaks(told.err) == []


@pytest.mark.parametrize("line", SYNTAX)
def test_no_broken_line_shows_it(line: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    (tmp_path / "i.toml").write_text(CHEF + line + "\n")
    told = preflight("validate", tmp_path / "i.toml")
    assert told.code == 2
    assert leaks(told.err) == []


@pytest.mark.parametrize("secret", ["password", "passphrase"])
@pytest.mark.parametrize("kind", ["env", "file", "command"])
@pytest.mark.parametrize("written", [CANARY, WORD, "correcthorsebattery"])
def test_no_source_that_is_the_secret_itself_is_shown(
    secret: str, kind: str, written: str, tmp_path: Path, preflight: Callable[..., Any]
) -> None:
    (tmp_path / "i.toml").write_text(f"{CHEF}{secret}_{kind} = '{written}'\n")
    told = preflight("scan", tmp_path / "i.toml", "--timeout", "1", "-v")
    assert told.code == 2
    assert f"clusters.c.nodes.b1.{secret}_{kind}: " in told.err
    assert "expected " in told.err
    assert written not in told.out + told.err


@pytest.mark.parametrize("key", ["key_file", "known_hosts", "ssh_config"])
def test_no_file_that_is_the_secret_itself_is_shown(key: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    for written in (CANARY, WORD, f"bob:{CANARY}"):
        (tmp_path / "i.toml").write_text(f"{CHEF}{key} = '{written}'\n")
        told = preflight("scan", tmp_path / "i.toml", "--timeout", "1")
        assert told.code == 2
        assert "there is no such file" in told.err
        assert leaks(told.out + told.err) == []


@pytest.mark.parametrize(
    "name",
    [
        *("web1.corp.example:5986", "https://web1.corp.example/wsman", "WEB1", "CORP\\svc-preflight", "[fe80::1]"),
        *("10.9.000064", "11.7.x", ">=4.7.2", "/srv/chef-backend-2.3.16-1.el7.x86_64.rpm", "D:\\Backup\\app.zip"),
        *("~/.ssh/preflight_ed25519", "chef-cluster-statu", "telnet", "PREFLIGHT_WINRM_PASSWORD", "svc_preflight01"),
    ],
)
def test_what_is_plainly_a_name_is_shown(name: str) -> None:
    assert not may_be_secret(name)

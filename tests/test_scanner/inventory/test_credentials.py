"""Secrets from the environment, from files and from commands; and what is said where they are not there."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from scanner.errors import InventoryError
from scanner.inventory import credentials
from scanner.inventory.model import Inventory, SecretSource
from scanner.loading.inventory import parse_inventory
from scanner.secrets.secret import Secret

CANARY = "hunter2-s3cr3t"

WINRM = """
[defaults.winrm]
user = 'u'
{source}
[clusters.v]
product = 'secret-server'
[clusters.v.nodes.web1]
roles = ['web']
[clusters.v.nodes.web2]
roles = ['web']
"""


def inventory(folder: Path, source: str) -> Inventory:
    return parse_inventory(WINRM.format(source=source), folder / "inventory.toml")


def password(resolved: Inventory, node: int = 0) -> str:
    settings = resolved.clusters[0].nodes[node].winrm
    assert settings
    assert isinstance(settings.password, Secret)
    return settings.password.reveal()


def refusal(given: Inventory) -> str:
    with pytest.raises(InventoryError) as caught:
        credentials.resolve(given)
    text = str(caught.value)
    assert CANARY not in text
    return "\n".join(text.splitlines()[1:])


def python(code: str) -> str:
    return f"password_command = '''{shlex.join([sys.executable, '-c', code])}'''"


def secret_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    file = folder / "pw"
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PF_TEST", f" {CANARY} ")
    resolved = credentials.resolve(inventory(tmp_path, "password_env = 'PF_TEST'"))
    assert password(resolved) == password(resolved, 1) == f" {CANARY} "
    assert CANARY not in repr(resolved)


@pytest.mark.parametrize("content", [CANARY, f"{CANARY}\n", f"{CANARY}\r\n", f"\ufeff{CANARY}\n"])
def test_from_a_file_beside_the_inventory(tmp_path: Path, content: str) -> None:
    secret_file(tmp_path, content.encode())
    assert password(credentials.resolve(inventory(tmp_path, "password_file = 'pw'"))) == CANARY


def test_only_one_newline_is_stripped(tmp_path: Path) -> None:
    secret_file(tmp_path, f" {CANARY}\t \n".encode())
    assert password(credentials.resolve(inventory(tmp_path, "password_file = 'pw'"))) == f" {CANARY}\t "


def test_from_a_command_in_the_inventorys_folder_without_a_shell(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), sys.argv[1:], sys.stdin.read())"
    line = shlex.join([sys.executable, "-c", code, "$HOME", "a b"])
    read = password(credentials.resolve(inventory(tmp_path, f"password_command = '''{line}'''")))
    assert read == f"{tmp_path} ['$HOME', 'a b'] "


def test_each_source_is_read_once(tmp_path: Path) -> None:
    code = f"import sys; open('log', 'a').write('x'); print('{CANARY}')"
    resolved = credentials.resolve(inventory(tmp_path, python(code)))
    assert password(resolved) == password(resolved, 1) == CANARY
    assert (tmp_path / "log").read_text() == "x"


def test_nodes_that_are_not_asked_need_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PF_TEST", raising=False)
    given = inventory(tmp_path, "password_env = 'PF_TEST'")
    assert credentials.resolve(given, only=set()) == given
    text = WINRM.format(source="password_env = 'PF_TEST'") + "password_env = 'PF_OTHER'\n"
    monkeypatch.setenv("PF_OTHER", CANARY)
    resolved = credentials.resolve(parse_inventory(text, tmp_path / "x"), only={("v", "web2")})
    first = resolved.clusters[0].nodes[0].winrm
    assert first
    assert first.password == SecretSource(env="PF_TEST")
    assert password(resolved, 1) == CANARY


def test_a_password_that_is_not_used_is_not_asked_for(tmp_path: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch()
    text = "auth = 'certificate'\ncert_file = 'c.pem'\nkey_file = 'k.pem'\npassword_env = 'PF_UNSET'"
    settings = credentials.resolve(inventory(tmp_path, text)).clusters[0].nodes[0].winrm
    assert settings
    assert settings.password is None


def test_what_is_missing_is_told_once_for_all_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PF_TEST", raising=False)
    assert refusal(inventory(tmp_path, "password_env = 'PF_TEST'")) == (
        "clusters.v.nodes.web1.password_env: the environment variable PF_TEST is not set; "
        "set it, and export it to this program (and 1 more node)"
    )


def test_everything_missing_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PF_TEST", "")
    text = WINRM.format(source="password_env = 'PF_TEST'\nca_file = 'ca.pem'") + (
        "[clusters.c]\nproduct = 'chef-backend'\nkey_file = 'id'\nknown_hosts = 'known'\npassphrase_file = 'pp'\n"
        "[clusters.c.nodes.b1]\nroles = ['backend']\n"
    )
    assert refusal(parse_inventory(text, tmp_path / "x")) == (
        f"clusters.v.nodes.web1.ca_file: {tmp_path / 'ca.pem'}: there is no such file (and 1 more node)\n"
        "clusters.v.nodes.web1.password_env: the environment variable PF_TEST is empty; set it to the secret "
        "(and 1 more node)\n"
        f"clusters.c.nodes.b1.key_file: {tmp_path / 'id'}: there is no such file\n"
        f"clusters.c.nodes.b1.known_hosts: {tmp_path / 'known'}: there is no such file\n"
        f"clusters.c.nodes.b1.passphrase_file: {tmp_path / 'pp'}: there is no such file; "
        "create it with the secret on its first line"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{CANARY}\r", "PF_TEST holds a line break; expected the secret alone, on one line"),
        (f"{CANARY}\udcff", "PF_TEST is not UTF-8"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="Windows keeps its environment in UTF-16")
def test_odd_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: str) -> None:
    monkeypatch.setenv("PF_TEST", value)
    assert expected in refusal(inventory(tmp_path, "password_env = 'PF_TEST'"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; expected the secret on one line"),
        (b"\n", "is empty; expected the secret on one line"),
        (f"user\n{CANARY}\n".encode(), "holds a line break; expected the secret alone, on one line"),
        (CANARY.encode("utf-16"), "is not UTF-8"),
        (CANARY.encode() * 10_000, "is larger than 64 KiB"),
    ],
)
def test_odd_files(tmp_path: Path, content: bytes, expected: str) -> None:
    file = secret_file(tmp_path, content)
    assert refusal(inventory(tmp_path, "password_file = 'pw'")).startswith(
        f"clusters.v.nodes.web1.password_file: {file} {expected}"
    )


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_is_open_to_others(tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path, CANARY.encode(), mode)
    text = refusal(inventory(tmp_path, "password_file = 'pw'"))
    assert f"{file} is open to others (mode {mode:04o}); run: chmod 600 {file}" in text


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "pw").mkdir()
    assert "is a folder; name the file in it" in refusal(inventory(tmp_path, "password_file = 'pw'"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "import sys; sys.stderr.write('\\nlocked\\x1b[2J\\nmore'); sys.exit(3)",
            "failed with exit code 3: locked?[2J",
        ),
        ("import sys; sys.exit(1)", "failed with exit code 1, and said nothing; run it by hand to see"),
        ("pass", "is empty; expected the secret on one line"),
        (f"print('a'); print('{CANARY}')", "holds a line break; expected the secret alone, on one line"),
    ],
)
def test_odd_commands(tmp_path: Path, code: str, expected: str) -> None:
    text = refusal(inventory(tmp_path, python(code)))
    assert text.startswith("clusters.v.nodes.web1.password_command: ")
    assert expected in text


@pytest.mark.skipif(os.name != "posix", reason="Windows splits command lines itself")
def test_commands_that_do_not_start(tmp_path: Path) -> None:
    assert "no-such-program: there is no such program on the PATH (no shell is used" in refusal(
        inventory(tmp_path, f"password_command = 'no-such-program {CANARY}'")
    )
    assert "no closing quotation; check its quotes" in refusal(
        inventory(tmp_path, f"""password_command = "pass '{CANARY}" """)
    )
    (tmp_path / "tool").write_text("")
    assert "cannot be started: Permission denied" in refusal(inventory(tmp_path, "password_command = './tool'"))


@pytest.mark.skipif(os.name != "posix", reason="needs sh")
def test_a_command_that_hangs_and_whose_child_holds_the_pipe(tmp_path: Path) -> None:
    started = time.monotonic()
    text = refusal(inventory(tmp_path, "password_command = 'sh -c \"sleep 8 & sleep 8\"'\nconnect_timeout = 1"))
    assert "the command sh did not end within 1 s; does it ask for something?" in text
    assert "`connect_timeout` gives it more time" in text
    assert time.monotonic() - started < 6


@pytest.mark.skipif(os.name != "posix", reason="needs sh")
def test_a_command_may_take_as_long_as_the_most_patient_node_that_needs_it(tmp_path: Path) -> None:
    """It is run once for all of them; one that is in a hurry takes nothing from the others."""
    command = "password_command = 'sh -c \"sleep 1.3; echo late\"'\nconnect_timeout = 1"
    late = parse_inventory(
        WINRM.format(source=command) + "connect_timeout = 20\n",  # web2's
        tmp_path / "inventory.toml",
    )
    assert password(credentials.resolve(late)) == password(credentials.resolve(late), 1) == "late"

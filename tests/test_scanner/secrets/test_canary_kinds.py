"""A canary of each kind of secret in scans that end well and badly; all that is written is searched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.probes.probe import Answer
from scanner.run import collect
from scanner.transports.answers import NodeResponse
from tests.live.stand_in_agent import StandInAgent
from tests.test_scanner.secrets import test_canaries
from tests.test_scanner.secrets.test_canaries import Watch, approve_all, describe_all, own, scan_all

CANARY = "Canary-7f3a9c-Kanari"
PROXY = "Proxy-Canary-51b0"
NETRC = "Netrc-Canary-88d1"

watch = test_canaries.watch


@pytest.fixture(autouse=True)
def around(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for a proxy in the environment, and for every host in ~/.netrc: neither is ours to use or to show."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://bob:{PROXY}@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    netrc = watch.folder / "home" / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login bob password {NETRC}\n")
    netrc.chmod(0o600)


def lines(key: bytes) -> set[str]:
    return {line for line in key.decode("ascii").splitlines() if line and not line.startswith("-")}


def everything(
    preflight: Callable[..., Any], watch: Watch, inventory: Path, secrets: set[str], given: set[Path]
) -> tuple[int, list[str]]:
    """The scan's exit code, and where a secret stands, whatever command was run."""
    ended = scan_all(preflight, inventory, "--timeout", "15")
    # Where nobody answered there is little that more could be told of.
    more = approve_all(preflight, inventory) + describe_all(preflight, inventory) if ended.code != 3 else ""
    given |= own(inventory.parent) | {watch.folder / "home" / ".netrc"}
    return ended.code, watch.betrays({*secrets, PROXY, NETRC}, ended.out, ended.err, more, own=given)


KERBEROS = 'auth = "kerberos"\nuser = "preflight@CORP.EXAMPLE"\nkerberos_hostname = "web1.corp.example"'
WAYS = {
    "ntlm": ("secret-server-healthy", 'auth = "ntlm"'),
    "psrp": ("secret-server-healthy", 'protocol = "psrp"'),
    "basic": ("secret-server-healthy", 'auth = "basic"'),
    "credssp": ("secret-server-healthy", 'auth = "credssp"'),
    "kerberos": (
        "secret-server-healthy",
        'auth = "kerberos"\nuser = "preflight@CORP.EXAMPLE"\nkerberos_hostname = "web1.corp.example"',
    ),
    "ssh": ("chef-healthy", 'key_file = ""\npassword_file = "password"'),
}


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_password(way: str, right: bool, tmp_path: Path, watch: Watch, preflight: Callable[..., Any]) -> None:
    scenario, keys = WAYS[way]
    lab = Lab(load_scenario(scenario))
    lab._password = CANARY if right else "another one"
    with lab:
        lab_files = {path for path in (tmp_path / "tmpdir").rglob("*") if path.is_file()}
        inventory = lab.write(tmp_path)
        (tmp_path / "password").write_text(f"{CANARY}\n")
        text = inventory.read_text(encoding="utf-8")
        for line in keys.splitlines():
            key = line.partition(" ")[0]
            text = re.sub(rf"^{key} = .*\n", "", text, flags=re.MULTILINE)
        head = "[defaults.ssh]\n" if way == "ssh" else "[defaults.winrm]\n"
        inventory.write_text(text.replace(head, f"{head}{keys}\n"), encoding="utf-8")
        _, found = everything(preflight, watch, inventory, {CANARY}, lab_files)
    assert found == []


def test_a_client_certificates_key(tmp_path: Path, watch: Watch, preflight: Callable[..., Any]) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text('title = "x"\nextends = "secret-server-healthy"\n[clusters.vault.defaults]\nauth = "certificate"\n')
    with Lab(load_scenario(file)) as lab:
        lab_files = {path for path in (tmp_path / "tmpdir").rglob("*") if path.is_file()}
        inventory = lab.write(tmp_path)
        lab_files |= set((tmp_path / "tmpdir").rglob("*.key"))
        key = (tmp_path / "client.key").read_bytes()
        code, found = everything(preflight, watch, inventory, lines(key), lab_files)
        assert (code, found) == (0, [])
        # A key behind a passphrase, and one that is none: told without a word of it.
        secret = serialization.load_pem_private_key(key, None)
        locked = secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(CANARY.encode()),
        )
        for bad in (locked, key[: len(key) // 2] + CANARY.encode()):
            (tmp_path / "client.key").write_bytes(bad)
            code, found = everything(preflight, watch, inventory, {*lines(key), *lines(locked), CANARY}, lab_files)
            assert (code, found) == (3, [])


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInAgent]:
    found = StandInAgent(tmp_path / "agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    yield found
    found.stop()


@pytest.mark.parametrize("refuses", [False, True])
def test_an_agents_key(
    refuses: bool, agent: StandInAgent, tmp_path: Path, watch: Watch, preflight: Callable[..., Any]
) -> None:
    with Lab(load_scenario("chef-healthy")) as lab:
        inventory = lab.write(tmp_path)
        text = inventory.read_text(encoding="utf-8").replace("agent = false\n", "agent = true\n")
        inventory.write_text(re.sub(r"^key_file = .*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
        keyfile = tmp_path / "id_ed25519"
        public = serialization.load_ssh_private_key(keyfile.read_bytes(), None).public_key()
        ssh = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        (tmp_path / "id_ed25519.pub").write_bytes(public.public_bytes(*ssh))
        agent.add(keyfile)
        agent.refuses = {comment for _, comment, _ in agent.keys} if refuses else set()
        raw = keyfile.read_bytes()
        key = serialization.load_ssh_private_key(raw, None)
        plain = serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        secret = key.private_bytes(*plain)
        code, found = everything(preflight, watch, inventory, {*lines(raw), secret.hex()}, set())
        assert agent.signed
    assert (code, found) == (3 if refuses else 0, [])


PRINTED = (
    'connectionString="Data Source=sql1;User ID=sa;Password=Canary-7f3a9c-Kanari;Encrypt=True"',
    "password = Canary-7f3a9c-Kanari",
    '{"db": {"password": "Canary-7f3a9c-Kanari"}}',
    "-----BEGIN OPENSSH PRIVATE KEY-----\nCanary7f3a9cKanari\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
    "> Authorization: Basic Q2FuYXJ5LTdmM2E5Yy1LYW5hcmk=",
    "fatal: cannot reach https://opscode:Canary-7f3a9c-Kanari@127.0.0.1/",
)


@pytest.mark.parametrize("printed", PRINTED)
def test_what_a_node_prints_and_nobody_told_us_of(
    printed: str, tmp_path: Path, watch: Watch, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, as why a conversation failed, and in an answer that cannot be read."""
    asking = vars(collect)["query_node"]

    def ask(*given: Any, **more: Any) -> NodeResponse:
        said: NodeResponse = asking(*given, **more)
        if said.node == "backend-1":
            answers = {
                name: replace(answer, exit_code=1, error_output=printed)
                for name, answer in said.answers.items()
                if isinstance(answer, Answer)
            }
            return replace(said, answers={**said.answers, **answers})
        return replace(said, failure=f"it said: {printed}", hint=printed) if said.node == "backend-2" else said

    monkeypatch.setattr(collect, "query_node", ask)
    with Lab(load_scenario("chef-healthy")) as lab:
        inventory = lab.write(tmp_path)
        code, found = everything(preflight, watch, inventory, {CANARY, "Canary7f3a9cKanari"}, set())
    assert (code, found) == (3, [])
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "***" in text
    assert "7f3a9c" not in text

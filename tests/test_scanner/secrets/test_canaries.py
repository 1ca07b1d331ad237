"""Secrets are planted wherever one can come from, scans end well and badly, and all that is written is searched."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import logging
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from scanner.errors import NodeError
from scanner.files.evidence.file import read_evidence
from scanner.inventory.credentials import resolve
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.loading.inventory import load_inventory
from scanner.run.node import NodeRequest, query_node
from scanner.run.prepare import build_request
from scanner.transports.protocol import Limits
from scanner.transports.ssh.transport import SshTransport
from scanner.transports.winrm.transport import WinrmTransport

CANARY = "Canary-7f3a9c-Kanari"
FORMATS = ("html", "junit", "json", "markdown")


def spellings(secret: str) -> set[bytes]:
    """The secret as it is, in another encoding, in hex, and in base64 at any offset."""
    plain = secret.encode()
    coded = {base64.b64encode(b"x" * shift + plain)[shift + 2 : -4] for shift in range(3)}
    return {plain, secret.encode("utf-16-le"), plain.hex().encode(), *coded}


@dataclass(slots=True)
class Watch:
    """All that is written while a scan runs."""

    folder: Path
    log: io.StringIO
    started: list[str] = field(default_factory=list)
    """Command lines and environments of the programs that were started. A proxy is the whole machine's."""

    def betrays(self, secrets: set[str], *said: str, own: set[Path]) -> list[str]:
        """Where one of the secrets stands, but for the `own` files that hold them."""
        places = {"said": "\n".join(said).encode(), "log": self.log.getvalue().encode()}
        places["processes"] = "\n".join(self.started).encode()
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in own:
                data = path.read_bytes()
                places[str(path)] = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        marks = {mark for secret in secrets for mark in spellings(secret)}
        return [place for place, data in places.items() if any(mark in data for mark in marks)]


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Everything logs at DEBUG, tracebacks are shown, temporary files and the home are where we look."""
    seen = Watch(tmp_path, io.StringIO())
    for name in ("TMPDIR", "HOME"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("PREFLIGHT_TRACEBACK", "1")
    start = subprocess.Popen.__init__

    def recording(self: Any, arguments: Any, *rest: Any, **options: Any) -> None:
        environment = os.environ if options.get("env") is None else options["env"]
        foreign = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"}
        seen.started.append(repr((arguments, {k: v for k, v in environment.items() if k not in foreign})))
        start(self, arguments, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", recording)
    handler = logging.StreamHandler(seen.log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield seen
    root.setLevel(level)
    root.removeHandler(handler)


def scan_all(preflight: Callable[..., Any], inventory: Path, *options: str) -> Any:
    reports = [part for kind in FORMATS for part in (f"--{kind}", inventory.parent / f"report.{kind}")]
    history, evidence = inventory.parent / "history.db", inventory.parent / "evidence.json.gz"
    ended = preflight("scan", inventory, "-v", *reports, "--history", history, "--evidence", evidence, *options)
    assert history.stat().st_size
    assert read_evidence(evidence).evidence.nodes
    assert all((inventory.parent / f"report.{kind}").stat().st_size for kind in FORMATS)
    return ended


def approve_all(preflight: Callable[..., Any], inventory: Path) -> str:
    """What a baseline and a drift report made of the same answers say; their files lie beside the others."""
    approved = inventory.parent / "approved.json"
    kept = ("--from", inventory.parent / "evidence.json.gz")
    made = preflight("baseline", inventory, "-o", approved, *kept, "--by", "Ada", "--allow-incomplete")
    reports = [part for kind in FORMATS for part in (f"--{kind}", inventory.parent / f"drift.{kind}")]
    held = preflight("drift", inventory, "--baseline", approved, *kept, "-v", *reports)
    assert approved.stat().st_size
    assert all((inventory.parent / f"drift.{kind}").stat().st_size for kind in FORMATS)
    return "\n".join(f"{ended.out}\n{ended.err}" for ended in (made, held))


def describe_all(preflight: Callable[..., Any], inventory: Path) -> str:
    """What is said of the same answers, and of the inventory, without asking a node."""
    kept = ("--from", inventory.parent / "evidence.json.gz")
    told = [
        preflight("plan", inventory, *kept, "-o", inventory.parent / "plan.md"),
        preflight("plan", inventory, *kept),
        preflight("probes", inventory),
        preflight("validate", inventory),
        preflight("history", inventory.parent / "history.db"),
    ]
    assert all(ended.out or ended.err for ended in told)
    return "\n".join(f"{ended.out}\n{ended.err}" for ended in told)


OWN = {"password", "sql-password", "wrong-password", "id_ed25519", "client.key", "secret"}
"""The lab's files that hold secrets."""


def own(folder: Path) -> set[Path]:
    return {folder / name for name in OWN}


@pytest.mark.parametrize(
    "scenario",
    [
        "secret-server-healthy",
        "database-sql-login",
        "database-sql-login-over-ssh",
        "database-sql-login-unknown",
        "sql-tds-login",
        "sql-tds-login-refused",
        "sql-tds-beside-winrm",
        "sql-tds-untrusted-certificate",
        "sql-tds-garbage-login",
        "sql-tds-closes-login",
        "chef-healthy",
        "winrm-wrong-password",
        "winrm-psrp-jea",
        "database-sql-login-over-psrp",
        "winrm-untrusted-certificate",
        "winrm-cut",
        "winrm-html",
        "winrm-garbage-answer",
        "winrm-quota",
        "winrm-hang",
        "ssh-wrong-password",
        "ssh-wrong-key",
        "ssh-wrong-host-key",
        "ssh-cut",
        "ssh-garbage",
        "ssh-not-ssh",
        "ssh-no-shell",
    ],
)
def test_no_secret_of_a_whole_scan_is_written(
    scenario: str, tmp_path: Path, watch: Watch, preflight: Callable[..., Any]
) -> None:
    with Lab(load_scenario(scenario)) as lab:
        lab_files = {path for path in (tmp_path / "tmpdir").rglob("*") if path.is_file()}
        inventory = lab.write(tmp_path)
        ended = scan_all(preflight, inventory)
        more = approve_all(preflight, inventory) + describe_all(preflight, inventory)
        found = watch.betrays(set(lab.secrets), ended.out, ended.err, more, own=own(tmp_path) | lab_files)
    assert found == []


def from_environment(folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str) -> str:
    monkeypatch.setenv("PREFLIGHT_CANARY", secret)
    return '{name}_env = "PREFLIGHT_CANARY"'


def from_file(folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str) -> str:
    (folder / "secret").write_text(secret + "\n", encoding="utf-8")
    (folder / "secret").chmod(0o600)
    return '{name}_file = "secret"'


def from_command(folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str) -> str:
    from_file(folder, monkeypatch, secret)
    code = "import sys; sys.stdout.write(open('secret').read())"
    return f"{{name}}_command = '''{shlex.join([sys.executable, '-c', code])}'''"


SOURCES = pytest.mark.parametrize("source", [from_environment, from_file, from_command])

SSH = """
[clusters.chef]
product = "chef-backend"
target = "2.3.16"
[clusters.chef.nodes.b1]
host = "127.0.0.1"
port = {port}
user = "{user}"
roles = ["backend"]
agent = false
ssh_config = ""
known_hosts = "known_hosts"
{keys}
"""
WINRM = """
[clusters.vault]
product = "secret-server"
target = "11.7.000049"
[clusters.vault.nodes.web1]
host = "127.0.0.1"
port = {port}
scheme = "http"
user = "operator"
auth = "{auth}"
roles = ["web"]
{keys}
"""


@SOURCES
@pytest.mark.parametrize("right", [True, False])
def test_a_passphrase_and_the_key_behind_it(
    source: Callable[..., str],
    right: bool,
    tmp_path: Path,
    watch: Watch,
    preflight: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Lab(load_scenario("chef-healthy")) as lab:
        lab_files = {path for path in (tmp_path / "tmpdir").rglob("*") if path.is_file()}
        lab.write(tmp_path)
        keyfile = tmp_path / "id_ed25519"
        key = serialization.load_ssh_private_key(keyfile.read_bytes(), None)
        keyfile.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.BestAvailableEncryption((CANARY if right else "another").encode()),
            )
        )
        keys = 'key_file = "id_ed25519"\n' + source(tmp_path, monkeypatch, CANARY).format(name="passphrase")
        inventory = tmp_path / "own.toml"
        port = next(node.server.port for node in lab.nodes if node.server)
        inventory.write_text(SSH.format(port=port, user="preflight", keys=keys), encoding="utf-8")
        ended = scan_all(preflight, inventory)
        text = (tmp_path / "report.json").read_text(encoding="utf-8")
        assert ("does not open key file" in text) is not right, text
        found = watch.betrays({CANARY, *lab.secrets}, ended.out, ended.err, own=own(tmp_path) | lab_files)
    assert found == []


class CrashError(Exception):
    """A defect that nobody has thought of, and that carries what it was given in its text."""


@SOURCES
@pytest.mark.parametrize("transport", ["ssh", "winrm"])
def test_a_crash_that_speaks_of_the_password(
    source: Callable[..., str],
    transport: str,
    tmp_path: Path,
    watch: Watch,
    preflight: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*arguments: Any, **options: Any) -> None:
        raise CrashError(f"no idea what to do with {CANARY!r}: {arguments!r} {options!r}")

    scenario = "chef-healthy" if transport == "ssh" else "secret-server-healthy"
    keys = source(tmp_path, monkeypatch, CANARY).format(name="password")
    with Lab(load_scenario(scenario)) as lab:
        lab_files = {path for path in (tmp_path / "tmpdir").rglob("*") if path.is_file()}
        lab.write(tmp_path)
        port = next(node.server.port for node in lab.nodes if node.server)
        if transport == "ssh":
            monkeypatch.setattr("scanner.transports.ssh.userauth.UserAuth.offer_password", crash)
            text = SSH.format(port=port, user="preflight", keys=keys)
        else:
            monkeypatch.setattr("scanner.transports.winrm.authentication.login.Login.run", crash)
            text = WINRM.format(port=port, auth="ntlm", keys=keys)
        inventory = tmp_path / "own.toml"
        inventory.write_text(text, encoding="utf-8")
        ended = scan_all(preflight, inventory)
        assert ended.code == 3
        assert "Crash" in (tmp_path / "report.json").read_text(encoding="utf-8")
        found = watch.betrays({CANARY}, ended.out, ended.err, own=own(tmp_path) | lab_files)
    assert found == []


@pytest.fixture
def echo() -> Iterator[int]:
    """A web server that answers every request with a fault that quotes the login, as debugging proxies do."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            with wire, contextlib.suppress(OSError):
                wire.settimeout(5)
                request = wire.recv(65536).decode("latin-1")
                code = next(
                    (line[21:] for line in request.split("\r\n") if line.startswith("Authorization: Basic ")), ""
                )
                said = f"{code} is {base64.b64decode(code).decode()}"
                body = (
                    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>'
                    "<s:Value>s:Sender</s:Value><s:Subcode><s:Value>x:y</s:Value></s:Subcode></s:Code>"
                    f"<s:Reason><s:Text>{said}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
                )
                head = f"HTTP/1.1 500 {said}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                wire.sendall((head + body).encode())

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield int(listener.getsockname()[1])
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server.join(5)


def test_a_peer_that_sends_the_password_back(
    echo: int, tmp_path: Path, watch: Watch, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = "insecure = true\n" + from_environment(tmp_path, monkeypatch, CANARY).format(name="password")
    inventory = tmp_path / "own.toml"
    inventory.write_text(WINRM.format(port=echo, auth="basic", keys=keys), encoding="utf-8")
    ended = scan_all(preflight, inventory)
    assert "*** is operator:***" in (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "*** is operator:***" in str(read_evidence(tmp_path / "evidence.json.gz").evidence)
    assert ended.code == 3
    assert watch.betrays({CANARY}, ended.out, ended.err, own=set()) == []


@pytest.mark.parametrize("password", ["Kanárek", "Kanari€nvogel", "Kanari\U0001f424vogel"])
@pytest.mark.parametrize(("auth", "transport"), [("basic", "winrm"), ("ntlm", "winrm"), ("", "ssh")])
def test_no_password_breaks_a_transport_or_is_spelled_out(
    auth: str, transport: str, password: str, tmp_path: Path, watch: Watch
) -> None:
    from dataclasses import replace

    from scanner.secrets.secret import Secret

    name = {"ssh": "ssh-wrong-password", "winrm": "winrm-wrong-password"}[transport]
    with Lab(load_scenario(name)) as lab:
        inventory = load_inventory(lab.write(tmp_path))
        port = next(node.server.port for node in lab.nodes if node.scenario.fault == "wrong-password" and node.server)
        nodes = [node for cluster in resolve(inventory).clusters for node in cluster.nodes]
        node = next(node for node in nodes if port in (getattr(node.winrm, "port", 0), getattr(node.ssh, "port", 0)))
        if node.winrm:
            scheme = {"scheme": "https"} if node.winrm.scheme == "https" else {"insecure": True}
            node = replace(node, winrm=replace(node.winrm, auth=auth, password=Secret(password), **scheme))
        elif node.ssh:
            node = replace(node, ssh=replace(node.ssh, password=Secret(password)))
        job = build_request(select(inventory, (), (), {}))
        said = query_node(
            NodeRequest(node, next(call.probes for call in job.calls() if call.node.name == node.name), Limits(10))
        )
    assert said.failure
    assert "unexpected" not in said.failure
    assert "codec" not in said.failure
    text = repr(said) + watch.log.getvalue()
    assert not any(character in text for character in password if not character.isascii())


@pytest.mark.parametrize(
    "scenario", ["ssh-wrong-password", "winrm-wrong-password", "winrm-psrp-jea", "ssh-cut", "winrm-cut"]
)
def test_tracebacks_of_a_transport_tell_nothing(scenario: str, tmp_path: Path, watch: Watch) -> None:
    """Not even to those who catch the errors and print everything that hangs on them."""
    with Lab(load_scenario(scenario)) as lab:
        inventory = resolve(load_inventory(lab.write(tmp_path)))
        texts = [repr(inventory)]
        for node in (node for cluster in inventory.clusters for node in cluster.nodes if node.transport != "tds"):
            limits = Limits(timeout_s=10)
            door = SshTransport(node, limits) if node.transport == "ssh" else WinrmTransport(node, limits)
            try:
                door.run("true")
            except NodeError as error:
                texts += ["".join(traceback.format_exception(error)), repr(error), repr(vars(error)), repr(door)]
            finally:
                door.close()
        assert len(texts) > 1
        marks = {mark.decode("latin-1") for secret in lab.secrets for mark in spellings(secret)}
    assert not any(mark in text for mark in marks for text in (*texts, watch.log.getvalue()))

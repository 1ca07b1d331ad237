from __future__ import annotations

import io
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import paramiko
import pytest

from checks.facts import Unknown
from scanner.clock import now_s
from scanner.errors import NodeError
from scanner.inventory.model import Node, SshSettings
from scanner.lab.machines.chef_backend.cluster import CommandOutput
from scanner.lab.machines.linux.sh_node import REFUSAL, ShNode, recognise
from scanner.lab.servers.ssh.server import SERVER_FAULTS, Login, SshServer, generate_key, public_key
from scanner.probes.batch.sh import compose, parse, stamps
from scanner.probes.probe import Answer, Probe
from scanner.secrets.secret import Secret
from scanner.transports.protocol import Limits, TransferTimes
from scanner.transports.ssh.transport import SshTransport

KEY = generate_key()
ONE = Probe(id="one", language="sh", purpose="says one", script="echo one", readers=())
TWO = Probe(
    id="two", language="sh", purpose="says two", script="printf 'two, no line end'; exit 3", readers=(), timeout_s=5
)
ROOT = Probe(
    id="root",
    language="sh",
    purpose="needs root",
    script='$SUDO true && echo "$color"',
    readers=(),
    parameters=("color", "shape"),
)
PROBES = (ONE, TWO, ROOT)
TEXTS = {
    "one": CommandOutput("one\n"),
    "two": CommandOutput("two, no line end", 3),
    "root": CommandOutput("it's\nred; export color\n"),
}
NONCE = "0123456789abcdef"


def answers(probe_id: str, sudo: bool) -> CommandOutput:
    return CommandOutput("", 1, "sudo: a password is required\n") if sudo else TEXTS[probe_id]


def batch(*, sudo: bool = False, budget_s: float = 20, probe_bytes: int = 4096) -> str:
    options = {"color": "it's\nred; export color"}
    return compose(PROBES, nonce=NONCE, budget_s=budget_s, options=options, sudo=sudo, probe_bytes=probe_bytes)


def told(node: ShNode, script: str | bytes, *, wait: Callable[[float], object] = lambda _: None) -> tuple[bytes, int]:
    data = script if isinstance(script, bytes) else script.encode()
    greeting = node.greets("sh -s", data.lstrip(b"\n").partition(b"\n")[0] + b"\n", wait)
    parts = list(node.run("sh -s", data, wait=wait))
    assert isinstance(parts[-1], int)
    return greeting + b"".join(part for part in parts if isinstance(part, bytes)), parts[-1]


def shell(clock: Callable[[], str] = lambda: f"{now_s():.9f}") -> ShNode:
    return ShNode({probe.id: probe for probe in PROBES}, answers, {}, clock=clock)


@pytest.fixture
def node() -> ShNode:
    return shell(lambda: "1900000000.25")


@contextmanager
def running(fault: str = "", login: Login | None = None, babble_bytes: int = 20_000_000) -> Iterator[SshServer]:
    before = set(threading.enumerate())
    login = login or Login("ops", "good password", (public_key(KEY),))
    with SshServer(login, shell(), fault=fault, babble_bytes=babble_bytes) as server:
        yield server
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    # The scanner's own threads may take a moment; the server's names tell them apart.
    assert not [thread for thread in left if thread.name.startswith("lab-ssh")]


@pytest.fixture
def moments() -> list[TransferTimes]:
    """When each conversation of `talk` went there and back."""
    return []


@pytest.fixture
def talk(tmp_path: Path, moments: list[TransferTimes]) -> Callable[..., bytes]:
    def ask(
        server: SshServer,
        script: str,
        *,
        timeout_s: float = 10,
        password: str = "",
        gate: AbstractContextManager[object] | None = None,
    ) -> bytes:
        key_file = tmp_path / "key"
        key_file.write_bytes(KEY)
        key_file.chmod(0o600)
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        settings = SshSettings(
            user="ops",
            port=server.port,
            key_file="" if password else str(key_file),
            password=Secret(password) if password else None,
            known_hosts=str(known),
            agent=False,
            ssh_config="",
        )
        node = Node(
            cluster="c",
            name="n",
            host="127.0.0.1",
            product="chef-backend",
            roles=("backend",),
            transport="ssh",
            ssh=settings,
        )
        transport = SshTransport(node, Limits(timeout_s=timeout_s), gate=gate)
        try:
            return transport.run(script)
        finally:
            transport.close()
            moments.append(transport.moments)

    return ask


def test_the_batch_is_answered_from_the_scenario(talk: Callable[..., bytes]) -> None:
    with running() as server:
        found = parse(talk(server, batch()), nonce=NONCE, probe_ids=["one", "two", "root"])
    assert found == {name: Answer(text.output, text.exit_code) for name, text in TEXTS.items()}
    assert server.seen.connections == len(server.seen.commands) == 1
    assert server.seen.logins == ["publickey"]


def test_the_transport_notes_when_the_script_left_and_when_the_answer_was_there(
    talk: Callable[..., bytes], moments: list[TransferTimes]
) -> None:
    at: dict[str, float] = {}

    @contextmanager
    def gate() -> Iterator[None]:
        at["entered"] = now_s()
        yield
        at["left"] = now_s()

    with running() as server:
        said = stamps(talk(server, batch(), gate=gate()), nonce=NONCE)
    (seen,) = moments
    assert said is not None
    assert seen.sent_s is not None
    assert seen.received_s is not None
    # Neither the login, which comes first, nor the waiting for one's turn widens what is known of the node's clock.
    assert at["entered"] < seen.sent_s < said.begun_s < said.ended_s < seen.received_s < at["left"]


def test_a_password_opens_the_door_too(talk: Callable[..., bytes]) -> None:
    with running(login=Login("ops", "good password")) as server:
        talk(server, batch(), password="good password")
    assert server.seen.logins == ["password"]


def test_sudo_is_asked_only_for_what_needs_root(node: ShNode) -> None:
    output, _ = told(node, batch(sudo=True))
    found = parse(output, nonce=NONCE, probe_ids=["one", "root"])
    assert found["one"] == Answer("one\n", 0)
    assert found["root"] == Answer("", 1, error_output="sudo: a password is required")


def at_the_nodes_time(output: bytes) -> bytes:
    """Whatever time it was, and however many of the twenty seconds a loaded machine had spent before a probe's turn."""
    output = re.sub(rb"(begin \w+) 1\d ", rb"\1 20 ", output)
    return re.sub(rb"(clock \w+) \d{10}\.\d{9}\n", rb"\1 1900000000.25\n", output)


@pytest.mark.skipif(not shutil.which("sh"), reason="no sh to compare with")
def test_the_frames_are_those_of_a_real_shell(node: ShNode) -> None:
    script = batch()
    real = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, timeout=20, check=True)
    assert told(node, script) == (at_the_nodes_time(real.stdout), 0)


@pytest.mark.skipif(not shutil.which("sh"), reason="no sh to compare with")
def test_the_cut_is_that_of_a_real_shell(node: ShNode) -> None:
    script = batch(probe_bytes=5)
    real = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, timeout=20, check=True)
    assert told(node, script) == (at_the_nodes_time(real.stdout), 0)
    assert parse(real.stdout, nonce=NONCE, probe_ids=["root"])["root"] == Answer("it's\n", 0, truncated=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("echo one", "echo two"),
        lambda text: text + "\n",
        lambda text: text[:-1],
        lambda text: text.replace("cd /\n", "cd /\nrm -rf /tmp/x\n"),
        lambda text: text.replace("\nexit 0\n", "\nreboot\nexit 0\n"),
        lambda text: text.replace("pf_probe one", "pf_probe other"),
        lambda text: text.replace("pf_probe two 5", "pf_probe two 50"),
        lambda text: text.replace("; export color\n", "; touch /tmp/x; export color\n"),
        lambda text: text.replace(f"pf_nonce={NONCE}", f"pf_nonce={NONCE}$(id)"),
        lambda text: text.replace("'", '"'),
        lambda _: "",
        lambda _: "id",
        lambda _: "{\n",
    ],
)
def test_what_is_not_the_batch_to_the_byte_is_refused(node: ShNode, spoil: Callable[[str], str]) -> None:
    script = spoil(batch())
    assert script != batch()
    output, code = told(node, script)
    assert (output.removeprefix(f"{NONCE}-ready\n".encode()), code) == (REFUSAL, 127)


def test_bytes_that_are_no_text_are_refused(node: ShNode) -> None:
    assert told(node, batch().encode() + b"\xff")[1] == 127


def test_options_come_back_as_they_were_sent() -> None:
    found = recognise(batch(), {probe.id: probe for probe in PROBES})
    assert found is not None
    assert (found.nonce, found.budget_s, found.probe_bytes, found.sudo) == (NONCE, 20, 4096, False)
    assert found.probes == PROBES


def test_a_slow_probe_times_out_and_makes_the_others_late() -> None:
    waited: list[float] = []
    node = ShNode({probe.id: probe for probe in PROBES}, answers, {"two": 60.0}, clock=lambda: "1900000000")
    output, code = told(node, batch(budget_s=4), wait=waited.append)
    found = parse(output, nonce=NONCE, probe_ids=["one", "two", "root"])
    assert code == 0
    assert waited == [0.0, 0.0, 4, *waited[3:]]
    assert found["one"] == Answer("one\n", 0)
    assert found["two"] == Unknown("timed out on the node after 4 s")
    assert isinstance(late := found["root"], Unknown)
    assert "time was used up" in late.reason


def client(server: SshServer, key: bytes = KEY) -> paramiko.Transport:
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", server.port), 5))
    transport.set_log_channel("scanner.lab.ssh")
    transport.connect(username="ops", pkey=paramiko.Ed25519Key.from_private_key(io.StringIO(key.decode())))
    return transport


@pytest.mark.parametrize("command", ["id", "bash -s", "sh -c id", "sh -s; id", "/usr/bin/python3 -"])
def test_a_foreign_command_is_not_found(command: str) -> None:
    with running() as server:
        transport = client(server)
        channel = transport.open_session(timeout=5)
        channel.exec_command(command)
        said = channel.recv(1000)
        assert channel.recv_exit_status() == 127
        transport.close()
    assert b"not found" in said


def test_strangers_do_not_get_in() -> None:
    with running() as server:
        with pytest.raises(paramiko.AuthenticationException):
            client(server, generate_key())
        for user, password in (("ops", "bad password"), ("root", "good password"), ("ops", "")):
            transport = paramiko.Transport(socket.create_connection(("127.0.0.1", server.port), 5))
            with pytest.raises(paramiko.AuthenticationException):
                transport.connect(username=user, password=password)
            transport.close()
    assert server.seen.logins == []
    assert server.seen.refused == 4


@pytest.mark.parametrize("fault", SERVER_FAULTS)
def test_no_fault_outlives_its_server(fault: str, talk: Callable[..., bytes]) -> None:
    found: dict[str, Answer | Unknown] = {}
    line = ""
    with running(fault) as server:
        try:
            found = parse(talk(server, batch(), timeout_s=1), nonce=NONCE, probe_ids=["one", "two"])
        except NodeError as error:
            line = str(error)
    assert "\n" not in line
    if not line:
        # These end like good answers, and are not.
        assert fault in ("empty", "garbage", "truncated", "non-utf8")
        assert [answer for answer in found.values() if isinstance(answer, Unknown) or "\\xff" in answer.output]


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="there are: refuse"):
        SshServer(Login("ops"), shell(), fault="explode")

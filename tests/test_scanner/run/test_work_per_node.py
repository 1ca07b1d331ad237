"""What is the same for all nodes of an estate is done once, and not for each of them."""

from __future__ import annotations

import base64
import json
import pickle
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from checks.facts import Unknown
from scanner.inventory.model import Node, SshSettings, WinrmSettings
from scanner.inventory.redactor import redactor
from scanner.probes.batch import powershell, sh
from scanner.probes.probe import Answer, Probe
from scanner.probes.registry import BUILTIN
from scanner.run.engines.turns import unhurried
from scanner.run.node import compose
from scanner.secrets import masking, redaction
from scanner.secrets.masking import masked
from scanner.secrets.secret import Secret

NODES = 20
SH = tuple(probe for probe in BUILTIN if probe.language == "sh")
POWERSHELL = tuple(probe for probe in BUILTIN if probe.language == "powershell")


class Counted:
    """Stands in the place of a function, and counts its calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        self.calls = 0
        self._work: Callable[..., Any] = getattr(owner, name)
        monkeypatch.setattr(owner, name, self)

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.calls += 1
        return self._work(*args, **more)


def compiled(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch, sys.modules["re._compiler"], "compile")


def sh_node() -> Node:
    return Node(
        cluster="c",
        name="b1",
        host="b1",
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=SshSettings(),
    )


def windows_node() -> Node:
    return Node(
        cluster="c",
        name="web1",
        host="web1",
        product="secret-server",
        roles=("web",),
        transport="winrm",
        winrm=WinrmSettings(),
    )


def sh_answer(nonce: str, probes: tuple[Probe, ...]) -> bytes:
    frames = [f"{nonce}-ready", "", f"{nonce} clock begun 1795707055.5", ""]
    for probe in probes:
        frames += [f"{nonce} begin {probe.id} 30 1000", "text", "", f"{nonce} errors {probe.id} 1000", "no", ""]
        frames += [f"{nonce} end {probe.id} 0", ""]
    return "\n".join([*frames, f"{nonce} clock ended 1795707056", "", f"{nonce} done", ""]).encode()


def test_no_pattern_is_compiled_for_a_node_that_answers_in_sh(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [probe.id for probe in SH]

    def ask() -> dict[str, Answer | Unknown]:
        nonce = secrets.token_hex(16)
        compose(sh_node(), SH, nonce=nonce, budget_s=50, probe_bytes=1000)
        output = sh_answer(nonce, SH)
        assert sh.stamps(output, nonce=nonce) is not None
        return sh.parse(output, nonce=nonce, probe_ids=ids)

    assert ask() == dict.fromkeys(ids, Answer("text\n", 0, error_output="no"))
    patterns = compiled(monkeypatch)
    for _ in range(NODES):
        ask()
    assert not patterns.calls, "to compile the frames' pattern with the nonce took longer than all else with an answer"


def test_no_pattern_is_compiled_for_a_node_that_answers_in_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> dict[str, Answer | Unknown]:
        nonce = secrets.token_hex(16)
        compose(windows_node(), POWERSHELL[:3], nonce=nonce, budget_s=50, probe_bytes=1000)
        told = {"probes": {"a": {"value": 1}}, "begun": 639 * 10**15, "ended": 639 * 10**15 + 1}
        whole = base64.b64encode(json.dumps(told).encode())
        mark = nonce.encode()
        output = mark + b":plain:" + whole + b":" + mark + b"\r\n"
        assert powershell.stamps(output, nonce=nonce) is not None
        return powershell.parse(output, nonce=nonce, probe_ids=["a"])

    assert ask() == {"a": Answer("1", 0)}
    patterns = compiled(monkeypatch)
    for _ in range(NODES):
        ask()
    assert not patterns.calls


def test_a_script_is_quoted_once_for_all_nodes_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> str:
        return compose(sh_node(), SH, nonce=secrets.token_hex(16), budget_s=50, probe_bytes=1000)

    first = script()
    quoted = Counted(monkeypatch, shlex, "quote")
    others = [script() for _ in range(NODES)]
    assert quoted.calls <= 3 * NODES < len(SH) * NODES, "the nonce, and what goes before each command, and no probe"
    assert len({first, *others}) == NODES + 1, "and each has a nonce of its own"
    heads = {re.sub(r"[0-9a-f]{32}", "", each) for each in (first, *others)}
    assert len(heads) == 1


def test_an_option_of_one_node_is_not_in_the_script_of_another() -> None:
    asks = Probe(id="it", language="sh", purpose="a test", script='echo "$web"', readers=(), parameters=("web",))
    scripts = [
        sh.compose((asks,), nonce="7f3a00nonce", budget_s=50, options=options, sudo=False, probe_bytes=1000)
        for options in ({"web": "first"}, {"web": "other"}, {})
    ]
    assert ["web=first; export web" in each for each in scripts] == [True, False, False]
    assert ["web=other; export web" in each for each in scripts] == [False, True, False]
    assert ["unset web" in each for each in scripts] == [False, False, True]


def test_how_a_secret_may_be_spelled_is_worked_out_once_for_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        Node(
            cluster="c",
            name=f"b{number}",
            host=f"b{number}",
            product="chef-backend",
            roles=("backend",),
            transport="ssh",
            ssh=SshSettings(user="preflight", password=Secret("correct horse battery")),
        )
        for number in range(NODES)
    ]
    raw = Counted(monkeypatch, redaction, "raw_spellings")
    plain = Counted(monkeypatch, redaction, "plain_spellings")
    redaction._redactor.cache_clear()
    for _ in nodes:
        # Each node's call has the secrets of all; an engine may send it to another process, and get it back.
        hide = pickle.loads(pickle.dumps(redactor(nodes)))
        assert hide("it says correct horse battery") == "it says ***"
    assert (raw.calls, plain.calls) == (1, 1)


def test_a_text_without_any_sign_of_a_secret_meets_no_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotLooked:
        def sub(self, *_: object) -> str:
            raise AssertionError("a pattern was tried")

    for name in ("_HEADER", "_BESIDE"):
        monkeypatch.setattr(masking, name, NotLooked())
    monkeypatch.setattr(masking, "_IN_PLACE", tuple((NotLooked(), sign) for _, sign in masking._IN_PLACE))
    for text in ("", "ls: cannot access '/var/opt': No such file or directory", "Größe: 3 GiB", "x" * 10_000):
        assert masked(text) is text
    with pytest.raises(AssertionError, match="tried"):
        masked("PassWord=1")


def test_what_speaks_ssh_is_loaded_without_a_tool_for_building_software() -> None:
    script = """
import sys
import scanner.transports.ssh.transport
loaded = sorted(name for name in ("invoke.context", "unittest.mock", "yaml") if name in sys.modules)
assert not loaded, loaded
import invoke
assert callable(invoke.run) and "invoke.context" in sys.modules, "whoever uses it has it"
from invoke import Context
assert Context is invoke.Context is sys.modules["invoke"].Context
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_threads_are_let_go_on_for_longer_while_nodes_are_asked_and_only_then() -> None:
    def interrupted() -> None:
        with unhurried():
            assert sys.getswitchinterval() > before, "each thread that waits for its turn wakes up so often"
            raise KeyboardInterrupt

    before = sys.getswitchinterval()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sys.getswitchinterval() == before

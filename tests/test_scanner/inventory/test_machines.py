"""Machines named on the command line: the same questions as with an inventory, and never more certain than it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from checks.check import ClusterCheck, ClusterInfo, ClusterView, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Outcome, Remediation, Severity, Status, failed
from scanner.lab.lab import Lab
from scanner.loading.from_options import Machines, named_inventory

Preflight = Callable[..., Any]

CHEF = ("--product", "chef-backend", "--role", "backend")
WINDOWS = ("--product", "secret-server", "--role", "web")


@contextmanager
def laboratory(scenario: str, folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A running lab's inventory, as a file and as a table."""
    with Lab(scenario) as lab:
        path = lab.write(folder)
        yield path, tomllib.loads(path.read_text(encoding="utf-8"))


def options(table: dict[str, Any], node: str) -> list[str]:
    """What reaches a node of the lab without its inventory."""
    (cluster,) = table["clusters"].values()
    keys = {**table["defaults"]["ssh"], **cluster["nodes"][node]}
    login = ("--user", keys["user"], "--key-file", keys["key_file"], "--sudo")
    kept = (f"known_hosts={keys['known_hosts']}", "agent=false", "ssh_config=")
    place = ("--host", keys["host"], "--port", str(keys["port"]))
    return [*place, *login, *(word for text in kept for word in ("--set", text))]


def judged(path: Path) -> dict[str, tuple[str, str]]:
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {row["check"]: (row["status"], row["message"]) for row in rows}


@pytest.mark.parametrize("node", ["backend-1", "backend-2"])
def test_one_backend_says_of_itself_what_it_says_in_an_inventory(
    preflight: Preflight, tmp_path: Path, node: str
) -> None:
    with laboratory("chef-healthy", tmp_path) as (inventory, table):
        listed = preflight("scan", inventory, "--json", tmp_path / "listed.json", "-q")
        named = preflight("scan", *options(table, node), *CHEF, "--json", tmp_path / "named.json", "--target", "2.3.16")
    assert (listed.code, named.code) == (0, 3), "a follower alone is no cluster without a leader, a leader alone no GO"
    rows = json.loads((tmp_path / "listed.json").read_text(encoding="utf-8"))["results"]
    own = {row["check"]: (row["status"], row["message"]) for row in rows if row["node"] == node}
    whole = {row["check"]: row["status"] for row in rows if row["node"] is None}
    found = judged(tmp_path / "named.json")
    assert {check: found[check] for check in own} == own
    assert {found[check][0] for check, status in whole.items() if status == "pass"} == {"error"}
    assert "about the whole cluster, whose other nodes are not named" in found["chef-leaderl"][1]
    document = json.loads((tmp_path / "named.json").read_text(encoding="utf-8"))
    assert (document["inventory"], "inventory_digest" in document) == ("--host 127.0.0.1", False)
    assert "Name every machine of chef-backend with a --host of its own and say --whole" in named.out


def test_collect_and_probes_take_the_same_machines(preflight: Preflight, tmp_path: Path) -> None:
    with laboratory("chef-healthy", tmp_path) as (_, table):
        named = [*options(table, "backend-1"), *CHEF]
        assert preflight("collect", *named, "-o", tmp_path / "e.json").code == 0
    kept = preflight("scan", *named, "--from", tmp_path / "e.json", "--json", tmp_path / "r.json")
    assert (kept.code, judged(tmp_path / "r.json")["chef-sentinels"][0]) == (3, "pass")
    shown = preflight("probes", *named)
    assert (shown.code, "chef-backend-ctl cluster-status" in shown.out) == (0, True)


def test_a_baseline_of_named_machines_is_compared_with_them(preflight: Preflight, tmp_path: Path) -> None:
    approved = tmp_path / "backend.baseline.json"
    with laboratory("chef-healthy", tmp_path) as (_, table):
        named = [*options(table, "backend-1"), *CHEF, "--check", "chef-package-staged", "--check", "disk-space"]
        who = ["--by", "Ada", "--allow-incomplete", "-q"]
        asked = [word for word in named if word not in ("--check", "chef-package-staged", "disk-space")]
        wrote = preflight("baseline", *asked, "-o", approved, *who)
        same = preflight("drift", *named, "--baseline", approved)
    assert (wrote.code, json.loads(approved.read_text("utf-8"))["inventory"]) == (0, "--host 127.0.0.1"), wrote.err
    assert (same.code, "NO DRIFT" in same.out) == (0, True), same.out
    for command, option in (("baseline", "--output"), ("drift", "--baseline")):
        nameless = preflight(command, "--local", *CHEF)
        assert (nameless.code, nameless.err.split(":")[1].strip()) == (2, option)
        assert "without an inventory there is no name that it could be taken from" in nameless.err


def test_this_machine_itself(preflight: Preflight, tmp_path: Path) -> None:
    ended = preflight("scan", "--local", *CHEF, "--json", tmp_path / "r.json")
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (ended.code, document["inventory"], document["nodes"][0]["transport"]) == (3, "--local", "local")
    assert "it is no Chef Backend node" in judged(tmp_path / "r.json")["connectivity"][1]


def test_the_password_is_typed_once_and_shown_nowhere(tmp_path: Path) -> None:
    with laboratory("secret-server-healthy", tmp_path) as (_, table):
        web = table["clusters"]["vault"]["nodes"]["web1"]
        arguments = ["--host", "127.0.0.1", "--host", "localhost", "--port", str(web["port"]), "--ask-password"]
        arguments += ["--user", "LAB\\preflight", "--set", f"ca_file={tmp_path / 'ca.pem'}"]
        command = ["scan", *arguments, *WINDOWS, "--json", str(tmp_path / "r.json"), "--check", "connectivity"]
        password = (tmp_path / "password").read_text(encoding="utf-8").strip()
        code, seen = typed(command, password, tmp_path)
    assert seen.count("Password for LAB\\preflight on 2 machines: ") == 1
    assert (code, password in seen) == (0, False), seen
    assert password not in (tmp_path / "r.json").read_text(encoding="utf-8")
    found = judged(tmp_path / "r.json")
    assert found["connectivity"][0] == "pass", found["connectivity"]


def test_a_password_that_is_not_typed(tmp_path: Path) -> None:
    arguments = ["scan", "--host", "web1.invalid", *WINDOWS, "--ask-password", "--user", "LAB\\preflight"]
    code, seen = typed(arguments, "", tmp_path)
    assert (code, "no password was typed" in seen, "asking" in seen) == (2, True, False)


def typed(arguments: list[str], answer: str, folder: Path) -> tuple[int, str]:
    """How the command ends where somebody at a terminal types `answer`, and all that the terminal shows."""
    master, slave = pty.openpty()

    def take_the_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = [sys.executable, "-m", "scanner", *arguments]
    seen = b""
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        start_new_session=True,
        preexec_fn=take_the_terminal,  # noqa: PLW1509  the one thing that a new session needs
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        os.close(slave)
        asked = False
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the terminal's end, on Linux
                break
            if not chunk:
                break
            seen += chunk
            if not asked and b"Password for" in seen:
                asked = True
                os.write(master, answer.encode() + b"\n")
        code = process.wait(60)
    os.close(master)
    return code, seen.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inventory.toml", "--host", "b1"], "inventory.toml and --host contradict each other"),
        (["inventory.toml", "--local"], "inventory.toml and --local contradict each other"),
        (["inventory.toml", "--user", "x", "--whole"], "--user and --whole: an inventory says that itself"),
        (["--local", "--host", "b1"], "--host and --local contradict each other"),
        ([], "or a machine: --host NAME --product PRODUCT --role ROLE"),
        (["--host", "b1"], "--product: missing; one of secret-server, chef-backend"),
        (["--host", "b1", "--product", "chef"], 'did you mean "chef-backend"?'),
        (["--host", "b1", "--product", "chef-backend"], "--role: missing; what does the machine do? backend ("),
        (["--host", "b1", "--product", "chef-backend", "--role", "web"], '"web" is no role of chef-backend'),
        (["--host", "b1:22", *CHEF], "--host: expected a host name or an IP address"),
        (["--host", "b1", "--host", "b1", *CHEF], "is given twice"),
        (["--host", "b1", "--host", "B1", *CHEF], '--host: is the same machine as node "b1"'),
        (["--host", "b1", *CHEF, "--transport", "winrm"], "--transport: chef-backend is read over ssh or local"),
        (["--host", "b1", *CHEF, "--port", "99999"], "--port: 99999 is out of range"),
        (["--host", "b1", *CHEF, "--set", "verify=false"], "--set verify: is a key of winrm and tds"),
        (["--host", "b1", *CHEF, "--set", "agent=maybe"], "--set agent: expected true or false"),
        (["--host", "b1", *CHEF, "--set", "agnt=false"], 'did you mean "agent"?'),
        (["--host", "b1", *CHEF, "--set", "nodes"], "--set: expected KEY=VALUE"),
        (["--host", "b1", *CHEF, "--set", "roles=web"], "--set roles: has an option of its own, --role"),
        (["--local", *CHEF, "--user", "x"], "--user: is a key of winrm and ssh"),
        (["--host", "web1", *WINDOWS], "--user: missing; auth ntlm needs it"),
        (["--host", "web1", *WINDOWS], "--ask-password: no password; give this, or --set password_env=NAME"),
    ],
)
def test_what_cannot_be_meant_is_told_in_the_options_own_words(
    preflight: Preflight, arguments: list[str], said: str
) -> None:
    ended = preflight("scan", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "clusters." not in ended.err


def test_a_password_never_stands_on_the_command_line(preflight: Preflight) -> None:
    ended = preflight("scan", "--host", "b1", *CHEF, "--set", "password=hunter22-and-more")
    assert ended.code == 2
    assert "secrets are never written" in ended.err
    assert "hunter22" not in ended.err


def test_nobody_can_be_asked_without_a_terminal(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.loading.from_options.has_terminal", lambda: False)
    ended = preflight("scan", "--host", "web1", *WINDOWS, "--user", "x", "--ask-password")
    assert (ended.code, "there is no terminal to ask on" in ended.err) == (2, True)


def test_any_key_of_an_inventory_can_be_set() -> None:
    said = Machines(
        host=["web1", "web2"],
        product="secret-server",
        role=["web", "database"],
        user="CORP\\svc",
        settings=["password_env=PW", "connect_timeout=2.5", "verify=false", "dpapi=off", "sql_port=1500", "path=/a=b"],
        whole=True,
    )
    (cluster,) = named_inventory(said).clusters
    node = cluster.nodes[1]
    assert (cluster.options["dpapi"], cluster.open_ended, node.options["sql_port"]) == ("off", False, 1500)
    assert node.winrm is not None
    assert (node.winrm.user, node.winrm.verify, node.winrm.connect_timeout_s, node.winrm.path) == (
        "CORP\\svc",
        False,
        2.5,
        "/a=b",
    )


def check(*statuses: Status) -> ClusterCheck:
    """A check that says one thing of one node, and another of more."""

    def judge(view: ClusterView) -> Outcome:
        status = statuses[min(len(view.nodes), len(statuses)) - 1]
        return failed("bad") if status is Status.FAIL else Outcome(status, "well")

    return ClusterCheck(id="c", title="C", severity=Severity.HIGH, doc="", remediation=Remediation("x"), judge=judge)


@pytest.mark.parametrize(
    ("statuses", "open_ended", "told"),
    [
        ((Status.PASS,), False, Status.PASS),
        ((Status.PASS,), True, Status.ERROR),
        ((Status.WARN,), True, Status.ERROR),
        ((Status.SKIP,), True, Status.ERROR),
        ((Status.FAIL,), True, Status.FAIL),
        ((Status.FAIL, Status.PASS), False, Status.FAIL),
        ((Status.FAIL, Status.PASS), True, Status.ERROR),
        ((Status.FAIL, Status.ERROR), True, Status.ERROR),
    ],
)
def test_of_a_cluster_with_others_only_what_they_cannot_change_is_told(
    statuses: tuple[Status, ...], open_ended: bool, told: Status
) -> None:
    info = ClusterInfo("prod", "chef-backend", open_ended=open_ended)
    node = NodeView(cluster=info, name="b1", host="b1", roles=frozenset({"backend"}))
    (result,) = evaluate([check(*statuses)], [GatheredCluster(info, (node,), frozenset({"b1"}))])
    assert result.status is told
    assert result.follows == (("unnamed:prod",) if told is Status.ERROR else ())


def test_whole_says_that_there_are_no_others(preflight: Preflight, tmp_path: Path) -> None:
    with laboratory("chef-healthy", tmp_path) as (_, table):
        named = [*options(table, "backend-1"), *CHEF, "--target", "2.3.16", "--json", tmp_path / "r.json"]
        preflight("scan", *named, "--whole")
    found = judged(tmp_path / "r.json")
    assert found["stepping-stone"][0] == "pass"
    assert "the cluster 3: each has to be asked" in found["chef-cluster-status"][1]

"""`preflight discover` on the lab: what it writes is what somebody would have written who knows the cluster."""

from __future__ import annotations

import json
import socket
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import parse_scenario

Preflight = Callable[..., Any]

CHEF = """
title = "A cluster that can be discovered"
extends = "chef-frontends"
[clusters.chef.nodes.backend-1.linux]
connections = ["10.0.0.12:5432", "10.0.0.21:5432", "10.0.0.21:9200", "10.0.0.22:5432", "10.0.0.99:22", "127.0.0.1:9200"]
"""
VAULT = """
title = "A cluster that can be discovered"
extends = "secret-server-healthy"
[clusters.vault.defaults]
scheme = "http"
[clusters.vault.nodes.web1.windows]
connections = ["10.0.0.31:1433", "10.0.0.7:443"]
computer_name = "WEB1"
[[clusters.vault.nodes.sql1.windows.sql]]
version = "15.0.2000.5"
[[clusters.vault.nodes.sql1.windows.sql.databases]]
sessions = ["WEB1", "WEB2", "WEB3"]
"""
ADDRESSES = {
    **{f"10.0.0.1{number}": f"backend-{number}" for number in (1, 2, 3)},
    **{f"10.0.0.2{number}": f"frontend-{number}" for number in (1, 2)},
    "10.0.0.31": "sql1",
    **{f"web{number}": f"web{number}" for number in (1, 2, 3)},
}
"""What the lab's machines are called where they know of each other, and which node of the lab it is."""


@contextmanager
def laboratory(
    scenario: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, list[str], dict[str, Any]]]:
    """A running lab's inventory, the options of its logins, and its nodes; its machines answer at addresses of their
    own.
    """
    with Lab(parse_scenario(scenario)) as lab:
        path = lab.write(folder)
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        (cluster,) = table["clusters"].values()
        nodes = cluster["nodes"]
        real = socket.getaddrinfo

        def found(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
            if host in ADDRESSES and ADDRESSES[host] in nodes:
                port = nodes[ADDRESSES[host]]["port"]
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            return real(host, port, *rest, **named)

        monkeypatch.setattr(socket, "getaddrinfo", found)
        monkeypatch.setattr(socket, "gethostbyaddr", _nameless)
        yield path, logins(table["defaults"], cluster["product"]), nodes


def _nameless(address: str) -> Any:
    raise socket.herror(f"nobody knows {address}")


def logins(defaults: Mapping[str, Any], product: str) -> list[str]:
    ssh, winrm = defaults.get("ssh"), defaults.get("winrm")
    words = ["--product", product]
    if ssh:
        words += ["--user", ssh["user"], "--key-file", ssh["key_file"], "--sudo"]
        words += ["--set", f"known_hosts={ssh['known_hosts']}", "--set", "agent=false", "--set", "ssh_config="]
        words += ["--set", "host_key_policy=accept-new"]  # the lab's keys are known by their ports
    if winrm:
        words += ["--user", winrm["user"], "--set", f"password_file={winrm['password_file']}", "--set", "scheme=http"]
    return words


def statuses(path: Path) -> list[tuple[str, str]]:
    """Check and status of every result, whatever the nodes are called."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return sorted((row["check"], row["status"]) for row in document["results"])


def targeted(path: Path, target: str, **more: str) -> None:
    """Fill in what only people know."""
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    at = next(number for number, line in enumerate(lines) if line.startswith("product = ")) + 1
    keys = {"target": target, **more}
    path.write_text("\n".join([*lines[:at], *(f'{key} = "{value}"' for key, value in keys.items()), *lines[at:]]))


def test_a_backend_tells_its_cluster_and_the_inventory_scans_to_the_same(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = tmp_path / "drawn.toml"
    with laboratory(CHEF, tmp_path, monkeypatch) as (inventory, login, _):
        ended = preflight("discover", "10.0.0.11", *login, "-o", drawn, "--name", "chef")
        assert (ended.code, f"wrote {drawn}" in ended.out) == (0, True), ended.err
        assert preflight("validate", drawn).code == 0
        assert preflight("validate", drawn, "--connect").code == 0
        targeted(drawn, "2.3.16")
        by_hand = preflight("scan", inventory, "--json", tmp_path / "hand.json", "-q")
        drawn_up = preflight("scan", drawn, "--json", tmp_path / "drawn.json", "-q")
    assert by_hand.code == drawn_up.code == 0, drawn_up.out
    assert statuses(tmp_path / "drawn.json") == statuses(tmp_path / "hand.json")
    nodes = tomllib.loads(drawn.read_text(encoding="utf-8"))["clusters"]["chef"]["nodes"]
    assert {name: (node["host"], node["roles"]) for name, node in nodes.items()} == {
        "backend-1": ("10.0.0.11", ["backend"]),
        "backend-2": ("10.0.0.12", ["backend"]),
        "backend-3": ("10.0.0.13", ["backend"]),
        "frontend-1": ("10.0.0.21", ["frontend"]),
        "frontend-2": ("10.0.0.22", ["frontend"]),
    }


def test_what_is_guessed_says_so_and_what_is_not_known_is_blank(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with laboratory(CHEF, tmp_path, monkeypatch) as (_, login, _):
        ended = preflight("discover", "10.0.0.11", *login)
    text = " ".join(ended.out.replace("\n# ", " ").split())
    assert "Guess: 10.0.0.21 is connected with Elasticsearch and PostgreSQL of 10.0.0.11, as frontends are." in text
    assert '#target = "2.3.16"' in ended.out
    assert tomllib.loads(ended.out)["defaults"]["ssh"]["sudo"] is True
    assert "10.0.0.99" not in ended.out


def test_a_follower_sends_you_to_the_leader_for_the_frontends(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with laboratory(CHEF, tmp_path, monkeypatch) as (_, login, _):
        ended = preflight("discover", "10.0.0.12", *login)
    assert ended.code == 0
    assert "not found out: the frontends: nobody beside the members" in ended.err
    assert "preflight discover 10.0.0.11" in ended.err
    assert "frontend" not in tomllib.loads(ended.out)["clusters"]["chef-backend"]["nodes"]


def test_a_web_node_tells_its_database_and_that_the_other_web_nodes(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = tmp_path / "drawn.toml"
    with laboratory(VAULT, tmp_path, monkeypatch) as (inventory, login, _):
        ended = preflight("discover", "web1", *login, "-o", drawn)
        assert ended.code == 0, ended.err
        assert preflight("validate", drawn, "--connect").code == 0
        targeted(drawn, "11.7.000049", dpapi="off")
        by_hand = preflight("scan", inventory, "--json", tmp_path / "hand.json", "-q")
        drawn_up = preflight("scan", drawn, "--json", tmp_path / "drawn.json", "-q")
    nodes = tomllib.loads(drawn.read_text(encoding="utf-8"))["clusters"]["secret-server"]["nodes"]
    assert {node["host"]: node["roles"] for node in nodes.values()} == {
        **{f"web{number}": ["web"] for number in (1, 2, 3)},
        "10.0.0.31": ["database"],
    }
    assert by_hand.code == drawn_up.code, drawn_up.out
    assert statuses(tmp_path / "drawn.json") == statuses(tmp_path / "hand.json")


def test_a_database_that_may_not_be_asked_leaves_a_blank(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"{VAULT}\n[clusters.vault.nodes.sql1]\nfault = 'wrong-password'\n".replace(
        "[[clusters.vault.nodes.sql1.windows.sql]]", "[[clusters.vault.nodes.sql1.windows.sql]]", 1
    )
    with laboratory(closed.replace("10.0.0.31:1433", "10.9.9.9:1433"), tmp_path, monkeypatch) as (_, login, _):
        monkeypatch.setitem(ADDRESSES, "10.9.9.9", "nobody")
        ended = preflight("discover", "web1", *login, "--set", "connect_timeout=0.2")
    nodes = tomllib.loads(ended.out)["clusters"]["secret-server"]["nodes"]
    assert (ended.code, sorted(nodes)) == (0, ["database-1", "web1"])
    assert "not found out: the other web nodes: 10.9.9.9 could not be asked" in ended.err


def test_no_connection_to_a_database_is_a_blank_to_fill_in(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = VAULT.replace('"10.0.0.31:1433"', '"10.0.0.31:50123"')
    with laboratory(alone, tmp_path, monkeypatch) as (_, login, _):
        ended = preflight("discover", "web1", *login)
    assert ended.code == 0
    assert '#[clusters.secret-server.nodes.sql1]\n#host = "fill-in.example"' in ended.out
    assert "may be among 10.0.0.31 port 50123" in ended.err
    assert list(tomllib.loads(ended.out)["clusters"]["secret-server"]["nodes"]) == ["web1"]


FAILING = [
    ("10.0.0.21", "", 2, ["is no Chef Backend node", "chef-server.rb names 10.0.0.11, 10.0.0.12 and 10.0.0.13"]),
    ("10.0.0.1", "", 3, ["10.0.0.1", "nothing was written"]),
    ("10.0.0.11", "fault = 'cut'", 3, ["nothing was written"]),
    ("10.0.0.11", "fault = 'sudo-denied'", 3, ["did not tell the members of its cluster", "sudo"]),
    ("10.0.0.11", "answers = {chef-cluster-status = {output = 'Name IP', exit = 0}}", 3, ["did not tell the members"]),
    ("10.0.0.11", "linux = {foreign = true}", 2, ["is no Chef Backend node"]),
]


@pytest.mark.parametrize(("host", "keys", "code", "told"), FAILING, ids=[f"{row[0]} {row[1][:14]}" for row in FAILING])
def test_what_goes_wrong_is_told_and_leaves_no_file(
    preflight: Preflight,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    keys: str,
    code: int,
    told: list[str],
) -> None:
    scenario = f"{CHEF}\n[clusters.chef.nodes.backend-1]\n{keys}\n" if "linux" not in keys else CHEF
    if "linux" in keys:
        scenario = 'title = "x"\nextends = "chef-frontends"\n[clusters.chef.nodes.backend-1.linux]\nforeign = true\n'
    drawn = tmp_path / "drawn.toml"
    with laboratory(scenario, tmp_path, monkeypatch) as (_, login, _):
        monkeypatch.setitem(ADDRESSES, "10.0.0.1", "nobody")
        ended = preflight("discover", host, *login, "-o", drawn, "--set", "connect_timeout=0.2")
    assert (ended.code, drawn.exists(), ended.out) == (code, False, "")
    for text in told:
        assert text in ended.err


def test_an_existing_file_is_left_as_it_is(preflight: Preflight, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.toml"
    drawn.write_text("mine")
    ended = preflight("discover", "10.0.0.1", "--product", "chef-backend", "-o", drawn)
    assert (ended.code, "exists and is left as it is" in ended.err, drawn.read_text()) == (2, True, "mine")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["be1"], "--product: missing"),
        (["be1", "--product", "chef-backnd"], 'did you mean "chef-backend"'),
        (["web1", "--product", "secret-server"], "--ask-password: no password"),
        (["be1", "--product", "chef-backend", "--set", "nonsense"], "expected KEY=VALUE"),
        (["be 1", "--product", "chef-backend"], "--host"),
    ],
)
def test_a_wrong_call_is_told_before_anybody_is_asked(preflight: Preflight, arguments: list[str], told: str) -> None:
    ended = preflight("discover", *arguments)
    assert (ended.code, told in ended.err) == (2, True), ended.err


def test_everything_that_would_be_sent_can_be_seen(preflight: Preflight) -> None:
    chef = preflight("discover", "be1", "--product", "chef-backend", "--sudo", "--show")
    assert (chef.code, "chef-backend-ctl cluster-status" in chef.out, "/proc/net/tcp" in chef.out) == (0, True, True)
    login = ("--user", "CORP\\svc", "--set", "password_env=X")
    vault = preflight("discover", "web1", "--product", "secret-server", *login, "--show")
    assert (vault.code, "GetActiveTcpConnections" in vault.out, "sys.sysprocesses" in vault.out) == (0, True, True)
    assert "database.config" not in vault.out.replace("database-config", "")


def test_a_hostile_machine_writes_no_line_of_its_own(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = f"Name  IP  GUID  Role  PG  ES\\nbe1  10.0.0.11  {'a' * 32}  leader\\u001b[31m  leader  master\\n"
    said = {"chef-version": "2.3.16\\u0007 x]\\n[run]\\nparallel = 1", "chef-cluster-status": rows}
    answers = "".join(f'answers.{probe} = {{output = "{text}", exit = 0}}\n' for probe, text in said.items())
    with laboratory(f"{CHEF}\n[clusters.chef.nodes.backend-1]\n{answers}\n", tmp_path, monkeypatch) as (_, login, _):
        ended = preflight("discover", "10.0.0.11", *login)
    assert "\x1b" not in ended.out + ended.err
    assert ended.code == 3 or set(tomllib.loads(ended.out)) == {"defaults", "clusters"}

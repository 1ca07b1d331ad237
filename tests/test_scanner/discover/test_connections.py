"""Whom a machine is connected with, however the machine can say it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from checks.common.connection_facts import Connection, ServicePorts, TcpConnections
from scanner.probes.chef_backend.service_ports import PROBE as PORTS
from scanner.probes.chef_backend.service_ports import read_service_ports
from scanner.probes.linux.connections import PROBE as CONNECTIONS
from scanner.probes.linux.connections import read_tcp_connections
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.secret_server.host.host_readers import tcp_connections
from tests.field.samples import FOLDER, text_of

SAMPLES = FOLDER / "connections"


def read(name: str) -> TcpConnections:
    return read_tcp_connections(Answer(text_of(SAMPLES / name), 0))


@pytest.mark.parametrize("name", ["ss.txt", "netstat.txt"])
def test_all_three_ways_say_the_same(name: str) -> None:
    assert read(name) == read("proc-net-tcp.txt")


@pytest.mark.parametrize(
    ("machine", "local", "address"),
    [
        ("x86_64", "0B00000A:1538", "10.0.0.11"),
        ("aarch64", "0B00000A:1538", "10.0.0.11"),
        ("ppc64le", "0B00000A:1538", "10.0.0.11"),
        ("s390x", "0A00000B:1538", "10.0.0.11"),
        ("ppc64", "0A00000B:1538", "10.0.0.11"),
        ("x86_64", "0000000000000000FFFF00000B00000A:1538", "10.0.0.11"),
        ("x86_64", "B80D012000000000000000000B000000:1538", "2001:db8::b"),
    ],
)
def test_words_are_in_the_byte_order_of_the_machine(machine: str, local: str, address: str) -> None:
    row = f"  12: {local} {local.partition(':')[0]}:C738 01 00000000:00000000 00:00000000 00000000   998        0 1 1 0"
    found = read_tcp_connections(Answer(f"table proc {machine}\n{row}\nasked\n", 0))
    assert found.connections == (Connection(address, 5432, address, 51000),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no output"),
        ("table ss\n", "not understood"),
        ("table none\nasked\n", "neither /proc/net/tcp nor ss nor netstat"),
        ("table ss\nESTAB 0 0 10.0.0.1:22\nasked\n", "not understood"),
        ("table ss\nESTAB 0 0 10.0.0.1:ssh 10.0.0.2:5000\nasked\n", "not understood"),
        ("table proc x86_64\n 1: 0B00000A:1538 zz:1 01\nasked\n", "not understood"),
        ("table proc x86_64\nmore\nasked\n", "more than 4000"),
        ("ESTAB 0 0 10.0.0.1:22 10.0.0.2:5000\nasked\n", "not understood"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_tcp_connections(Answer(text, 0))


@pytest.mark.parametrize("awk", [["gawk"], ["mawk"], ["busybox", "awk"], ["original-awk"]], ids=" ".join)
def test_of_thousands_from_one_machine_one_is_sent_home(awk: list[str], tmp_path: Path) -> None:
    program = shutil.which(awk[0])
    if program is None:
        pytest.skip(f"no {awk[0]} on this machine")
    (tmp_path / "awk").write_text(f'#!/bin/sh\nexec {" ".join([program, *awk[1:]])} "$@"\n')
    (tmp_path / "awk").chmod(0o755)
    rest = "00000000:00000000 00:00000000 00000000     0        0 71000 1 0000000000000000 20 4 0 10 -1"
    row = "{n:4}: 0B00000A:1538 {peer}00000A:{port:04X} {state} " + rest + "\n"
    rows = [row.format(n=n, peer="15", port=40000 + n, state="01") for n in range(3000)]
    rows += [row.format(n=1, peer="16", port=1, state="06"), row.format(n=2, peer="17", port=1, state="0A")]
    (tmp_path / "tcp").write_text("  sl  local_address rem_address   st tx_queue\n" + "".join(rows))
    script = CONNECTIONS.script.replace("/proc/net/tcp6", "/nowhere").replace("/proc/net/tcp", str(tmp_path / "tcp"))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=environment)
    found = read_tcp_connections(Answer(done.stdout, 0))
    assert [each.remote for each in found.connections] == ["10.0.0.21", "10.0.0.22"]
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "ports", "is_guess"),
    [
        ("asked\n", (5432, 9200, 7331), False),
        ("none\nasked\n", (5432, 9200, 7331), True),
        ("set elasticsearch.port 9201\nset leaderl.http_port 127.0.0.1:7332\nasked\n", (5432, 9201, 7332), False),
        ("raw postgresql.port node['port']\nasked\n", (5432, 9200, 7331), True),
        ("more\nasked\n", (5432, 9200, 7331), True),
    ],
)
def test_ports_are_the_machine_s_own_or_a_guess(text: str, ports: tuple[int, ...], is_guess: bool) -> None:
    services = ("PostgreSQL", "Elasticsearch", "leaderl")
    assert read_service_ports(Answer(text, 0)) == ServicePorts(tuple(zip(services, ports, strict=True)), is_guess)


def test_no_other_setting_leaves_the_node(tmp_path: Path) -> None:
    config = tmp_path / "chef-backend.rb"
    config.write_text("postgresql.db_superuser_password 'hush-1'\nleaderl.http_port 7332\nfqdn 'hush-2'\n")
    script = PORTS.script.replace("/etc/chef-backend/chef-backend.rb", str(config))
    done = subprocess.run(["sh", "-c", f"SUDO=; {script}"], capture_output=True, text=True, check=True)
    assert done.stdout == "set leaderl.http_port 7332\nasked\n"
    config.unlink()
    done = subprocess.run(["sh", "-c", f"SUDO=; {script}"], capture_output=True, text=True, check=True)
    assert done.stdout == "none\nasked\n"


@pytest.mark.parametrize("text", ["asked elsewhere", "set elasticsearch.port 9201", "surprise\nasked"])
def test_ports_that_are_not_understood_are_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="not understood"):
        read_service_ports(Answer(text, 0))


def test_windows_addresses_lose_their_zone() -> None:
    row = '{"local": "fe80::1%4", "local_port": 1, "remote": "::ffff:10.0.0.31", "remote_port": 1433}'
    found = tcp_connections(Answer(f'{{"connections": [{row}]}}', 0))
    assert found.connections == (Connection("fe80::1", 1, "10.0.0.31", 1433),)
    with pytest.raises(UnreadableError, match="this is no connection"):
        tcp_connections(Answer(f'{{"connections": [{row.replace("fe80::1%4", "sql1")}]}}', 0))

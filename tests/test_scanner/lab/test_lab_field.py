"""What the lab prints is what the real program prints, to the last blank.

Each sample is told to the lab in the words of a scenario; what it then prints has to be the sample itself. The samples'
values are made up, and the widest cells of what was reported were longer: blanks stand in for what they had more.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scanner.lab.machines.chef_backend import cluster
from scanner.lab.machines.linux import df
from scanner.lab.scenario import parse_scenario
from tests.field.samples import FOLDER

STATUS_2X = """
uptime = "41d 6h 20m 10s"
uptimes = {leaderl = "41d 6h 20m 11s ", postgresql = "2d 3h 40m 9s", elasticsearch = "9d 17h 2m 54s"}
distributed = {leaderl = "leader: 1; waiting: 0; follower: 2; total: 3             "}
pids = {leaderl = 2207, epmd = 2219, etcd = 2231, postgresql = 30114, elasticsearch = 5120}
"""
LEADERLESS = """
role = "waiting_for_leader"
uptime = "12d 4h 1m 7s"
uptimes = {leaderl = "12d 4h 1m 8s  ", postgresql = "0d 0h 22m 5s", elasticsearch = "3d 8h 12m 20s"}
pids = {leaderl = 18020, epmd = 18033, etcd = 18041, elasticsearch = 6619}
services = {postgresql = "down"}
"""
STATUS_1X = """
version = "1.2.5"
uptimes = {leaderl = "0d 2h 14m 40s ", etcd = "0d 2h 14m 47s", postgresql = "0d 2h 14m 38s", elasticsearch = "0d 2h 14m 49s"}
pids = {leaderl = 7713, etcd = 7690, postgresql = 7801, elasticsearch = 7655}
"""  # noqa: E501  TOML knows no line breaks in its tables


def backends(everyone: str, *each: str, names: str = "b1 b2 b3") -> dict[str, cluster.Backend]:
    text = f"title = 'x'\n[clusters.c]\nproduct = 'chef-backend'\n[clusters.c.defaults.chef]\n{everyone}"
    for number, name in enumerate(names.split()):
        text += f"\n[clusters.c.nodes.{name}]\nroles = ['backend']\n[clusters.c.nodes.{name}.chef]\n"
        text += each[number] if each else ""
    return dict(parse_scenario(text).clusters[0].backends)


def sample(name: str) -> str:
    return Path(FOLDER / "chef" / name).read_bytes().decode()


@pytest.mark.parametrize(
    ("name", "told"),
    [("status-2x.txt", STATUS_2X), ("status-2x-leaderless.txt", LEADERLESS), ("status-1x.txt", STATUS_1X)],
)
def test_the_lab_prints_the_status_as_chef_backend_does(name: str, told: str) -> None:
    assert cluster.status("b1", backends(told)).output == sample(name)


@pytest.mark.parametrize(
    ("name", "everyone"),
    [
        ("cluster-status.txt", ""),
        ("cluster-status-blocked-eligible.txt", "columns = {Blocked = 'not_blocked', Eligible = 'true'}"),
    ],
)
def test_the_lab_prints_the_members_as_chef_backend_does(name: str, everyone: str) -> None:
    members = backends(
        everyone,
        "ip = '10.20.30.41'\nguid = '7d9c3e0a51b84f6f9a20c4d17be86530'\nrole = 'leader'",
        "ip = '10.20.30.42'\nguid = '19e4b7720c6d4a8db1f35a90c2e8d647'\nes = 'not_master'",
        "ip = '10.20.30.43'\nguid = 'c05fa8d3962e4b17870d6b42f19ea3c8'\nes = 'master'",
        names="be-north1 be-north2 be-north3",
    )
    assert cluster.cluster_status("be-north1", members).output == sample(name)


def test_the_lab_prints_file_systems_as_df_does() -> None:
    tables = re.split(
        r"^(?:index|folder|elasticsearch) .*\n",
        (FOLDER / "linux" / "df-ext4-overlay.txt").read_text(),
        flags=re.MULTILINE,
    )
    assert len(tables) == 5
    for table in tables[1:]:
        rows = [line.split() for line in table.splitlines()[1:]]
        volumes = [(r[0], r[1], int(r[2]), int(r[3]), int(r[4]), r[6]) for r in rows]
        assert df.table(*volumes) == table

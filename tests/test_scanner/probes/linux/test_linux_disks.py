"""From what df prints to facts, the broken answers included."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from checks.common.disk_facts import Drive, LinuxDisks
from scanner.probes.linux.disks import PROBES, read_linux_disks
from scanner.probes.probe import Answer, UnreadableError
from tests.field.samples import FOLDER

RECORDINGS = Path(__file__).parents[3] / "recordings" / "chef_backend"


def recorded(name: str) -> Answer:
    return Answer((RECORDINGS / f"df-{name}.txt").read_text(encoding="utf-8"), 0)


def test_each_device_counts_once_and_memory_does_not() -> None:
    disks = read_linux_disks(recorded("local"))
    assert [(drive.name, drive.kind) for drive in disks.drives] == [("/", "xfs"), ("/boot", "xfs")]
    assert disks.drives[0].total_bytes == 52403200 * 1024
    (log, first), (data, second) = disks.folders
    assert (log, data) == ("/var/log/chef-backend", "/var/opt/chef-backend")
    assert first is not None
    assert first == second


def test_a_share_with_spaces_in_its_name() -> None:
    data = read_linux_disks(recorded("nfs")).folders[1][1]
    assert data is not None
    assert (data.kind, data.name, data.free_bytes) == ("nfs4", "/var/opt/chef-backend", 0)


def test_a_frontend_has_no_such_folders() -> None:
    assert [volume for _, volume in read_linux_disks(recorded("frontend")).folders] == [None, None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no local file system"),
        ("sh: df: not found\n", "not understood"),
        ("Filesystem Type\ntmpfs tmpfs 10 0 10 0% /run\n", "no local file system"),
        ("/dev/sda1 xfs 10 0 10 0% /\nfolder /var/opt/chef-backend\n", "does not tell where /var/opt"),
        ("/dev/sda1 xfs 10 0 10 0% /\nfolder /var/opt/chef-backend\ndf: Permission denied\n", "not understood"),
    ],
)
def test_what_is_no_answer_of_df_is_refused_and_shown(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why):
        read_linux_disks(Answer(text, 0))


def test_a_cut_or_failed_answer_is_refused() -> None:
    for answer in (Answer("", 124), Answer(recorded("local").output, 0, truncated=True)):
        with pytest.raises(UnreadableError):
            read_linux_disks(answer)


def test_df_itself_answers_here() -> None:
    said = subprocess.run(["sh", "-c", PROBES[0].script], capture_output=True, text=True, check=False)
    if "Type" in said.stdout:  # a df that knows -T, as every Linux has
        lines = [line for line in said.stdout.splitlines() if "folder" not in line and line != "missing"]
        assert lines[1].startswith("Filesystem")


HEAD = "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n"
BACKEND = """folder /var/log/chef-backend
/dev/sda1 xfs 100 40 60 40% /
folder /var/opt/chef-backend
/dev/sda1 xfs 100 40 60 40% /
"""


def read(*rows: str, rest: str = BACKEND) -> LinuxDisks:
    asked = re.search(r"^elasticsearch (.*)$", rest, re.MULTILINE)
    first = f"index {asked[1]}\n" if asked else ""
    return read_linux_disks(Answer(first + HEAD + "".join(f"{row}\n" for row in rows) + rest, 0))


@pytest.mark.parametrize(
    "row",
    [
        "overlay overlay 100 40 60 40% /var/lib/docker/overlay2/x/merged",
        "rootfs rootfs 100 40 60 40% /",
        "/dev/sda1 xfs 100 40 60 40% /srv",
        "share vboxsf 900 40 860 5% /vagrant",
        "host0 9p 900 40 860 5% /mnt/host",
        "lxcfs fuse.lxcfs 900 40 860 5% /var/lib/lxcfs",
        "none aufs 100 40 60 40% /aufs",
    ],
)
def test_what_is_no_disk_of_its_own_is_not_added_up(row: str) -> None:
    for rows in (("/dev/sda1 xfs 100 40 60 40% /", row), (row, "/dev/sda1 xfs 100 40 60 40% /")):
        assert [drive.total_bytes for drive in read(*rows).drives] == [100 * 1024]


def test_a_container_s_only_file_system_counts() -> None:
    disks = read("overlay overlay 100 40 60 40% /", "tmpfs tmpfs 9 0 9 0% /run")
    assert [(drive.name, drive.kind) for drive in disks.drives] == [("/", "overlay")]


def test_the_datasets_of_one_pool_share_what_is_free() -> None:
    disks = read("tank/root zfs 70 10 60 15% /", "tank/home zfs 90 30 60 34% /home", "tank zfs 60 0 60 0% /tank")
    assert [drive.total_bytes for drive in disks.drives] == [100 * 1024]


def test_where_the_index_lies_is_read() -> None:
    disks = read(
        "/dev/sda1 xfs 100 40 60 40% /",
        rest=BACKEND + f"elasticsearch /data/es one\n{HEAD}/dev/sdb1 xfs 200 190 10 95% /data\n",
    )
    assert disks.index_folder == "/data/es one"
    assert disks.index == Drive("/data", 200 * 1024, 10 * 1024, "xfs")


def test_an_index_that_may_not_be_looked_into_is_found_by_where_things_are_mounted() -> None:
    rows = ("/dev/sda1 xfs 100 40 60 40% /", "/dev/sdb1 xfs 200 190 10 95% /data", "/dev/sdc1 xfs 9 1 8 9% /data/e")
    disks = read(*rows, rest=BACKEND + "elasticsearch /data/es\nmissing\n")
    assert disks.index is not None
    assert disks.index.name == "/data"


def test_an_answer_of_before_the_index_was_asked_for_is_read() -> None:
    assert read_linux_disks(recorded("local")).index_folder == ""


def test_an_old_answer_shows_an_index_that_is_mounted_where_it_usually_is() -> None:
    rows = ("/dev/sda1 xfs 100 40 60 40% /", "/dev/sdb1 xfs 200 190 10 95% /var/opt/chef-backend/elasticsearch")
    disks = read(*rows)
    assert disks.index == Drive("/var/opt/chef-backend/elasticsearch", 200 * 1024, 10 * 1024, "xfs")
    assert disks.index_folder == "/var/opt/chef-backend/elasticsearch/data"


def test_every_cut_of_an_answer_is_refused() -> None:
    whole = (FOLDER / "linux" / "df-ext4-overlay.txt").read_text(encoding="utf-8")
    for end in range(len(whole)):
        with pytest.raises(UnreadableError):
            read_linux_disks(Answer(whole[:end], 0))


@pytest.mark.parametrize(
    ("setting", "folder"),
    [
        ("elasticsearch.data_dir = '/data/es one' # moved", "/data/es one"),
        ('elasticsearch.data_dir "/data/es"', "/data/es"),
        ("  elasticsearch['data_dir'] = '/data/es'", "/data/es"),
        ("elasticsearch.data_dir = '/a'\nelasticsearch.data_dir = '/b'", "/b"),
        ("# elasticsearch.data_dir = '/data/es'", "/var/opt/chef-backend/elasticsearch/data"),
        ("elasticsearch.data_dir = $(reboot)", "/var/opt/chef-backend/elasticsearch/data"),
        ("elasticsearch.data_directory_of_mine = '/x'", "/var/opt/chef-backend/elasticsearch/data"),
        ("elasticsearch.port = 9200", "/var/opt/chef-backend/elasticsearch/data"),
    ],
)
def test_the_node_s_own_configuration_says_where_its_index_is(setting: str, folder: str, tmp_path: Path) -> None:
    (tmp_path / "chef-backend.rb").write_text(f"publish_address '10.0.0.1'\n{setting}", encoding="utf-8")
    script = PROBES[0].script.replace("/etc/chef-backend", str(tmp_path))
    said = subprocess.run(["sh", "-c", f"SUDO=; {script}"], capture_output=True, text=True, check=False)
    assert f"\nelasticsearch {folder}\n" in said.stdout
    assert said.stderr == ""
    assert read_linux_disks(Answer(said.stdout, said.returncode)).index_folder == folder

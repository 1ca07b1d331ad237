"""From what df prints to facts, the broken answers included."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.probes.linux_disks import PROBES, read_linux_disks
from scanner.probes.probe import Answer, UnreadableError

RECORDINGS = Path(__file__).parent.parent / "recordings" / "chef_backend"


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
    import subprocess

    said = subprocess.run(["sh", "-c", PROBES[0].script], capture_output=True, text=True, check=False)
    if "Type" in said.stdout:  # a df that knows -T, as every Linux has
        lines = [line for line in said.stdout.splitlines() if "folder" not in line and line != "missing"]
        assert lines[0].startswith("Filesystem")

"""Files in folders that somebody else can write to: what that one may bring about there, and what not."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.files import atomic
from scanner.files.atomic import ensure_writable, write_atomically

STRANGER = 65534
"""Nobody, who is on every system."""

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can play a second user"
)


@pytest.fixture
def open_path(tmp_path: Path) -> Iterator[Path]:
    """A folder that everybody may pass through, and nobody but root may write to."""
    folders = [tmp_path, *tmp_path.parents[:2]]
    old = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    umask = os.umask(0o022)
    for folder in folders:
        folder.chmod(0o755)
    yield tmp_path
    os.umask(umask)
    for folder, mode in zip(folders, old, strict=True):
        folder.chmod(mode)


def stranger(path: Path) -> Path:
    """The same file, the stranger's."""
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return path


def strangers_folder(path: Path) -> Path:
    path.mkdir()
    return stranger(path)


def linked(link: Path, to: Path | str, owner: int = STRANGER) -> Path:
    link.symlink_to(to)
    os.chown(link, owner, owner, follow_symlinks=False)
    return link


@pytest.mark.parametrize("where", ["last", "parent", "relative", "dangling", "second"])
def test_a_strangers_link_in_a_sticky_folder_is_refused(open_path: Path, where: str) -> None:
    shared = open_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    own = open_path / "own"
    own.mkdir()
    victim = own / "victim.html"
    victim.write_text("old")
    if where == "second":
        asked = linked(open_path / "mine.html", linked(shared / "report.html", victim), owner=0)
    else:
        asked = {
            "last": lambda: linked(shared / "report.html", victim),
            "parent": lambda: linked(shared / "out", own) / "victim.html",
            "relative": lambda: linked(shared / "report.html", "../own/victim.html"),
            "dangling": lambda: linked(shared / "report.html", own / "none.html"),
        }[where]()
    for writing in (lambda path: write_atomically(path, "new"), ensure_writable):
        with pytest.raises(UsageError, match=r"is a link of user nobody, in somebody else's folder.* remove the link"):
            writing(asked)
    assert victim.read_text() == "old"
    assert list(own.iterdir()) == [victim]


def test_the_links_of_the_folders_owner_lead_no_further_than_that_one_may_go(open_path: Path) -> None:
    theirs = strangers_folder(open_path / "theirs")
    (theirs / "real.html").touch()
    write_atomically(linked(theirs / "latest.html", "real.html"), "new")
    assert (theirs / "real.html").read_text() == "new"
    assert (theirs / "latest.html").is_symlink()
    write_atomically(linked(theirs / "mine.html", open_path / "x.html", owner=0), "new")
    assert (open_path / "x.html").read_text() == "new"
    victim = open_path / "passwd"
    victim.write_text("old")
    with pytest.raises(UsageError, match=r"a link of user nobody leads to .*passwd, where that user may not write"):
        write_atomically(linked(theirs / "report.html", victim), "new")
    assert victim.read_text() == "old"


def test_a_strangers_mode_is_not_inherited(open_path: Path) -> None:
    for bits in (0o4777, 0o777, 0o666, 0o2755):
        file = open_path / f"report-{bits:o}.html"
        file.touch()
        stranger(file)
        file.chmod(bits)
        write_atomically(file, "x")
        assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_uid) == (0o644, 0)


@pytest.mark.parametrize("swapped_for", ["link", "file", "nothing"])
def test_what_takes_the_place_of_the_temporary_file_gets_neither_mode_nor_name(
    open_path: Path, monkeypatch: pytest.MonkeyPatch, swapped_for: str
) -> None:
    theirs = strangers_folder(open_path / "theirs")
    victim = open_path / "shadow"
    victim.write_text("secret")
    victim.chmod(0o600)
    real = os.fsync

    def swap(opened: int) -> None:
        real(opened)
        for temporary in theirs.glob(".preflight-*.tmp"):
            temporary.unlink()
            if swapped_for == "link":
                temporary.symlink_to(victim)
            elif swapped_for == "file":
                temporary.write_text("forged")

    monkeypatch.setattr(os, "fsync", swap)
    with pytest.raises(UsageError, match="somebody has changed the folder"):
        write_atomically(theirs / "report.html", "new", mode=0o666)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    assert list(theirs.iterdir()) == []


def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(
    open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = strangers_folder(open_path / "theirs")
    inner = strangers_folder(theirs / "inner")
    private = open_path / "private"
    private.mkdir()
    real = atomic._sweep

    def swap(folder: Path) -> None:
        real(folder)
        inner.rename(theirs / "away")
        linked(inner, private)

    monkeypatch.setattr(atomic, "_sweep", swap)
    write_atomically(inner / "report.html", "new")
    assert list(private.iterdir()) == []
    assert (theirs / "away" / "report.html").read_text() == "new"


def test_a_real_race_over_the_temporary_file(open_path: Path) -> None:
    """A second user's process puts links to a file of root's in the place of whatever is written, as fast as it can."""
    theirs = strangers_folder(open_path / "theirs")
    victim = open_path / "shadow"
    victim.write_text("secret")
    victim.chmod(0o600)
    child = os.fork()
    if not child:
        try:
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            while True:
                for entry in theirs.iterdir():
                    try:
                        if entry.name.endswith((".tmp", ".html")):
                            entry.unlink()
                            entry.symlink_to(victim)
                    except OSError:
                        pass
        finally:
            os._exit(0)
    written = 0
    try:
        for _ in range(200):
            try:
                write_atomically(theirs / "report.html", "new" * 1000, mode=0o666)
                written += 1
            except UsageError:
                pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    sys.stderr.write(f"{written} of 200 writes came through\n")
    assert victim.read_text() == "secret"
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600

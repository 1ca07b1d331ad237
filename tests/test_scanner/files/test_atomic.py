"""A file is the old one or the new one, and nothing is left lying about."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.files.atomic import ensure_writable, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX modes, links and devices")


@pytest.fixture(autouse=True)
def _umask() -> object:
    old = os.umask(0o022)
    yield
    os.umask(old)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_text_and_bytes(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_atomically(file, "ä\n\r\n")
    assert file.read_bytes() == "ä\n\r\n".encode()
    write_atomically(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff"
    assert list(tmp_path.iterdir()) == [file]


def test_a_lone_surrogate_costs_no_report(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", "a\udc80")
    assert (tmp_path / "x").read_bytes() == b"a\\udc80"


@posix
def test_modes(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    write_atomically(file, "x")
    assert mode(file) == 0o644
    write_atomically(file, "x", mode=0o600)
    assert mode(file) == 0o600
    write_atomically(file, "x")
    assert mode(file) == 0o600
    write_atomically(file, "x", mode=0o666)
    assert mode(file) == 0o666


@posix
def test_a_secret_file_is_never_open_not_even_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda opened: seen.append(stat.S_IMODE(os.fstat(opened).st_mode)))
    write_atomically(tmp_path / "evidence.json", "x", mode=0o600)
    assert seen[0] == 0o600


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_crash_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")

    def crash(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises((UsageError, KeyboardInterrupt)):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@posix
def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    code = (
        "import os, signal, sys; from pathlib import Path; from scanner.files.atomic import write_atomically\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(Path(sys.argv[1]), 'new')"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run([sys.executable, "-c", code, str(file)], cwd=root, check=False)
    assert ended.returncode == -9
    assert file.read_text() == "old"
    (left,) = (path for path in tmp_path.iterdir() if path != file)
    others = [tmp_path / ".preflight-mine.tmp", tmp_path / f"x{left.name}"]
    for other in others:
        other.touch()
        os.utime(other, (0, 0))
    write_atomically(file, "new")
    assert left.exists(), "another write may still be going on"
    os.utime(left, (0, 0))
    write_atomically(file, "newer")
    assert set(tmp_path.iterdir()) == {file, *others}


@posix
def test_links_keep_pointing(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "report.html"
    link = tmp_path / "latest.html"
    link.symlink_to("real/report.html")
    write_atomically(link, "first")  # to a file that is not there yet
    assert target.read_text() == "first"
    write_atomically(link, "second")
    assert link.is_symlink()
    assert target.read_text() == "second"
    assert list(target.parent.iterdir()) == [target]


@posix
def test_devices_pipes_and_streams_are_told(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "loop").symlink_to("loop")
    names = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/2")
    for path in (fifo, tmp_path / "link", *map(Path, names)):
        for writing in (lambda path: write_atomically(path, "x"), ensure_writable):
            with pytest.raises(UsageError, match=r"no file but a device, a pipe or a stream.* or - to print"):
                writing(path)
    with pytest.raises(UsageError, match="symbolic links"):
        write_atomically(tmp_path / "loop", "x")
    assert Path("/dev/null").is_char_device()
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@posix
def test_standard_output_in_a_file_is_not_replaced(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from scanner.files.atomic import write_atomically\n"
        "print('before', flush=True); write_atomically(Path('/dev/stdout'), 'x')"
    )
    with (tmp_path / "out").open("wb") as file:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[3],
            check=False,
            stdout=file,
            stderr=subprocess.PIPE,
        )
    assert b"or - to print" in ended.stderr
    assert (tmp_path / "out").read_text() == "before\n"


@posix
def test_no_report_becomes_setuid(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.touch()
    file.chmod(0o6755)
    write_atomically(file, "x")
    assert mode(file) == 0o755


def test_long_names(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250)
    write_atomically(file, "x")
    assert file.read_text() == "x"


def test_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, expected in (
        (tmp_path / "none" / "x", "does not exist; create it, or choose another place"),
        (tmp_path / "file" / "x", "file is no folder; choose another place"),
        (tmp_path, "it is a folder; name a file in it"),
        (tmp_path / "a\0b", "null"),
    ):
        for writing in (lambda path: write_atomically(path, "x"), ensure_writable):
            with pytest.raises(UsageError) as caught:
                writing(path)
            assert str(caught.value).startswith(f"cannot write {path}: ")
            assert expected in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_where_the_system_says_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != tmp_path and real(path, how))
    with pytest.raises(UsageError, match="you may not write in the folder"):
        ensure_writable(tmp_path / "x")
    (tmp_path / "there").touch()
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) == tmp_path and real(path, how))
    with pytest.raises(UsageError, match="write-protected; choose another name"):
        write_atomically(tmp_path / "there", "x")


def test_ensure_writable_leaves_nothing(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_writers_of_the_same_file_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    texts = [letter * 300_000 for letter in "abcd"]
    seen = set()

    def write(text: str) -> None:
        for _ in range(5):
            write_atomically(path, text)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            seen.add(path.read_text(encoding="utf-8"))
    for writer in writers:
        writer.join()
    assert seen | {path.read_text(encoding="utf-8")} <= set(texts)
    assert list(tmp_path.iterdir()) == [path]

"""What a command takes to read its line: plain values as the library would read them, and little else loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from scanner.cli.app import command_line
from scanner.cli.parsing.plain_values import read_plainly

TOP = Path(__file__).parents[3]
_TEXTS = (
    *("", "a", "inventory.toml", "-", "no/such/file", ".", "web 1", "ü", "\udcff", "a\tb", "before", "Before", "after"),
    *(
        "any",
        "new",
        "0",
        "1",
        "007",
        "64",
        "512",
        "513",
        "3600",
        "99999",
        "-1",
        "1.5",
        "1e3",
        "inf",
        "nan",
        "0x10",
        "1_0",
    ),
    *(" 5", "1" * 30, "true", "False", "yes"),
)


def _parameters(command: Any, above: tuple[str, ...] = ()) -> list[tuple[str, Any, Any]]:
    found = [(" ".join([*above, parameter.name]), command, parameter) for parameter in command.params]
    for name, inner in getattr(command, "commands", {}).items():
        found += _parameters(inner, (*above, name))
    return found


def _context(command: Any) -> Any:
    return typer.Context(command)


def _read(command: Any, parameter: Any, value: Any) -> object:
    """What comes of a value: it with its type, or the words in which it is refused."""
    try:
        read = parameter.process_value(_context(command), value)
    except Exception as refused:  # noqa: BLE001  whatever the library raises, and in which words
        return type(refused).__name__, str(getattr(refused, "message", refused))
    if isinstance(read, list | tuple):
        return [(type(each), each) for each in read]
    return type(read), read


@pytest.mark.parametrize("several", [False, True])
def test_a_value_is_read_as_the_library_reads_it(
    tmp_path: Path, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every parameter of every command, with values that are plain, odd, and wrong."""
    (tmp_path / "inventory.toml").touch()
    monkeypatch.chdir(tmp_path)
    # A fresh one: those of other tests may have been read plainly already.
    found = [each for each in _parameters(typer.main.get_command(command_line.__wrapped__())) if not each[2].callback]
    assert len(found) > 100
    plain = 0
    for name, command, parameter in found:
        many = parameter.multiple or parameter.nargs != 1
        if many is not several:
            continue
        values: list[Any] = [None, *([("a", text) for text in _TEXTS] if many else _TEXTS), parameter.default]
        values += [(), ("a",)] if many else []
        usual = [_read(command, parameter, value) for value in values]
        read_plainly(parameter)
        assert [_read(command, parameter, value) for value in values] == usual, name
        plain += 1
    assert plain > 10


def test_a_file_that_cannot_be_read_is_refused_in_the_librarys_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed.toml"
    closed.touch()
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != str(closed))
    command: Any = typer.main.get_command(command_line.__wrapped__({"scan"}))
    scan = command.commands["scan"]
    inventory = next(each for each in scan.params if each.name == "inventory")
    read_plainly(inventory)
    assert "is not readable" in str(_read(scan, inventory, str(closed)))


_LOADED = """
import sys
sys.argv = ["preflight", "scan", *sys.argv[1:]]
from scanner.cli import main
try:
    main()
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""


def test_a_scan_loads_nothing_of_what_it_does_not_need(tmp_path: Path) -> None:
    """Each of these takes a noticeable part of a start, and stands behind a name that is imported in passing."""
    recorded = TOP / "tests" / "recordings" / "chef-healthy"
    line = [f"{recorded}.inventory.toml", "--from", f"{recorded}.evidence.json", "--json", str(tmp_path / "scan.json")]
    ended = subprocess.run(
        [sys.executable, "-c", _LOADED, *line, "--fail-on", "any", "--phase", "before"],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    loaded = set(ended.stderr.split())
    unneeded = {"pydantic", "sqlite3", "jinja2", "paramiko", "spnego", "urllib.request", "junit_xml"}
    assert not loaded & {*unneeded, "checks.history.fleet", "scanner.history.store"}
    assert {each for each in loaded if each.startswith("scanner.cli.commands.")} == {"scanner.cli.commands.scan"}


def test_a_line_without_a_command_first_has_all_of_them() -> None:
    for line in (["--help"], ["-h"], ["scam"]):
        ended = subprocess.run(
            [sys.executable, "-m", "scanner", *line], capture_output=True, text=True, cwd=TOP, timeout=60, check=False
        )
        told = ended.stdout + ended.stderr
        assert "drift" in told or "'scan'" in told, line
    whole = typer.main.get_command(command_line())
    assert isinstance(whole, TyperGroup)
    for name in whole.commands:
        alone = typer.main.get_command(command_line(frozenset({name})))
        assert isinstance(alone, TyperGroup)
        assert list(alone.commands) == [name]
        assert [each.name for each in alone.commands[name].params] == [
            each.name for each in whole.commands[name].params
        ]


_LEAVING = """
import atexit, os, sys, threading, time
from scanner.cli.process import farewell
said, saying = os.pipe()
farewell.tell_to(saying)
farewell.leave_unswept()
class Swept:
    def __del__(self):
        os.write(1, b"swept ")
kept = Swept()
atexit.register(lambda: print("tidied up"))
threading.Thread(target=lambda: (time.sleep(0.05), print("thread ended"))).start()
if sys.argv[1] != "untold":
    farewell.tell(int(sys.argv[1]))
    print("told", os.read(said, 1)[0])
    sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("code", "ended", "told"),
    [("3", 3, ["told 3", "thread ended", "tidied up"]), ("untold", 0, ["thread ended", "tidied up", "swept "])],
)
def test_a_process_ends_in_order_and_is_not_taken_to_pieces(code: str, ended: int, told: list[str]) -> None:
    """Threads end, whoever wants to tidy up does, what was printed is written; one that told nothing ends as usual."""
    left = subprocess.run(
        [sys.executable, "-c", _LEAVING, code], capture_output=True, text=True, cwd=TOP, timeout=60, check=False
    )
    assert (left.returncode, left.stderr) == (ended, "")
    assert left.stdout.splitlines() == told

"""Installed from a real wheel, preflight runs its own packages or says whose others are in the way."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.cli.app import command_line
from scanner.installation import ROOMS

TOP = Path(__file__).parents[2]
COMMANDS = sorted(str(command.name) for command in command_line().registered_commands)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the venv's layout is written down for POSIX")


class Installed:
    """A venv with nothing but the wheel in it; what it needs is lent by the one that the tests run in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    def run(
        self, *arguments: str, python: bool = False, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        program = self.folder / "bin" / ("python" if python else "preflight")
        return subprocess.run(
            [str(program), *arguments],
            cwd=cwd or self.folder,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def pristine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)], check=True)
    made = Installed(folder)
    (made.site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return made


@pytest.fixture
def installed(pristine: Installed) -> Iterator[Installed]:
    """The same; what a test does to the packages is undone."""
    saved = {path: path.read_bytes() for room in ROOMS for path in (pristine.site / room).rglob("*.py")}
    yield pristine
    for path, data in saved.items():
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
    (pristine.site / "early.pth").unlink(missing_ok=True)


def stranger(folder: Path, room: str, kind: str) -> Path:
    """Somebody else's `room` in `folder`, which tells by a file when it was run."""
    code = f"open({str(folder / 'was-run')!r}, 'w')\n"
    folder.mkdir(exist_ok=True)
    if kind == "package":
        place = folder / room / "__init__.py"
        place.parent.mkdir()
        place.write_text(code)
    else:
        place = folder / f"{room}.py"
        place.write_text(code)
        if kind == "compiled":
            place = Path(py_compile.compile(str(place), cfile=str(folder / f"{room}.pyc")) or "")
            (folder / f"{room}.py").unlink()
    return place


def assert_refused(ended: subprocess.CompletedProcess[str], *words: object) -> None:
    assert (ended.returncode, ended.stdout) == (2, ""), ended
    assert ended.stderr.startswith("preflight: ")
    assert len(ended.stderr.splitlines()) == 2, ended.stderr
    for word in words:
        assert str(word) in ended.stderr


@pytest.mark.parametrize("kind", ["package", "module", "compiled"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_stranger_on_the_path_is_named_and_not_run(
    installed: Installed, tmp_path: Path, room: str, kind: str
) -> None:
    place = stranger(tmp_path / "other", room, kind)
    ended = installed.run("--version", PYTHONPATH=str(tmp_path / "other"))
    assert_refused(ended, f"another package is called {room}, too: {place}", "take it out of PYTHONPATH")
    assert not (tmp_path / "other" / "was-run").exists()


@pytest.mark.parametrize("command", [*COMMANDS, "--help"])
def test_no_command_runs_with_a_stranger(installed: Installed, tmp_path: Path, command: str) -> None:
    place = stranger(tmp_path / "other", "checks", "package")
    assert_refused(installed.run(command, "inventory.toml", PYTHONPATH=str(tmp_path / "other")), place)


@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_every_command_is_there_without_one(installed: Installed, command: str) -> None:
    ended = installed.run(*filter(None, [command]), "--help")
    assert ended.returncode == 0, ended
    assert f"preflight {command}".rstrip() in ended.stdout


@pytest.mark.parametrize("room", ROOMS)
def test_the_working_directory_counts_where_python_looks_there(installed: Installed, tmp_path: Path, room: str) -> None:
    place = stranger(tmp_path, room, "package")
    assert installed.run("--version", cwd=tmp_path).returncode == 0
    ended = installed.run("-m", "preflight_scanner", "--version", python=True, cwd=tmp_path)
    assert_refused(ended, place, f"the folder {tmp_path}")
    assert not (tmp_path / "was-run").exists()


def test_the_other_ways_in_look_as_well(installed: Installed, tmp_path: Path) -> None:
    """`python -m scanner`, and a start script that an older version has left."""
    place = stranger(tmp_path / "other", "reports", "module")
    old = "from scanner.cli import main; main()"
    for way in (["-m", "scanner"], ["-c", old]):
        assert_refused(installed.run(*way, python=True, PYTHONPATH=str(tmp_path / "other")), place)
        assert installed.run(*way, "--version", python=True).returncode == 0


def test_a_folder_of_such_a_name_that_is_no_package_is_in_nobodys_way(installed: Installed, tmp_path: Path) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "notes.py").write_text("raise SystemExit('run')\n")
    ended = installed.run("--version", PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_stranger_that_is_imported_at_start_is_seen(installed: Installed, tmp_path: Path) -> None:
    """By a .pth file of another distribution, before anything of ours runs."""
    place = stranger(tmp_path / "other", "scanner", "package")
    (installed.site / "early.pth").write_text(
        f"import sys; sys.path.insert(0, {str(tmp_path / 'other')!r}); import scanner\n"
    )
    assert_refused(installed.run("scan", "inventory.toml"), place)


@pytest.mark.parametrize("room", ROOMS)
def test_a_distribution_that_wrote_over_ours_is_seen(installed: Installed, room: str) -> None:
    """Two distributions with a package of one name share its folder; pip says nothing."""
    victim = installed.site / room / "__init__.py"
    victim.write_text("'''Somebody else's, installed after ours.'''\n")
    assert_refused(
        installed.run("scan", "inventory.toml"), f"{victim} is not the file that was installed", "pip install"
    )


def test_a_stranger_in_place_of_the_command_line_is_no_verdict(installed: Installed) -> None:
    (installed.site / "scanner" / "cli" / "__init__.py").write_text("'''Somebody else's.'''\n")
    ended = installed.run("scan", "inventory.toml")
    assert (ended.returncode, ended.stdout) == (70, "")
    assert "the installation is broken: ImportError" in ended.stderr
    assert len(ended.stderr.splitlines()) == 2


@pytest.mark.parametrize("room", ROOMS)
def test_a_distribution_that_took_ours_along_is_seen(installed: Installed, room: str) -> None:
    """Uninstalling the other one removes the file that both have written."""
    victim = installed.site / room / "__init__.py"
    victim.unlink()
    assert_refused(installed.run("scan", "inventory.toml"), f"{victim} is missing", "--force-reinstall")


def test_a_module_that_was_taken_along_is_seen(installed: Installed) -> None:
    victim = installed.site / "checks" / "registry.py"
    victim.unlink()
    assert_refused(installed.run("demo"), victim, "--force-reinstall")


def test_a_checkout_has_no_notes_of_sizes_and_runs(tmp_path: Path) -> None:
    for room in ROOMS:
        shutil.copytree(TOP / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "preflight_scanner.py", tmp_path)
    changed = tmp_path / "checks" / "outcome.py"
    changed.write_text(changed.read_text() + "\n")
    for way in ("scanner", "preflight_scanner"):
        ended = subprocess.run(
            [sys.executable, "-m", way, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")

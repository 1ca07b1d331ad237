"""A crash of preflight is told in a line, and by a code that nobody takes for a verdict."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.test_scanner.conftest import Preflight

TOP = Path(__file__).parents[3]


class OfNoKindError(BaseException):
    """What no `except Exception` sees."""


CRASHES = [
    RuntimeError("boom"),
    ImportError("no such thing"),
    MemoryError(),
    RecursionError("too deep"),
    # For these the library behind the command line has a code of its own, and it is 1.
    EOFError(),
    OSError(errno.EPIPE, "Broken pipe"),
    typer.Abort(),
    # These end a process with 1 by themselves.
    SystemExit(1),
    SystemExit("a text"),
    SystemExit(3),
    SystemExit(255),
    OfNoKindError("who knows"),
    GeneratorExit(),
]


@pytest.mark.parametrize("crash", CRASHES, ids=repr)
def test_whatever_crashes_ends_with_the_code_of_a_crash(
    preflight: Preflight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: BaseException
) -> None:
    def broken(*_: object) -> None:
        raise crash

    monkeypatch.setattr("scanner.loading.inventory.load_inventory", broken)
    monkeypatch.delenv("PREFLIGHT_TRACEBACK", raising=False)
    (tmp_path / "inventory.toml").write_text("")
    ended = preflight("validate", tmp_path / "inventory.toml")
    assert ended.code == 70
    assert ended.out == ""
    assert ended.err.startswith("preflight: a defect of preflight: ")
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) == 2


def test_what_a_command_says_on_purpose_is_no_crash(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    from checks.exit_codes import ExitCode

    def said(*_: object) -> None:
        raise SystemExit(ExitCode.NO_GO)

    monkeypatch.setattr("scanner.cli.commands.inventory.typer.echo", said)
    assert preflight("schema").code == 1


def run(before: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, after `before`."""
    script = f"import sys\n{before}\nsys.argv = ['preflight', *{arguments!r}]\nfrom scanner.cli import main\nmain()\n"
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(TOP), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "missing", ["typer", "checks.exit_codes", "scanner.cli.output.streams", "scanner.errors", "reports.text"]
)
def test_a_module_that_cannot_be_imported_is_told_in_a_line(missing: str) -> None:
    ended = run(f"sys.modules[{missing!r}] = None", "--version")
    assert (ended.returncode, ended.stdout) == (70, "")
    assert ended.stderr.startswith("preflight: a defect of preflight: ModuleNotFoundError: ")
    assert missing in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "pip install --force-reinstall preflight-scanner" in ended.stderr


def test_a_traceback_that_was_asked_for_changes_no_code() -> None:
    ended = run("sys.modules['typer'] = None", "--version", PREFLIGHT_TRACEBACK="1")
    assert ended.returncode == 70
    assert "Traceback" in ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are POSIX's")
def test_memory_at_its_end_is_no_verdict(tmp_path: Path) -> None:
    """The real thing: nothing more can be had when it has to be told."""
    inventory = tmp_path / "inventory.toml"
    inventory.write_text("")
    before = (
        "import resource\nimport scanner.loading.inventory as load\n"
        "def greedy(*_):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, resource.RLIM_INFINITY))\n"
        "    kept = []\n"
        "    while True:\n        kept.append(bytearray(1 << 20))\n"
        "load.load_inventory = greedy\n"
    )
    ended = run(before, "validate", str(inventory))
    assert ended.returncode == 70
    assert "MemoryError" in ended.stderr


@pytest.mark.parametrize("kind", ["MemoryError", "RecursionError"])
def test_what_a_thread_lacks_is_told_without_asking_for_more_of_it(kind: str) -> None:
    """Nothing is imported and nothing looked through where memory or the stack may be at their end."""
    script = (
        "import sys, threading\n"
        "from scanner.cli.process.defects import tell_of_lost_defects\n"
        "tell_of_lost_defects()\n"
        "class Nothing:\n"
        "    def find_spec(self, name, *_):\n        sys.__stderr__.write(f'IMPORTED {name}\\n')\n"
        "sys.meta_path.insert(0, Nothing())\n"
        f"def run():\n    raise {kind}\n"
        "lost = threading.Thread(target=run)\nlost.start()\nlost.join()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(TOP), "PREFLIGHT_TRACEBACK": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr.splitlines()[0] == f"preflight: a defect of preflight: {kind}"
    assert len(ended.stderr.splitlines()) == 2

"""The exit code is the answer, whatever becomes of standard output and standard error."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

TOP = Path(__file__).parents[3]
RECORDINGS = TOP / "tests" / "recordings"
FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="streams are closed otherwise there")

GO, NO_GO, UNKNOWN = 0, 1, 3


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inventory for each verdict, and the evidence that it is reached with."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("demo", "chef-healthy"):
        for kind in ("evidence.json", "inventory.toml"):
            (folder / f"{name}.{kind}").write_bytes((RECORDINGS / f"{name}.{kind}").read_bytes())
    healthy = (folder / "chef-healthy.inventory.toml").read_text(encoding="utf-8")
    (folder / "unknown.inventory.toml").write_text(
        f'{healthy}\n[clusters.other]\nproduct = "chef-backend"\n'
        '[clusters.other.nodes.b]\nhost = "b"\nroles = ["backend"]\n',
        encoding="utf-8",
    )
    return folder


def judged(inventory: str, evidence: str, *options: str) -> list[str]:
    return [f"{inventory}.inventory.toml", "--from", f"{evidence}.evidence.json", *options]


COMMANDS: dict[str, tuple[list[str], int]] = {
    "scan GO": (["scan", *judged("chef-healthy", "chef-healthy", "--junit", "r.xml")], GO),
    "scan NO-GO": (["scan", *judged("demo", "demo", "--junit", "r.xml")], NO_GO),
    "scan UNKNOWN": (["scan", *judged("unknown", "chef-healthy", "--junit", "r.xml")], UNKNOWN),
    "scan -q NO-GO": (["scan", *judged("demo", "demo", "-q")], NO_GO),
    "scan verbose UNKNOWN": (["scan", *judged("unknown", "chef-healthy", "-v")], UNKNOWN),
    "usage": (["scan", "--no-such-option"], 2),
    "no inventory": (["scan", "nowhere.toml"], 2),
    "bad command": (["nothing"], 2),
    "validate": (["validate", "demo.inventory.toml"], 0),
    "checks": (["checks"], 0),
    "explain": (["explain", "connectivity"], 0),
    "schema": (["schema"], 0),
    "probes": (["probes", "demo.inventory.toml"], 0),
    "help": (["--help"], 0),
    "version": (["--version"], 0),
    "lab --list": (["lab", "--list"], 0),
}
VERDICTS = {"scan GO", "scan NO-GO", "scan UNKNOWN"}
SHOWS = {"validate", "checks", "explain", "schema", "probes", "help", "version", "lab --list"}
"""What is shown is all that these are asked for: where it could not be written, they have not done it."""


@contextmanager
def fresh() -> Iterator[IO[bytes]]:
    with Path(os.devnull).open("wb") as stream:
        yield stream


@contextmanager
def broken() -> Iterator[IO[bytes]]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        yield stream


@contextmanager
def full() -> Iterator[IO[bytes]]:
    with FULL.open("wb") as stream:
        yield stream


_Opened = Callable[[], AbstractContextManager[IO[bytes]]]
STATES: dict[str, tuple[_Opened | None, _Opened | None]] = {
    "as always": (fresh, fresh),
    "stdout broken": (broken, fresh),
    "stderr broken": (fresh, broken),
    "both broken": (broken, broken),
    "stdout closed": (None, fresh),
    "stderr closed": (fresh, None),
    "both closed": (None, None),
    "stdout full": (full, fresh),
    "stderr full": (fresh, full),
    "both full": (full, full),
}


def ended(arguments: Sequence[str], state: str, folder: Path) -> int:
    out, err = STATES[state]
    closing = [number for number, how in ((1, out), (2, err)) if how is None]
    # A shell closes what is to be closed: `>&-`.
    shell = " ".join(['exec "$@"', *(f"{number}>&-" for number in closing)])
    with ExitStack() as stack:
        streams = [stack.enter_context((how or fresh)()) for how in (out, err)]
        return subprocess.run(
            ["sh", "-c", shell, "sh", sys.executable, "-m", "scanner", *arguments],
            stdout=streams[0],
            stderr=streams[1],
            stdin=subprocess.DEVNULL,
            check=False,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TOP)},
            timeout=120,
        ).returncode


FEW = ("both broken", "stdout full")
"""For commands without a verdict, day by day: each is a process of its own."""
CASES = [
    pytest.param(name, state, marks=() if state in FEW or name in VERDICTS else pytest.mark.slow)
    for name in COMMANDS
    for state in STATES
]


@pytest.mark.parametrize(("name", "state"), CASES)
def test_the_exit_code_is_the_answer(site: Path, name: str, state: str) -> None:
    if "full" in state and not FULL.exists():
        pytest.skip("there is no device that is always full")
    arguments, code = COMMANDS[name]
    report = site / "r.xml"
    report.unlink(missing_ok=True)
    expected = 2 if name in SHOWS and state in {"stdout full", "both full"} else code
    assert ended(arguments, state, site) == expected
    assert report.exists() == ("--junit" in arguments)


def test_a_plan_that_could_not_be_written_is_told(site: Path) -> None:
    arguments = ["plan", *judged("chef-healthy", "chef-healthy")]
    alone = ended(arguments, "as always", site)
    assert alone in {GO, NO_GO, UNKNOWN}
    assert ended(arguments, "both broken", site) == alone
    if FULL.exists():
        assert ended(arguments, "stdout full", site) == 2


def test_a_reader_that_leaves_early_costs_no_verdict(site: Path) -> None:
    """`preflight scan inventory.toml 2>&1 | head -1` in a job with `set -o pipefail`."""
    command = [sys.executable, "-m", "scanner", "scan", *judged("demo", "demo", "--junit", "early.xml")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=site, env={**os.environ, "PYTHONPATH": str(TOP)}
    ) as running:
        assert running.stdout
        running.stdout.read(1)
        running.stdout.close()
        assert running.wait(120) == NO_GO
    assert (site / "early.xml").exists()


def test_nothing_that_is_said_gets_into_a_report(site: Path) -> None:
    """A file that is opened while descriptor 2 is closed gets that number."""
    arguments = ["scan", *judged("unknown", "chef-healthy", "--json", "clean.json")]
    assert ended(arguments, "both closed", site) == UNKNOWN
    assert (site / "clean.json").read_text(encoding="utf-8").startswith("{")
    assert "wrote" not in (site / "clean.json").read_text(encoding="utf-8").rpartition("}")[2]

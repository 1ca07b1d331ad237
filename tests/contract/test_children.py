"""Programs on this machine are started through one door, `scanner.secrets.children`: bounded, and without secrets."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
DOORS = {
    "scanner/secrets/children.py": {"subprocess.Popen", "subprocess.run"},
    # The command's own second process, forked before anything is read.
    "scanner/cli/process/supervisor.py": {"os.fork"},
}
STARTING = {
    *(f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output", "getoutput")),
    *(f"os.{name}" for name in ("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile")),
    *(f"os.{kind}{how}" for kind in ("exec", "spawn") for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    *("pty.spawn", "pty.fork", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("multiprocessing.Process", "webbrowser.open", "ProxyCommand", "paramiko.ProxyCommand"),
}


def started(tree: ast.AST) -> set[str]:
    """What a module uses that starts programs, called or only named, by whatever name it was imported."""
    known: dict[str, str] = {}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{known.get(node.value.id, node.value.id)}.{node.attr}")
        elif isinstance(node, ast.Name):
            found.add(known.get(node.id, node.id))
    return found & STARTING


def test_programs_are_started_in_one_place() -> None:
    for room in ("scanner", "reports", "checks"):
        for path in sorted((TOP / room).rglob("*.py")):
            name = path.relative_to(TOP).as_posix()
            # A type annotation names subprocess.Popen, and starts nothing.
            source = path.read_text(encoding="utf-8").replace("subprocess.Popen[bytes]", "object")
            assert started(ast.parse(source)) <= DOORS.get(name, set()), name


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess as s\ns.run(['x'])",
        "from subprocess import Popen\nPopen('x')",
        "import os\nos.system('x')",
        "from os import execv as go\ngo('x', [])",
        "import paramiko\nparamiko.ProxyCommand('x')",
        "import subprocess\nstart = subprocess.check_output",
    ],
)
def test_another_door_would_be_seen(code: str) -> None:
    assert started(ast.parse(code))

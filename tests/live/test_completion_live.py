"""What Tab offers, in real shells: the script that the command prints, and the words that come of it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
PATIENCE_S = 60.0
BIN = str(Path(sys.executable).parent)
LINES = [
    ("preflight explain dotnet-f", {"dotnet-framework"}),
    ("preflight lab chef-h", {"chef-half-upgraded", "chef-healthy"}),
    ("preflight scan {inventory} --cluster ", {"vault-prod", "chef-prod"}),
    ("preflight scan {inventory} --cluster vault-prod --node w", {"web1", "web2"}),
    ("preflight scan {inventory} --check chef-l", {"chef-leaderl"}),
    ("preflight scan --product chef-backend --role ", {"backend", "frontend"}),
    ("preflight scan {inventory} --fail-on a", {"any", "all"}),
    ("preflight probes {inventory} --fact sql-", {"sql-instances", "sql-prelogin"}),
    ("preflight inv", {"inventory"}),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("completed")
    inventory, broken = folder / "i.toml", folder / "b.toml"
    subprocess.run([f"{BIN}/preflight", "init", str(inventory)], check=True, capture_output=True)
    broken.write_text("[clusters.a\n")
    return {"inventory": str(inventory), "broken": str(broken)}


@cache
def script(shell: str) -> str:
    """What a user puts into the shell's own configuration."""
    environment = {**os.environ, "_PREFLIGHT_COMPLETE": f"source_{shell}"}
    return subprocess.run([f"{BIN}/preflight"], env=environment, check=True, capture_output=True, text=True).stdout


def needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {program} on this machine")
    return found


def environment() -> dict[str, str]:
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": "/nonexistent",
        "TERM": "dumb",
        "COLUMNS": "200",
        "LC_ALL": "C",
    }


def ran(*words: str) -> str:
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def bash(line: str) -> set[str]:
    words = line.split(" ")
    typed = " ".join(f"'{word}'" for word in words)
    call = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _preflight_completion preflight"
    return set(ran(needed("bash"), "-c", f'{script("bash")}\n{call}\nprintf "%s\\n" "${{COMPREPLY[@]}}"').split())


def fish(line: str) -> set[str]:
    said = ran(needed("fish"), "--no-config", "-c", f"{script('fish')}\ncomplete -C {line!r}")
    return {row.partition("\t")[0] for row in said.splitlines() if row}


def powershell(line: str) -> set[str]:
    program = shutil.which("pwsh")
    if program is None:
        pytest.skip("no PowerShell on this machine")
    ask = f"(TabExpansion2 -inputScript '{line}' -cursorColumn {len(line)}).CompletionMatches.CompletionText"
    text = f"{script('pwsh')}\n{ask}\n"
    said = ran(program, "-NoProfile", "-NonInteractive", "-Command", text)
    return {row.strip() for row in said.splitlines() if row.strip()}


def zsh(line: str, words: set[str]) -> str:
    """What is shown behind a line until the words are there.

    Typed into an interactive one: its completion runs nowhere else.
    """
    program = needed("zsh")
    child, terminal = pty.fork()
    if child == 0:
        os.execve(program, [program, "-f", "-i"], {**environment(), "PS1": "", "ZDOTDIR": "/nonexistent"})  # noqa: S606
    setup = "autoload -U compinit && compinit -u -D; unsetopt automenu listambiguous; setopt listrowsfirst; LISTMAX=0\n"
    setup += f"{script('zsh')}\n"
    setup += "zstyle ':completion:*' list-colors ''\nprintf 'rea%s\\n' dy\n"
    try:
        os.write(terminal, setup.encode())
        until(terminal, lambda seen: "ready" in seen)
        os.write(terminal, f"{line}\t\t".encode())
        return until(terminal, lambda seen: all(word in seen for word in words))
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def until(terminal: int, done: Callable[[str], bool]) -> str:
    """What the terminal shows until that is enough, or nobody would wait any longer."""
    seen, ends = "", time.monotonic() + PATIENCE_S
    while not done(seen) and time.monotonic() < ends:
        ready, _, _ = select.select([terminal], [], [], ends - time.monotonic())
        if not ready:
            break
        seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


@pytest.mark.parametrize(("line", "words"), LINES, ids=[line for line, _ in LINES])
@pytest.mark.parametrize("shell", [bash, fish, powershell], ids=["bash", "fish", "powershell"])
def test_a_shell_offers_what_fits(
    shell: Callable[[str], set[str]], line: str, words: set[str], files: dict[str, str]
) -> None:
    assert shell(line.format(**files)) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        LINES[0],
        ("preflight scan {inventory} --cluster v", {"vault-prod"}),
        ("preflight scan {inventory} --cluster ", {"vault-prod", "chef-prod"}),
        ("preflight lab chef-h", {"chef-half-upgraded", "chef-healthy"}),
        ("preflight probes {inventory} --fact sql-", {"sql-instances", "sql-prelogin"}),
    ],
    ids=["id", "cluster", "clusters", "scenarios", "facts"],
)
def test_zsh_shows_what_fits(line: str, words: set[str], files: dict[str, str]) -> None:
    shown = zsh(line.format(**files), words)
    assert [word for word in words if word not in shown] == []


@pytest.mark.parametrize("shell", [bash, fish], ids=["bash", "fish"])
def test_a_file_that_is_being_written_is_no_trouble(shell: Callable[[str], set[str]], files: dict[str, str]) -> None:
    offered = shell(f"preflight scan {files['broken']} --node ")
    assert offered.isdisjoint({"a", "web1"})


def test_tab_touches_no_network_and_loads_no_library_of_it(files: dict[str, str]) -> None:
    program = (
        "import sys; sys.argv = ['preflight']\n"
        "from scanner.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "loaded = {'paramiko', 'requests', 'cryptography', 'spnego', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)\n"
    )
    line = f"preflight scan {files['inventory']} --node "
    asking = {"_PREFLIGHT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "4"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asking}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "web1" in done.stdout

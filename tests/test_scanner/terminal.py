"""What a page of the documentation tells to type, and a terminal that types it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).parents[2]
TYPED = ("console", "sh", "cron", "bat", "bash", "powershell", "shell")
"""Languages of blocks that are there to be typed."""
_BLOCK = re.compile(
    r"(?:^<!-- (?P<name>[\w-]+):begin -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL
)
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page, and the name between the comments around it."""

    name: str
    language: str
    body: str


@dataclass(frozen=True, slots=True)
class Step:
    """A command, the lines that are shown beneath it, and the exit code that `echo $?` shows then."""

    command: str
    lines: tuple[str, ...] = ()
    code: int = 0


def blocks(page: str) -> list[Block]:
    """Those of a page that somebody types."""
    found = [Block(each["name"] or "", each["language"], each["body"]) for each in _BLOCK.finditer(page)]
    return [block for block in found if block.language in TYPED]


def steps(block: Block) -> Iterator[Step]:
    """The commands of one block."""
    if block.language == "console":
        yield from _console(block.body)
    elif block.language == "cron":
        for line in _lines(block.body):
            when = re.fullmatch(r"(?:[\d*/,-]+ +){5}(.*)", line)
            assert when, line
            assert "%" not in when[1], "cron makes a newline of it"
            yield Step(when[1])
    elif block.language == "bat":
        for line in _lines(block.body.replace("^\n", "")):
            task = re.fullmatch(r'schtasks /Create .*/TR "cmd /c (.*)"', line)
            yield Step(task[1].replace("\\", "/") if task else line)
    else:
        yield from map(Step, _lines(block.body))


def _lines(body: str) -> list[str]:
    return [line for line in body.splitlines() if line.strip() and not line.startswith("#")]


def _console(body: str) -> Iterator[Step]:
    told: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith(("$ ", "# ")):
            told.append((line[2:], []))
        else:
            told[-1][1].append(line)
    for (command, lines), after in zip(told, [*told[1:], ("", [])], strict=True):
        if command != "echo $?":
            yield Step(command, tuple(lines), int(after[1][0]) if after[0] == "echo $?" else 0)


def misses(lines: tuple[str, ...], output: str) -> str:
    """The first line that is shown and was not printed, in that order; dots stand for anything."""
    at, flat = 0, " ".join(output.split())
    for line in lines:
        wanted = r".*?".join(re.escape(" ".join(part.split())) for part in line.split("..."))
        found = re.compile(wanted).search(flat, at)
        if found is None:
            return line
        at = found.end()
    return ""


_NAMES = """\
import json, pathlib, socket
_ports = json.loads(pathlib.Path(__file__).with_name("names.json").read_text("utf-8"))
_real, _by_address = socket.getaddrinfo, socket.gethostbyaddr
def _found(host, port, *rest, **named):
    if host in _ports:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", _ports[host]))]
    return _real(host, port, *rest, **named)
def _named(address):
    if address in _ports:
        raise socket.herror(f"nobody knows {address}")
    return _by_address(address)
socket.getaddrinfo, socket.gethostbyaddr = _found, _named
"""
"""A network of names: each leads to a port of the lab, whatever port is asked for."""


@dataclass(slots=True)
class Terminal:
    """A shell that keeps its folder, and one job in the background."""

    home: Path
    password: str = ""
    """What is typed where one is asked for."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What stands on the page, and what is typed in its place."""
    folder: Path = field(init=False)
    environment: dict[str, str] = field(init=False)
    job: subprocess.Popen[str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.folder = self.home
        programs = self.home / "bin"
        programs.mkdir()
        self.environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(self.home),
            "PYTHONPATH": str(TOP),
            "COLUMNS": "100",
        }
        self.program("preflight", f'exec "{sys.executable}" -m scanner "$@"')

    def program(self, name: str, text: str) -> None:
        """Put a program where the shell looks first."""
        program = self.home / "bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)

    def names(self, ports: Mapping[str, int]) -> None:
        """Let names lead to ports of this machine, for Python's programs."""
        site = self.home / "network"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(_NAMES, encoding="utf-8")
        (site / "names.json").write_text(json.dumps(ports), encoding="utf-8")
        self.environment["PYTHONPATH"] = f"{site}:{TOP}"

    def typed(self, text: str) -> str:
        """What is typed for what stands on the page."""
        for shown, typed in self.words.items():
            text = text.replace(shown, typed)
        return text

    def type(self, step: Step) -> None:
        """Type it. Fails where it ends otherwise than the page shows."""
        command = self.typed(step.command)
        if command == "kill %1":
            self.end()
        elif asked := re.fullmatch(r"read -rs (\w+) && export \1", command):
            self.environment[asked[1]] = self.password
        elif command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
        elif command.endswith(" &"):
            self._start(command.removesuffix(" &"), step.lines)
        else:
            code, output = self.ended(command)
            missing = misses(step.lines, output)
            told = f"{command}\n{output}\nended with {code}, shown {step.code}; shown and not printed: {missing!r}"
            assert (code, missing) == (step.code, ""), told

    def ended(self, command: str) -> tuple[int, str]:
        """How a command ends, and all that it prints."""
        if "--ask-password" in command:
            return self._asked(command)
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _asked(self, command: str) -> tuple[int, str]:
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve("/bin/sh", ["/bin/sh", "-c", command], self.environment)  # noqa: S606  the page's own words
        seen, answered = b"", False
        try:
            while True:
                try:
                    more = os.read(terminal, 65536)
                except OSError:  # Linux says so where the other end is closed
                    break
                if not more:
                    break
                seen += more
                if not answered and b"assword" in seen:
                    os.write(terminal, f"{self.password}\n".encode())
                    answered = True
        finally:
            os.close(terminal)
            _, status = os.waitpid(child, 0)
        output = seen.decode("utf-8", errors="replace")
        assert answered, f"{command} asks for no password\n{output}"
        assert self.password not in output
        return os.waitstatus_to_exitcode(status), output

    def _start(self, command: str, lines: tuple[str, ...]) -> None:
        log = self.home / "job.log"
        with log.open("w", encoding="utf-8") as written:
            self.job = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                text=True,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while misses(lines, log.read_text("utf-8")):
            assert self.job.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.02)

    def end(self) -> None:
        """End the job in the background."""
        if self.job is not None:
            self.job.terminate()
            self.job.wait(30)
            self.job = None

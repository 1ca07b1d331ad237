"""The page of what can stand between the scanner and a node: made by letting it happen, so that it says what is said.

`python -m tests.faults_page` writes docs/faults.md anew; a test holds it to what the scanner says today. Each row is a
scenario of the lab that was scanned, or what a real login was seen to print, put to the same judge as over SSH.
"""

from __future__ import annotations

import errno
import platform
import re
import socket
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from checks.outcome import Status
from checks.scan import CONNECTIVITY
from reports.text import escape_invisible
from scanner.cli.answers import with_credentials
from scanner.cli.options import resolve_options
from scanner.errors import NodeError
from scanner.inventory.model import Node
from scanner.inventory.reading.nodes import HERE
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, scenario_names, scenario_text
from scanner.probes.probe import Language
from scanner.run.collect import scan
from scanner.transports.launch import launch_for
from scanner.transports.local import LocalTransport
from scanner.transports.own_trouble import own_trouble
from scanner.transports.protocol import Limits
from scanner.transports.ssh.errors import Phase, translate

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
_WAYS = {
    "ssh": "Over SSH",
    "winrm": "Over WinRM",
    "psrp": "Over WinRM, with PowerShell remoting",
    "tds": "SQL Server, asked from here",
    "local": "On this machine",
    "own": "This machine itself lacks something",
}
_SIDE_BY_SIDE = 6
_OTHERWISE = frozenset(
    (
        *("chef-slow-probe", "chef-two-of-three", "demo"),
        *("ssh-all-down", "winrm-all-down", "sql-port-only-new", "sql-port-only-old"),
    )
)
"""Scenarios that are about something else, or show a fault that another one shows."""

# What real OpenSSH 9.2 gave a scanner for these accounts and files; tests/live/test_logins_live.py asks it again.
LOGINS: tuple[tuple[str, bytes, int], ...] = (
    ("The account's shell is nologin", b"This account is currently not available.\n", 1),
    ("The account's shell is /bin/false; or a start-up file ends with `exit`", b"", 1),
    ("The account's shell is git-shell", b"fatal: unrecognized command 'sh -s'\n", 128),
    ("`ForceCommand internal-sftp`", b"This service allows sftp connections only.\n", 1),
    ("A forced command of its own", b"backup done\n", 0),
    ("A forced command that is not there", b"bash: line 1: /nowhere/at-all: No such file or directory\n", 127),
    ("`ChrootDirectory` without a shell", b"/bin/bash: No such file or directory\n", 1),
    ("/etc/nologin, without PAM", b"Down for maintenance until 04:00.\n", 254),
    (
        "The password has expired",
        b"WARNING: Your password has expired.\nPassword change required but no TTY available.\n",
        1,
    ),
    ("A start-up file wants a terminal", b"open terminal failed: not a terminal\n", 1),
    ("A start-up file asks for a password", b"Password: su: Authentication failure\n", 1),
    ("A start-up file starts csh", b"{: Command not found.\nBadly placed ()'s.\n", 1),
    ("A start-up file leaves a PATH without `sh`", b"bash: line 1: sh: command not found\n", 127),
    ("`ulimit -u` leaves no process", b"@ready@sh: 62: Cannot fork\n", 2),
    (
        "`ulimit -n` leaves no descriptor",
        b"sh: error while loading shared libraries: libc.so.6: cannot open shared object file: Error 24\n",
        127,
    ),
)
HANG_UPS: tuple[tuple[str, Phase, bytes], ...] = (
    (
        "The account has expired, and PAM says so",
        Phase.LOGIN,
        b"Your account has expired; please contact your system administrator.\n",
    ),
    ("/etc/nologin, with PAM", Phase.LOGIN, b"Down for maintenance until 04:00.\n\n"),
    ("sshd ends the connection in the login, and says nothing", Phase.LOGIN, b""),
    ("MaxStartups", Phase.HANDSHAKE, b"Exceeded MaxStartups\r\n"),
    ("PerSourcePenalties of OpenSSH 9.8", Phase.HANDSHAKE, b"Not allowed at this time\r\n"),
    ("tcp wrappers, or a firewall that lets nobody speak", Phase.HANDSHAKE, b""),
    ("A notice of maintenance in place of SSH", Phase.HANDSHAKE, b"This system is down for maintenance.\r\n"),
)
_HEAD = """\
# What can be in the way

This page is generated: each row is a fault that was made to happen in the lab, or what a real login printed, and what
the scanner said of it. `make readme` writes it anew, and a test holds it to what is said today. Ports, addresses, paths
and fingerprints are left out.

A node that cannot be asked is one `connectivity` error with its cause and its cure; what follows from it is told as
that (`follows` in JSON), and has no remedy of its own. The verdict is UNKNOWN (exit code 3) as long as nothing else
fails: a node that cannot be asked is never a reason to go.

How long a fault can take: the name and the connection `connect_timeout` (10 s), an ssh-agent, a ProxyCommand's first
word, a KDC and a password command as long; from the login on the node's `timeout` (60 s), whatever the peer does.
Nobody else waits for it. preflight itself uses no proxy (HTTP_PROXY, HTTPS_PROXY), so none can hold it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault."""

    way: str
    fault: str
    said: str
    cure: str
    verdict: str


def scenarios() -> list[str]:
    """Those that are about a node that cannot be asked, or not fully."""
    found = []
    for name in scenario_names():
        table = tomllib.loads(scenario_text(name))
        expected = table.get("expect", {}).get("results", [])
        hit = any(row["check"] == CONNECTIVITY and row["status"] == "error" for row in expected)
        if hit and name not in _OTHERWISE:
            found.append(name)
    return found


def played(name: str) -> Iterator[Row]:
    """The scenario's faults, as a scan of it tells them."""
    scenario = load_scenario(name)
    with tempfile.TemporaryDirectory() as folder, Lab(scenario) as lab:
        selection, job = resolve_options(lab.write(Path(folder)))
        done = scan(with_credentials(job, selection))
    ways = {(node.cluster, node.name): _way(node) for cluster, _ in job.clusters for node in cluster.nodes}
    seen = set()
    for row in done.results:
        if row.check == CONNECTIVITY and row.status is Status.ERROR and row.message not in seen:
            seen.add(row.message)
            way = ways[row.cluster, row.node or ""]
            beside = "tds" if "SQL Server cannot be asked" in row.message else way
            yield Row(
                way=beside,
                fault=scenario.title,
                said=row.message,
                cure=row.remediation.summary,
                verdict=str(done.verdict),
            )


def _way(node: Node) -> str:
    return "psrp" if node.winrm and node.winrm.protocol == "psrp" else node.transport


def logins() -> Iterator[Row]:
    """What a login printed in place of `sh`, judged as over SSH."""
    start = launch_for("sh", "echo nonce-ready\n{\nexit 0\n}\n")
    for fault, output, status in LOGINS:
        failure = start.judge(output.replace(b"@ready@", start.ready), status)
        if failure is None:
            raise AssertionError(f"{fault}: taken for an answer")
        yield Row(way="ssh", fault=fault, said=str(failure), cure=failure.hint, verdict="UNKNOWN")


def hang_ups() -> Iterator[Row]:
    """What a server said before it hung up, translated as in a conversation."""
    for fault, phase, heard in HANG_UPS:
        banner, greeting = (heard, b"") if phase is Phase.LOGIN else (b"", heard)
        told = translate(EOFError(), phase, "the node", greeting=greeting, banner=banner, ended=True)
        yield Row(way="ssh", fault=fault, said=str(told), cure=told.hint, verdict="UNKNOWN")


def local() -> Iterator[Row]:
    """Real processes on this machine."""
    here = Node(cluster="c", name="n", host=HERE, product="chef-backend", roles=("backend",), transport="local")
    tries: tuple[tuple[str, Node, str, Limits, Mapping[Language, str] | None], ...] = (
        ("There is no shell", here, "true", Limits(), {"sh": "/nowhere/sh"}),
        ("The shell is killed", here, "kill -9 $$", Limits(), None),
        ("The script does not end", here, "sleep 30", Limits(timeout_s=0.5), None),
        ("More output than is taken", here, "head -c 300000 /dev/zero", Limits(answer_bytes=100_000), None),
        ("The node is another machine", replace(here, host="192.0.2.1"), "true", Limits(), None),
        ("The machine has no POSIX shell", here, "true", Limits(), {"powershell": "powershell.exe"}),
    )
    for fault, node, script, limits, programs in tries:
        try:
            LocalTransport(node, limits, programs=programs).run(script)
        except NodeError as error:
            yield Row(way="local", fault=fault, said=str(error), cure=error.hint, verdict="UNKNOWN")
        else:
            raise AssertionError(f"{fault}: nothing was said")


def own() -> Iterator[Row]:
    """What the system tells a process that it has no room for."""
    lacking = {
        "`ulimit -n` is too low": OSError(errno.EMFILE, "Too many open files"),
        "The system's table of files is full": OSError(errno.ENFILE, "File table overflow"),
        "No memory is left": MemoryError(),
        "No thread can be started": RuntimeError("can't start new thread"),
        "The network has no buffers left": OSError(errno.ENOBUFS, "No buffer space available"),
    }
    for fault, error in lacking.items():
        told = own_trouble(error)
        assert told, fault
        yield Row(way="own", fault=fault, said=str(told), cure=told.hint, verdict="UNKNOWN")


def rows() -> list[Row]:
    """All of them, by transport."""
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = [row for each in pool.map(lambda name: list(played(name)), scenarios()) for row in each]
    ways = list(_WAYS)
    return sorted([*found, *hang_ups(), *logins(), *local(), *own()], key=lambda row: ways.index(row.way))


def page(found: Iterable[Row]) -> str:
    """The page, with what differs from run to run left out."""
    parts = [_HEAD]
    listed = list(found)
    for way, title in _WAYS.items():
        mine = [row for row in listed if row.way == way]
        if mine:
            parts.append(f"\n## {title}\n\n| fault | what is said | what to do | verdict |\n|---|---|---|---|\n")
            parts += [f"| {_cell(r.fault)} | {_cell(r.said)} | {_cell(r.cure)} | {r.verdict} |\n" for r in mine]
    return "".join(parts)


_ALIKE = (
    (re.compile(r"SHA256:[A-Za-z0-9+/]{20,}=*"), "SHA256:…"),
    (re.compile(r"/\S*/(known_hosts|ca\.pem|id_[a-z0-9]+)"), r"…/\1"),
    (re.compile(r"\[127\.0\.0\.1\]:\d+|127\.0\.0\.1:\d+"), "HOST:PORT"),
    (re.compile(r"(port|-p) \d{4,5}\b(?<!5985)(?<!5986)"), r"\1 PORT"),
    (re.compile(r"\b127\.0\.0\.1\b"), "HOST"),
    (re.compile(r"(?<=it calls itself )[\w-]+(?=\) rejects)"), "NAME"),
    (re.compile(r"\b\d+ bytes"), "N bytes"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b(?: \d\d:\d\d UTC)?"), "DATE"),
    (re.compile(r"(?:[a-z0-9-]+, ){2,}[a-z0-9-]+ \((?!HOST)"), "QUESTIONS ("),
    (re.compile(r"(?<=they begin: ).*"), "…"),
    (re.compile(r"\b[0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12}\b", re.IGNORECASE), "ID"),
)


def _cell(text: str) -> str:
    text = escape_invisible(text.replace(socket.gethostname(), "NAME").replace(platform.system(), "SYSTEM"))
    for pattern, instead in _ALIKE:
        text = pattern.sub(instead, text)
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def write() -> None:
    """Write the page anew."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(rows()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()

"""Whom a Linux machine is connected with: asked by `preflight discover`, and by no scan.

The kernel's own table where it may be read, which takes no program; else what `ss` or `netstat` make of it. What is
sent home are whole lines as they were printed, one for each peer and port of the machine's own.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Callable

from checks.common.connection_facts import Connection, TcpConnections
from scanner.probes.linux.printed import odd_line, printed_lines, shown
from scanner.probes.probe import Answer, Probe, UnreadableError

_MOST = 4000
_WHAT = "the table of TCP connections"
_BIG_ENDIAN = re.compile(r"s390x?|(ppc|powerpc|mips|sparc)(64)?|.*[^l]eb|.*_be|parisc(64)?|m68k")
_STANDING = {"01", "06", "ESTAB", "TIME-WAIT", "ESTABLISHED", "TIME_WAIT"}
"""Established, and closed by this side a moment ago: who asks every few seconds is mostly seen in the latter."""
_PROC_ROW = re.compile(
    r"\d+: (?P<local>[0-9A-F]{8}|[0-9A-F]{32}):(?P<lport>[0-9A-F]{4}) "
    r"(?P<remote>[0-9A-F]{8}|[0-9A-F]{32}):(?P<rport>[0-9A-F]{4}) (?P<state>[0-9A-F]{2}) .*"
)
_PRINTED_ROW = re.compile(
    r"(?:tcp6?\s+\d+\s+\d+\s+(?P<local>\S+)\s+(?P<remote>\S+)\s+(?P<state>[A-Z_0-9]+)"
    r"|(?P<state2>[A-Z0-9-]+)\s+\d+\s+\d+\s+(?P<local2>\S+)\s+(?P<remote2>\S+))(?:\s.*)?"
)
_END = re.compile(r"\[?(?P<address>[0-9a-fA-F.:]+|\*)(?:%[\w.-]+)?\]?(?:%[\w.-]+)?:(?P<port>\d{1,5})")


def read_tcp_connections(answer: Answer) -> TcpConnections:
    """The connections that are told, whichever way. Raises UnreadableError."""
    lines = printed_lines(answer, _WHAT)
    if "more" in lines:
        raise UnreadableError(f"more than {_MOST} machines and ports are connected: that is no backend of a cluster")
    table = re.fullmatch(r"table (proc \S+|ss|netstat|none)", lines[0]) if lines else None
    if not table or lines[-1] != "asked":
        raise UnreadableError(f"{_WHAT}: not understood: {shown(lines)}")
    if table[1] == "none":
        raise UnreadableError(f"{_WHAT}: neither /proc/net/tcp nor ss nor netstat tells it there")
    row = _kernels(table[1].removeprefix("proc ")) if table[1].startswith("proc ") else _printed
    found = [row(line) for line in lines[1:-1]]
    return TcpConnections(tuple(sorted({each for each in found if each is not None})))


def _kernels(machine: str) -> Callable[[str], Connection | None]:
    """A reader of lines of /proc/net/tcp: addresses are 32-bit words in the byte order of the machine."""
    order = ">" if _BIG_ENDIAN.fullmatch(machine) else "<"

    def address(digits: str) -> str:
        words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
        return _plain(ipaddress.ip_address(b"".join(struct.pack(f"{order}I", word) for word in words)))

    def read(line: str) -> Connection | None:
        row = _PROC_ROW.fullmatch(line)
        if not row:
            raise odd_line("/proc/net/tcp", line)
        if row["state"] not in _STANDING:
            return None
        return Connection(address(row["local"]), int(row["lport"], 16), address(row["remote"]), int(row["rport"], 16))

    return read


def _printed(line: str) -> Connection | None:
    row = _PRINTED_ROW.fullmatch(line)
    ends = [_END.fullmatch(row[name] or row[f"{name}2"]) for name in ("local", "remote")] if row else []
    found = [end for end in ends if end]
    if not row or len(found) != len(("local", "remote")) or (row["state"] or row["state2"]) not in _STANDING:
        raise odd_line("ss, netstat", line)
    try:
        local, remote = ((_plain(ipaddress.ip_address(end["address"])), int(end["port"])) for end in found)
    except ValueError:
        # Older net-tools cut IPv6 addresses off; an IPv4 one within is cut less often than read.
        return None
    return Connection(*local, *remote)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


# One line of each peer and port of the machine's own: a busy backend has thousands, which tell no more.
_EACH_ONCE = (
    'function host(end) { sub(/:[^:]*$/, "", end); return end } '
    "$s ~ /^(01|06|ESTAB|ESTABLISHED|TIME-WAIT|TIME_WAIT)$/ && !seen[$l, host($r)]++ "
    f'{{ if (++n > {_MOST}) {{ print "more"; exit }} print }}'
)

PROBE = Probe(
    id="linux-connections",
    language="sh",
    purpose="whom the machine is connected with over TCP: addresses and ports, from the kernel's own table",
    script=f"""\
each_once() {{ awk -v s="$1" -v l="$2" -v r="$3" '{_EACH_ONCE}'; }}
if [ -r /proc/net/tcp ]; then
    echo "table proc $(uname -m)"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | each_once 4 2 3
elif command -v ss >/dev/null; then
    echo 'table ss'
    ss -tan | each_once 1 4 5
elif command -v netstat >/dev/null; then
    echo 'table netstat'
    netstat -tan | each_once 6 4 5
else
    echo 'table none'
fi
echo asked""",
    readers=((TcpConnections, read_tcp_connections),),
    sample="table proc x86_64\nasked\n",
)

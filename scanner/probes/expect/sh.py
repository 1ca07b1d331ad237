"""What a Linux node is asked for an expectation: POSIX sh that prints a line for each item, and a last word.

    exists yes                  an item, and what was found
    gap sha256 why              an item, and why it could not be found
    answer-ends                 nothing was cut off

What the inventory says stands in these scripts as a quoted text and nowhere else. What takes root follows `$SUDO`, as
one command of plain words; see `ROOT_PATH`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from checks.engine.expect.model import ROOT_PATH, Expectation

END = "answer-ends"

_COMMON = r"""
pf_line='
'
pf_say() { printf '%s %s\n' "$1" "$(printf %s "$2" | tr -s '\n\r\t' '   ')"; }
pf_gap() { printf 'gap %s %s\n' "$1" "$(printf %.400s "$2" | tr -s '\n\r\t' '   ')"; }
"""
# The exit status of what reads goes around what searches: a file that could not be read has nothing in it.
_SEARCH = r"""
pf_complaint() { printf '%s\n' "$pf_said" | sed -e '/^read [0-9]*$/d' -e '/^grep [0-9]*$/d'; }
pf_search() {
    pf_item=$1; shift
    pf_said=$({ { READ; echo "read $?" >&3; } | { grep -c "$@" >/dev/null; echo "grep $?" >&3; }; } 3>&1 2>&1)
    case "$pf_line$pf_said$pf_line" in
    *"${pf_line}read 0$pf_line"*)
        case "$pf_line$pf_said$pf_line" in
        *"${pf_line}grep 0$pf_line"*) pf_say "$pf_item" yes ;;
        *"${pf_line}grep 1$pf_line"*) pf_say "$pf_item" no ;;
        *) pf_gap "$pf_item" "$(pf_complaint)" ;;
        esac ;;
    *) pf_gap "$pf_item" "$(pf_complaint)" ;;
    esac
}
"""
_OPTIONS = {"contains": "-F", "lacks": "-F", "matches": "-E", "matches_not": "-E"}


def script(wanted: Expectation) -> str:
    """The question of `wanted`, for a shell. Raises KeyError for a kind that Linux cannot answer."""
    if wanted.kind == "command":
        return _command(wanted)
    body = {"file": _file, "service": _service, "package": _package, "port": _port}[wanted.kind](wanted)
    return "\n".join([_COMMON.strip(), *body, f"echo {END}"])


def _root(wanted: Expectation) -> tuple[str, str]:
    """What stands before a command that reads the file, and how its path is written there."""
    if not wanted.sudo:
        return "", shlex.quote(wanted.subject)
    if not re.fullmatch(ROOT_PATH, wanted.subject):
        raise ValueError(f"expectation {wanted.id}: this path cannot be read as root")
    return "$SUDO ", wanted.subject


def _file(wanted: Expectation) -> Iterator[str]:
    root, path = _root(wanted)
    items = wanted.items()
    yield f"if pf_stat=$({root}stat -L -c %f/%s/%U/%G -- {path} 2>&1); then"
    yield "pf_say exists yes"
    yield 'pf_say stat "$pf_stat"'
    if "sha256" in items:
        yield f'if pf_hash=$({root}sha256sum -- {path} 2>&1); then pf_say sha256 "${{pf_hash%% *}}"'
        yield 'else pf_gap sha256 "$pf_hash"; fi'
    if wanted.patterns:
        yield _SEARCH.strip().replace("READ", f"{root}cat -- {path}")
        for item, key, text in wanted.patterns:
            yield f"pf_search {item} {_OPTIONS[key]} -e {shlex.quote(text)}"
    yield "else"
    # A link that leads nowhere is none, and so is a file below what is no folder.
    yield 'case $pf_stat in *": No such file or directory" | *": Not a directory") pf_say exists no ;;'
    yield '*) pf_gap exists "$pf_stat" ;; esac'
    yield "fi"


_SYSTEMD = r"""
if [ -d /run/systemd/system ]; then
    if pf_show=$(systemctl show -p LoadState -p ActiveState -p SubState -p UnitFileState -- "$pf_name" 2>&1); then
        pf_say manager systemd
        printf '%s\n' "$pf_show" | sed -n -e 's/^\([A-Z][A-Za-z]*State\)=/\1 /p'
    else pf_gap exists "$pf_show"; fi
"""
_RUNIT = r"""
pf_sv=
for pf_try in sv /opt/opscode/embedded/bin/sv /opt/chef-backend/embedded/bin/sv; do
    if command -v "$pf_try" >/dev/null 2>&1; then pf_sv=$pf_try; break; fi
done
if [ "$pf_sv" ]; then
    pf_say manager runit
    pf_say status "$("$pf_sv" status "$pf_name" 2>&1)"
else pf_gap exists 'neither systemd nor runit is there'; fi
"""


def _service(wanted: Expectation) -> Iterator[str]:
    yield f"pf_name={shlex.quote(wanted.subject)}"
    manager = wanted.text("manager")
    if manager == "runit":
        yield _RUNIT.strip()
    elif manager == "systemd":
        yield _SYSTEMD.strip() + "\nelse pf_gap exists 'systemd does not run there'; fi"
    else:
        yield _SYSTEMD.strip() + "\nelse\n" + _RUNIT.strip() + "\nfi"


# Both are asked where both are there: a machine may have the other system's tool beside its own.
_PACKAGE = r"""
pf_asked=
if command -v dpkg-query >/dev/null 2>&1; then
    if pf_have=$(dpkg-query -W -f '${Status} ${Version}\n' -- "$pf_name" 2>&1); then
        pf_asked=y
        printf '%s\n' "$pf_have" | sed 's/^/dpkg /'
    else case $pf_have in
    "dpkg-query: no packages found matching "*) pf_asked=y ;;
    *) pf_gap installed "$pf_have" ;;
    esac; fi
fi
if command -v rpm >/dev/null 2>&1; then
    if pf_have=$(rpm -q --qf '%{EPOCH}:%{VERSION}-%{RELEASE}\n' -- "$pf_name" 2>&1); then
        pf_asked=y
        printf '%s\n' "$pf_have" | sed 's/^/rpm /'
    else case $pf_have in
    "package $pf_name is not installed") pf_asked=y ;;
    *) pf_gap installed "$pf_have" ;;
    esac; fi
fi
if [ "$pf_asked" ]; then pf_say asked yes; else pf_gap installed 'neither dpkg nor rpm could be asked'; fi
"""


def _package(wanted: Expectation) -> Iterator[str]:
    yield f"pf_name={shlex.quote(wanted.subject)}"
    yield _PACKAGE.strip()


# The kernel's own table, which everybody may read: no program's output, no names in place of numbers.
_PORT = r"""
pf_read=
for pf_table in /proc/net/PROTOCOL /proc/net/PROTOCOL6; do
    [ -e "$pf_table" ] || continue
    if sed -n 's/^ *[0-9]*: \([0-9A-F]*\):PORT [0-9A-F]*:[0-9A-F]* STATE .*$/address \1/p' "$pf_table"; then pf_read=y
    else pf_gap listening "$pf_table cannot be read"; fi
done
if [ "$pf_read" ]; then pf_say asked yes; else pf_gap listening '/proc/net has no tables'; fi
"""
_STATES = {"tcp": "0A", "udp": "07"}
"""Listening, as the kernel numbers it; a UDP socket without a peer is "unconnected"."""


def _port(wanted: Expectation) -> Iterator[str]:
    protocol = wanted.text("protocol") or "tcp"
    text = _PORT.strip().replace("PROTOCOL", protocol).replace("STATE", _STATES[protocol])
    yield text.replace("PORT", f"{int(wanted.subject):04X}")


def _command(wanted: Expectation) -> str:
    """As given, in a shell of its own: whatever it is, what follows it is still said."""
    return "\n".join([f"sh -c {shlex.quote(wanted.subject)}", f"printf '\\n%s %s\\n%s\\n' exit \"$?\" {END}"])

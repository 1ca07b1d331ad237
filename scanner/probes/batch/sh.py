"""All sh probes of a node as one POSIX script for `sh -s`, and its output taken apart again.

The output is a row of frames, each on lines of its own; the nonce is new for every conversation, so no answer can
imitate one:

    NONCE-ready                     the shell is there and reads: what starting it took is over
    NONCE clock begun TIME          the node's clock, seconds since 1970, with a fraction where its `date` knows one
    NONCE begin ID SECONDS BYTES    seconds it may take, and most bytes of it that count
    ...what the probe printed on standard output...
    NONCE errors ID BYTES           most bytes of standard error that count
    ...what it printed there last...
    NONCE end ID EXIT               124: its time was up
    NONCE broken ID EXIT            the shell could not ask it, and ended with that before its time was up
    NONCE late ID                   not asked, the budget was used up
    NONCE clock ended TIME
    ...blanks (END_BYTES)...
    NONCE done
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from checks.facts import Unknown
from scanner.errors import shortened
from scanner.probes.probe import Answer, NodeClock, Probe
from scanner.secrets.redaction import NOTHING_SECRET, Redactor

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIMED_OUT = 124
_KILLED = 137
_LEAD = "\n" * 4
_LINE_END = ord("\n")
_NOISE_CHARS = 160
_COMPLAINT = re.compile(r": .*(?:not found|[Cc]annot|can't|[Nn]o such|[Pp]ermission denied|unavailable)")
# What follows the nonce. With it they would have to be compiled anew for each node, which takes longer than all else
# that is done with an answer.
_FRAME = re.compile(
    rb"(?:begin (?P<begin>\S+)(?: (?P<seconds>\d{1,9}) (?P<bytes>\d{1,18}))?"
    rb"|errors (?P<errors>\S+) (?P<most>\d{1,18})"
    rb"|end (?P<end>\S+) (?P<exit>\d{1,9})|broken (?P<broken>\S+) (?P<how>\d{1,9})"
    rb"|late (?P<late>\S+)|(?P<done>done))\r?(?=\n)"
)
_KINDS = {"bytes": "begin", "most": "errors", "exit": "end", "how": "broken"}
"""What kind of frame ends with a group, where it has more than the one that has its name and says whose it is."""
_STAMP = re.compile(rb"(begun|ended) (\d{1,11})(\.\d{1,9})?\r?(?=\n)")
ERROR_BYTES = 16 * 1024
"""What counts of a probe's standard error; the rest is read, so that nobody waits for a reader, and thrown away."""

END_BYTES = 8 * 1024
"""What the whole ends with, at least: blanks, and `done`. Who reads it can leave what comes before it where it is, and
be woken once, by this, rather than for each of many small answers."""

# Why it is built so:
# - Every probe has an empty standard input, or it would eat the rest of this script.
# - `timeout` starts a shell that asks, and the programs that read what is answered, all in one process group, which it
#   ends as a whole. What nobody here may end (a command under sudo, one stuck in the kernel) is left with pipes that
#   have no reader: it can write nothing into later answers, and does not hold the connection open. That shell outlives
#   SIGTERM, or `timeout` would be content with its end and never send SIGKILL to what minds no SIGTERM.
# - busybox's `timeout` ends the shell alone: there the asking goes on in the background, and a reader in the foreground
#   gives up on it 2 s after its time (`exec`, because shells keep a spare copy of what a redirected function replaces).
# - A process costs a node more than all else here, so the readers are `head` and `tail` themselves, without a shell
#   around them. `head` bounds the output. `tail` holds standard error back until standard output is complete, and
#   bounds it: in memory, and in no file, for a node with a full disk must still be able to answer. It reads to the end,
#   because a program that is cut off there would be killed before it has printed its answer; it keeps what came last,
#   and so, whatever came before, the end with the exit status.
# - What an answer came to leaves the node together with the beginning of the next: every write becomes a packet of its
#   own, and a scanner with hundreds of nodes spends more on a packet than on what is in it. The shell keeps it in a
#   variable until then, which takes no process; not in ksh, whose variables end at a NUL byte.
# - The first process is started with standard error at hand: a shell without room for it ends there, and says why.
# - What the shell itself complains of is neither.
# - 137 is a command that was killed (128 and the signal's 9), as most shells count; ksh adds 256.
# - What asks and ends early has not waited out the time: it could not be started, or was killed.
# - A login's start-up file may have turned the shell that reads this into zsh, which can be told to be a sh, and may
#   have left options and variables that change what programs print.
# - Blank lines come first: a start-up file that asks something takes its answer from here.
# - Scripts arrive single-quoted rather than in here-documents, which some shells keep in files under /tmp.
_ASK = r"""
trap "sleep 2; exit 124" TERM
exec 4>&1
{
    {
        sh -c "unset pf_nonce
$1" 2>&5 4>&- 5>&-
        pf_exit=$?
        [ "$pf_exit" != 265 ] || pf_exit=137
        printf "\n%s end %s %s\n" "$pf_nonce" "$2" "$pf_exit" >&5
    } 2>&5 4>&- | $4 >&4
    printf "\n%s errors %s %s\n" "$pf_nonce" "$2" "$3" >&4
} 5>&1 | tail -c "$5"
"""
_DRIVER = r"""
pf_clock() {
    if read -r pf_now pf_rest </proc/uptime; then pf_now=${pf_now%%.*}; else pf_now=$(date +%s); fi 2>/dev/null
}
pf_stamp() {
    pf_time=$(date +%s.%N 2>/dev/null)
    case $pf_time in *[!0-9.]* | *. | '') pf_time=$(date +%s 2>/dev/null) ;; esac
    printf '%s\n%s clock %s %s\n' "$pf_text" "$pf_nonce" "$1" "$pf_time"
}
pf_probe() {
    pf_clock
    pf_left=$((pf_until - pf_now)) pf_kept=$((MOST + ${#pf_nonce} + ${#1} + 12))
    if [ "$pf_left" -lt 1 ]; then pf_text="$pf_text$pf_line$pf_nonce late $1$pf_line"; return; fi
    [ "$pf_left" -lt "$2" ] || pf_left=$2
    printf '%s\n%s begin %s %s %s\n' "$pf_text" "$pf_nonce" "$1" "$pf_left" "$pf_bytes"
    if [ "$pf_relay" ]; then
        pf_text=$(
            { {
                exec </dev/null
                $pf_timeout "$pf_left" sh -c "$pf_asking" sh "$3" "$1" MOST "$pf_cut" "$pf_kept" 2>&1
            } & } | $pf_timeout "$((pf_left + 2))" cat
        )$pf_line
    elif [ -z "$pf_hold" ]; then
        pf_text=
        $pf_timeout ${pf_timeout:+$pf_left} sh -c "$pf_asking" sh "$3" "$1" MOST "$pf_cut" "$pf_kept" </dev/null 2>&1
    else
        pf_text=$(
            $pf_timeout ${pf_timeout:+$pf_left} sh -c "$pf_asking" sh "$3" "$1" MOST "$pf_cut" "$pf_kept" \
                </dev/null 2>&1
        )$pf_line
    fi 2>/dev/null && return
    pf_how=$? pf_asked=$pf_now; pf_clock
    if [ "$((pf_now - pf_asked))" -lt "$pf_left" ]; then pf_text="$pf_text$pf_line$pf_nonce broken $1 $pf_how$pf_line"
    else pf_text="$pf_text$pf_line$pf_nonce end $1 124$pf_line"; fi
}
[ -z "${ZSH_VERSION-}" ] || emulate sh
set +e +f +u +v +x
unset BASH_ENV ENV CDPATH GREP_OPTIONS POSIXLY_CORRECT BLOCK_SIZE BLOCKSIZE DF_BLOCK_SIZE TIME_STYLE
LC_ALL=C
PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
PATH="$PATH:/opt/chef-backend/bin:/opt/opscode/bin"
[ -z "$SUDO" ] || [ "$(id -u)" != 0 ] || SUDO=
export LC_ALL PATH SUDO pf_nonce
pf_text=
pf_stamp begun
cd /
pf_line='
'
pf_hold=
case $(printf 'a\000b') in a*b) pf_hold=y ;; esac 2>/dev/null
pf_cut="head -c $((pf_bytes + 1))" pf_timeout='timeout -k 1' pf_relay=
{
    if timeout --signal=TERM -k 1 9 head -c 1; then :
    else
        head -c 1 || pf_cut=cat
        if timeout --signal=TERM -k 1 9 true; then :
        elif timeout --signal=TERM 9 true; then pf_timeout=timeout
        elif timeout -k 1 9 true; then pf_relay=y
        elif timeout 9 true; then pf_timeout=timeout pf_relay=y
        else pf_timeout=
        fi
    fi
} </dev/null >/dev/null 2>&1
pf_clock
pf_until=$((pf_now + pf_budget))
""".replace("MOST", str(ERROR_BYTES))
_END = f"printf '%{END_BYTES}s\\n%s done\\n' '' \"$pf_nonce\"\nexit 0\n}}\n"
_FIRST = f"pf_asking={shlex.quote(_ASK.strip())}\n{_DRIVER.strip()}"


def compose(
    probes: Sequence[Probe],
    *,
    nonce: str,
    budget_s: float,
    options: Mapping[str, object],
    sudo: bool,
    probe_bytes: int,
) -> str:
    """The script that asks all `probes` in turn, for the standard input of `sh -s`. It exits with 0, whatever they say.

    `budget_s` is looked at before each probe; a probe gets no more than what is left of it. The whole may overrun it
    by 2 s, where a command cannot be killed. Raises ValueError for a probe that is not sh, and for an option that
    cannot be a shell variable.
    """
    lines = [
        f"SUDO={shlex.quote('sudo -n' if sudo else '')}",
        f"pf_nonce={shlex.quote(nonce)} pf_bytes={int(probe_bytes)} pf_budget={max(1, int(budget_s))}",
    ]
    asked = []
    for probe in probes:
        if probe.language != "sh":
            raise ValueError(f"probe {probe.id} is {probe.language}, not sh")
        script = _assignments(probe, options) + probe.script
        asked.append(_asked(probe.id, max(1, int(probe.timeout_s)), script))
    # Braces: the shell runs nothing before it has read the whole, so half a script does nothing.
    body = "\n".join([*lines, _FIRST, *asked])
    # The line before them runs at once: whoever waits for it can hold the last byte back until the shell reads.
    ready = f"echo {shlex.quote(nonce)}-ready"
    return f"{_LEAD}{ready}\n{{\n{body}\npf_stamp ended\n{_END}"


def tail_bytes(script: str) -> int:
    """So much at least a script prints once all is answered, blanks first; some may be read with what precedes."""
    return END_BYTES * 3 // 4 if script.endswith(_END) else 1


@functools.lru_cache(maxsize=512)
def _asked(probe_id: str, timeout_s: int, script: str) -> str:
    """The line that asks one probe: the same for all nodes of a kind."""
    return f"pf_probe {shlex.quote(probe_id)} {timeout_s} {shlex.quote(script)}"


def _assignments(probe: Probe, options: Mapping[str, object]) -> str:
    """The probe's own options as exported variables; what is not set is unset, whatever the login brought along."""
    lines = []
    for name in probe.parameters:
        if not _NAME.fullmatch(name):
            raise ValueError(f"probe {probe.id}: {name!r} cannot be a shell variable")
        if name not in options:
            lines.append(f"unset {name}\n")
            continue
        value = options[name]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if "\0" in text:
            raise ValueError(f"probe {probe.id}: option {name} holds a NUL byte")
        lines.append(f"{name}={shlex.quote(text)}; export {name}\n")
    return "".join(lines)


def parse(
    output: bytes, *, nonce: str, probe_ids: Sequence[str], hide: Redactor = NOTHING_SECRET
) -> dict[str, Answer | Unknown]:
    """What each of `probe_ids` answered, from whole or cut-off output. Noise around the frames is ignored.

    `hide` takes secrets out of what stands between the frames, before any of it is cut.
    """
    mark = nonce.encode() + b" "
    lead = len(mark) + 1
    answers: dict[str, Answer | Unknown] = {}
    begun: re.Match[bytes] | None = None
    errors: re.Match[bytes] | None = None
    done = framed = mixed = False
    for found in _frames(_FRAME, output, mark):
        start = max(0, found.start() - lead)
        framed = True
        kind = _KINDS.get(str(found.lastgroup), str(found.lastgroup))
        of = found[kind]
        if kind == "begin":
            if begun:
                answers.setdefault(_text(begun["begin"]), _broken_off(output[begun.end() + 1 : start], nonce))
            begun, errors, mixed = found, None, False
        elif kind == "late":
            answers.setdefault(_text(of), Unknown("not asked: the node's time was used up before its turn"))
        elif kind == "done":
            done = True
        elif not begun:
            continue
        elif of != begun["begin"]:
            # Such as the rest of one whose shell was killed: what stands around it may be of either.
            mixed = True
        elif kind == "errors":
            errors = errors or found
        elif kind == "end":
            # One line break follows the begin, one precedes the next frame; neither is the probe's.
            body = output[begun.end() + 1 : errors.start() - lead if errors else start]
            told = _errors(output[errors.end() + 1 : start], errors, hide) if errors else ""
            untold = Unknown("another probe's answer ran into this one")
            answers.setdefault(_text(of), untold if mixed else _answer(body, begun, found, told, hide))
            begun = None
        else:
            noise = hide.raw(output[begun.end() + 1 : start], cut=True)
            answers.setdefault(_text(of), _not_asked(int(found["how"]), noise, nonce))
            begun = None
    if begun and done:
        answers.setdefault(_text(begun["begin"]), _broken_off(hide.raw(output[begun.end() + 1 :], cut=True), nonce))
    elif begun:
        answers.setdefault(_text(begun["begin"]), Unknown("cut off in mid-answer"))
    if done:
        missing = "no answer among those of the node"
    elif framed:
        missing = "the node's output ended before this was answered"
    else:
        ready = nonce.encode() + b"-ready"
        missing = _strange(hide.raw(output.replace(ready, b""), cut=True), begun=ready in output)
    return {probe_id: answers.get(probe_id, Unknown(missing)) for probe_id in probe_ids}


def unpacked_bytes(output: bytes, *, nonce: str) -> int:  # noqa: ARG001  as for PowerShell
    """So much is what the node printed."""
    return len(output)


def parse_with_stamps(
    output: bytes, *, nonce: str, probe_ids: Sequence[str], hide: Redactor = NOTHING_SECRET
) -> tuple[dict[str, Answer | Unknown], NodeClock | None]:
    """Both at once."""
    return parse(output, nonce=nonce, probe_ids=probe_ids, hide=hide), stamps(output, nonce=nonce)


def stamps(output: bytes, *, nonce: str) -> NodeClock | None:
    """What the node's clock said when the batch began and when it ended; None where it did not say both."""
    said = {found[1]: found for found in _frames(_STAMP, output, nonce.encode() + b" clock ")}
    if len(said) < len(("begun", "ended")):
        return None
    begun_s, ended_s = (float(said[name][2] + (said[name][3] or b"")) for name in (b"begun", b"ended"))
    return NodeClock(begun_s, ended_s, 0.0 if all(found[3] for found in said.values()) else 1.0)


def _frames(pattern: re.Pattern[bytes], output: bytes, mark: bytes) -> Iterator[re.Match[bytes]]:
    """Where `pattern` follows `mark` at the beginning of a line; a match begins behind the mark."""
    at = output.find(mark)
    while at >= 0:
        found = pattern.match(output, at + len(mark)) if at == 0 or output[at - 1] == _LINE_END else None
        if found:
            yield found
        at = output.find(mark, found.end() if found else at + len(mark))


def _answer(body: bytes, begin: re.Match[bytes], end: re.Match[bytes], errors: str, hide: Redactor) -> Answer | Unknown:
    exit_code = int(end["exit"])
    if exit_code == _TIMED_OUT:
        after = f" after {int(begin['seconds'])} s" if begin["seconds"] else ""
        return Unknown(f"timed out on the node{after}")
    most = int(begin["bytes"]) if begin["bytes"] else len(body)
    truncated = len(body) > most
    text = _text(hide.raw(body, cut=truncated)[:most])
    return Answer(text, exit_code, truncated=truncated, error_output=errors)


def _errors(body: bytes, frame: re.Match[bytes], hide: Redactor) -> str:
    most = int(frame["most"])
    if len(body) <= most:
        return _text(hide.raw(body)).rstrip("\n")
    # The mark says that something stood before it: half a secret behind it is taken out as well.
    return _text(hide.raw(b"\xe2\x80\xa6" + body[-most:])).rstrip("\n")


def _not_asked(status: int, noise: bytes, nonce: str) -> Unknown:
    """Why a probe was not asked; what asks it needs processes, pipes, and `tail`."""
    if status == _KILLED:
        return Unknown("what was to ask it was killed on the node before its time was up (a limit of the account's?)")
    said = _last_line(noise, nonce)
    return Unknown(f"the node's shell could not ask it (exit {status}){f': {said}' if said else ''}")


def _broken_off(noise: bytes, nonce: str) -> Unknown:
    said = _last_line(noise, nonce) or "has the account room for processes and memory there? See `ulimit -a`"
    return Unknown(f"the node's shell broke off while it asked this: {said}")


def _last_line(noise: bytes, nonce: str) -> str:
    """What was said last, a shell's complaint rather than the answer that could not be taken home."""
    lines = [line for line in _text(noise[-4096:]).splitlines() if line.strip() and not line.startswith(nonce)]
    lines = [line for line in lines if _COMPLAINT.search(line)] or lines
    return shortened(" ".join(lines[-1].split()), _NOISE_CHARS) if lines else ""


def _strange(output: bytes, *, begun: bool) -> str:
    first = next((line for line in _text(output).splitlines() if line.strip()), "")
    if not first and begun:
        return "the node answered nothing; its shell began, and ran nothing (a limit? See `ulimit -a` there)"
    if not first:
        return "the node answered nothing"
    return f"the node answered something else: {shortened(' '.join(first.split()), 120)}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="backslashreplace")

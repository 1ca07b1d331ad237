"""All PowerShell probes of a node as one script, and its answer taken apart again.

The script is the fixed parts, those that probes bring, and one block per probe, which a second runspace runs while the
first one watches, and behind them the parameters: what is the same on many nodes comes first, so that it is compressed
once for all of them. Its answer is one line, or several where something blocks: `NONCE:gzip:BASE64:NONCE`, where
BASE64 is the gzip of `{"powershell", "clr", "mode", "budget_ms", "begun", "ended", "at", "probes": {…}}`. Begun and
ended are by the node's clock, in ticks (100 ns since the year 1); without `ended`, more was to come, and `at` is the
probe that was being asked. Each probe, by its id, stands in one of the lines with one of `value`, `error`, `cut` (the
head of a value larger than the cap), `blocked` (by what, if that is known) or `late` (behind which blocked probe, if
any). `plain` in the place of `gzip` is the JSON itself; `mode` says that PowerShell's language mode forbids the
script.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from importlib import resources
from typing import Any

from checks.common.dataclass import dataclass
from checks.engine.wording import count
from checks.facts import Unknown
from scanner.probes.probe import Answer, NodeClock, Probe
from scanner.secrets.redaction import NOTHING_SECRET, Redactor

GUARD, WATCH = "batch/guard.ps1", "batch/watch.ps1"
PARTS = ("batch/accessors.ps1", "batch/prelude.ps1")
"""What all probes are run with, in this order, and the watch, too. What some call besides is in their `parts`."""

MAX_JSON_BYTES = 8 * 1024 * 1024
"""An answer that unpacks to more than this is taken for an attack: Python's lists need up to 25 times as much."""
_MUCH_BYTES = 256 * 1024
"""An answer of this size is large whatever is packed in it."""

_TICKS_1970 = 621_355_968_000_000_000
_TICKS_A_SECOND = 10_000_000
_CLOCK_STEP_S = 0.016
"""Windows tells the time in steps of up to 15.6 ms."""
_NONCE = re.compile(r"[0-9A-Za-z]{8,64}")
_BETWEEN_MARKS = re.compile(rb":(gzip|plain|mode):([0-9A-Za-z+/=]*):")
_SHOWN_CHARS = 200
_DAY_MS = 86_400_000
_PROBE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@functools.cache
def powershell_source(name: str) -> str:
    """The text of one of the .ps1 files, by its path from `scanner/probes`."""
    return (resources.files("scanner.probes") / name).read_text(encoding="ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What one script was composed with."""

    nonce: str
    budget_ms: int
    probe_bytes: int
    options: Mapping[str, object] = field(default_factory=dict)
    probe_ids: tuple[str, ...] = ()


def compose(
    probes: Sequence[Probe], *, nonce: str, budget_s: float, options: Mapping[str, object], probe_bytes: int
) -> str:
    """One PowerShell 2.0 script, pure ASCII, that asks all `probes` and answers in one line, or in several.

    It ends `budget_s` seconds after it began, whatever blocks: what was not asked until then is answered as late. Of
    `options` only those are sent that a probe declares. Raises ValueError for a probe that is not PowerShell or not
    ASCII, or a bad nonce.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("the nonce must be 8 to 64 letters and digits")
    declared = {name for probe in probes for name in probe.parameters}
    further = dict.fromkeys(text for probe in probes for text in probe.parts)
    # Nothing but blocks that wait: what language mode forbids is said by the guard, before any of them runs.
    fixed = [
        *("$PfParts = {", *(powershell_source(name) for name in PARTS), *further, "}"),
        *("$PfProbes = {", *(_block(probe.id, probe.language, probe.script) for probe in probes), "}"),
        *("$PfWatcher = {", powershell_source(WATCH), "}"),
        f"$PfProbeIds = @({', '.join(_quoted(probe.id) for probe in probes)})",
    ]
    parameters = [
        "$ErrorActionPreference = 'Stop'",
        "$ProgressPreference = 'SilentlyContinue'",
        f"$PfNonce = '{nonce}'",
        f"$PfBudgetMs = {int(budget_s * 1000)}",
        f"$PfProbeBytes = {probe_bytes}",
        "$PfOption = @{}",
        *(
            f"$PfOption[{literal(name)}] = {literal(value)}"
            for name, value in sorted(options.items())
            if name in declared
        ),
    ]
    start = [". $PfWatcher", ". $PfParts", "$PfBegun = Get-PfTicks", "Watch-PfProbes", ""]
    return "\n".join([*fixed, *parameters, "", powershell_source(GUARD), *start])


@functools.lru_cache(maxsize=512)
def _block(probe_id: str, language: str, script: str) -> str:
    """What asks one probe: the same for all nodes of a kind."""
    if language != "powershell" or not script.isascii():
        raise ValueError(f"probe {probe_id} is no ASCII PowerShell")
    return f"Invoke-PfProbe {_quoted(probe_id)} {{\n{script.strip()}\n}}\n"


@functools.lru_cache(maxsize=512)
def _quoted(probe_id: str) -> str:
    return literal(probe_id)


def literal(value: object) -> str:
    """`value` as a PowerShell expression in which nothing can be mistaken for code.

    Only plain ASCII stands between quotes; the rest goes by number, among it the four typographic quotes that
    PowerShell takes for single quotes. Raises TypeError for anything but strings, integers and booleans.
    """
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"an option must be a string, an integer or a boolean, not {type(value).__name__}")
    pieces = []
    for run in re.findall(r"[ -~]+|[^ -~]", value):
        if " " <= run[0] <= "~":
            pieces.append("'" + run.replace("'", "''") + "'")
        else:
            units = run.encode("utf-16-be", "surrogatepass")
            codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
            pieces += [f"[string][char]0x{code:04x}" for code in codes]
    return " + ".join(pieces) if pieces[:1] and pieces[0].startswith("'") else " + ".join(["''", *pieces])


def _read_literal(text: str) -> object:
    if text in ("$true", "$false"):
        return text == "$true"
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    units = b""
    for quoted, code in re.findall(r"'((?:[^']|'')*)'|\[string\]\[char\]0x([0-9a-f]{4})", text):
        units += bytes.fromhex(code) if code else quoted.replace("''", "'").encode("utf-16-be")
    return units.decode("utf-16-be", "surrogatepass")


def parameters_of(script: str) -> Parameters | None:
    """What `script` says it was composed with; None where it does not look like one of ours.

    It is a claim: compare with a script composed anew before believing it.
    """
    head = re.search(r"^\$PfNonce = '(\w+)'\n\$PfBudgetMs = (-?\d+)\n\$PfProbeBytes = (\d+)\n", script, re.MULTILINE)
    if head is None:
        return None
    options = re.findall(r"^\$PfOption\['(\w+)'\] = (.*)$", script, re.MULTILINE)
    ids = re.findall(r"^Invoke-PfProbe '([^']+)' \{$", script, re.MULTILINE)
    values = {name: _read_literal(value) for name, value in options}
    return Parameters(
        nonce=head[1], budget_ms=int(head[2]), probe_bytes=int(head[3]), options=values, probe_ids=tuple(ids)
    )


def parse(
    output: bytes, *, nonce: str, probe_ids: Sequence[str], hide: Redactor = NOTHING_SECRET
) -> dict[str, Answer | Unknown]:
    """Each probe's answer, or why there is none, from all that the node printed. Never raises.

    Noise around the frames is ignored, and so are line breaks that a console put into them. What stands in whole frames
    counts, whatever became of the rest. A probe's error is an Answer with exit code 1 and the error as output; a value
    is an Answer whose output is the value as JSON. `hide` takes secrets out of all of it, before any of it is cut.
    """
    return parse_with_stamps(output, nonce=nonce, probe_ids=probe_ids, hide=hide)[0]


def stamps(output: bytes, *, nonce: str) -> NodeClock | None:
    """What the node's clock said when the script began and when it ended; None where it did not say both."""
    return parse_with_stamps(output, nonce=nonce, probe_ids=())[1]


def unpacked_bytes(output: bytes, *, nonce: str) -> int:
    """At most so much is what the node printed, unpacked: a little may be megabytes. Much is not looked at."""
    size = len(output)
    if size >= _MUCH_BYTES:
        return size
    for form, body in _frames(output.translate(None, b" \t\r\n\0"), nonce.encode()):
        if form == b"gzip":
            with suppress(binascii.Error):  # its last four bytes, by which it is checked when it is unpacked
                size += int.from_bytes(base64.b64decode(body[-8:])[-4:], "little")
    return size


def parse_with_stamps(
    output: bytes, *, nonce: str, probe_ids: Sequence[str], hide: Redactor = NOTHING_SECRET
) -> tuple[dict[str, Answer | Unknown], NodeClock | None]:
    """Both at once: to unpack the node's answer takes as long as to read it."""
    try:
        told = _unpack(output, nonce, hide)
    except _BadFrameError as error:
        return dict.fromkeys(probe_ids, Unknown(str(error))), None
    found = {probe_id: _answer(told, probe_id, hide) for probe_id in probe_ids}
    values = {probe_id: each for probe_id, each in found.items() if isinstance(each, str)}
    clean = {probe_id: Answer(text, 0) for probe_id, text in zip(values, hide.jsons(values.values()), strict=True)}
    answers = {probe_id: clean[probe_id] if isinstance(each, str) else each for probe_id, each in found.items()}
    return answers, _clock(told)


def _clock(told: _Told) -> NodeClock | None:
    begun_s, ended_s = (
        (ticks - _TICKS_1970) / _TICKS_A_SECOND if isinstance(ticks, int) and 0 < ticks < 2**62 else None
        for ticks in (told.begun, told.ended)
    )
    return None if begun_s is None or ended_s is None else NodeClock(begun_s, ended_s, _CLOCK_STEP_S)


class _BadFrameError(Exception):
    pass


@dataclass(slots=True, kw_only=True)
class _Told:
    """What all frames of an answer say together."""

    probes: dict[str, object] = field(default_factory=dict)
    budget_ms: object = None
    begun: object = None
    ended: object = None
    at: object = None
    """The probe that was being asked when the last frame left which was not the end."""
    damage: str = ""
    """Why there may be frames that cannot be read."""


def _unpack(output: bytes, nonce: str, hide: Redactor = NOTHING_SECRET) -> _Told:
    """All frames as one. Raises _BadFrameError where not a single one is whole."""
    mark = nonce.encode()
    squeezed = output.translate(None, b" \t\r\n\0")
    told, frames, size = _Told(), 0, 0
    for form, body in _frames(squeezed, mark):
        if form == b"mode":
            mode = hide(body.decode())[:40]
            raise _BadFrameError(
                f"PowerShell on the node is in {mode} mode (AppLocker or WDAC), which forbids what the"
                " probes need; allow the scanner's account full language mode"
            )
        try:
            whole, length = _frame(form, body, MAX_JSON_BYTES - size, hide)
        except _BadFrameError as error:
            told.damage = told.damage or str(error)
            continue
        frames, size = frames + 1, size + length
        told.probes |= {key: entry for key, entry in whole["probes"].items() if key not in told.probes}
        told.budget_ms = whole.get("budget_ms")
        told.begun = whole.get("begun") if told.begun is None else told.begun
        told.ended, told.at = whole.get("ended"), whole.get("at")
    if not frames:
        begun = mark + b":gzip:" in squeezed or mark + b":plain:" in squeezed
        raise _BadFrameError(told.damage or _no_frame(hide.raw(output, cut=True), begun=begun))
    return told


def _frames(squeezed: bytes, mark: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Form and body of each frame. Every answer has a mark of its own, so that no pattern is made of it."""
    at = squeezed.find(mark)
    while at >= 0:
        frame = _BETWEEN_MARKS.match(squeezed, at + len(mark))
        if frame and squeezed.startswith(mark, frame.end()):
            yield frame[1], frame[2]
            at = squeezed.find(mark, frame.end() + len(mark))
        else:
            at = squeezed.find(mark, at + 1)


def _frame(form: bytes, body: bytes, most: int, hide: Redactor) -> tuple[Mapping[str, Any], int]:
    """One frame's JSON, and how long it is unpacked; `most` is how long it may be."""
    try:
        raw = base64.b64decode(body, validate=True)
        text = _gunzip(raw, most) if form == b"gzip" else raw
        whole = json.loads(text, parse_constant=_no_constant)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        why = hide(" ".join(str(error).split()))[:200] or type(error).__name__
        raise _BadFrameError(f"the node's answer is damaged: {why}") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("probes"), dict):
        raise _BadFrameError("the node's answer is damaged: it holds no probes")
    return whole, len(text)


def _no_frame(output: bytes, *, begun: bool) -> str:
    if begun:
        return f"the node's answer is cut off: it ends in the middle, after {count(len(output), 'byte')}"
    shown = "".join(char if " " <= char <= "~" else " " for char in output[:2000].decode("ascii", "replace"))
    shown = " ".join(shown.split())
    shown = shown if len(shown) <= _SHOWN_CHARS else shown[: _SHOWN_CHARS - 3] + "..."

    if not output.strip():
        return "the node printed nothing"
    return f"no answer in the {count(len(output), 'byte')} that the node printed; they begin: {shown}"


def _gunzip(raw: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    text = unpacker.decompress(raw, max(1, most))
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {MAX_JSON_BYTES // 1024 // 1024} MB")
    if not unpacker.eof:
        raise ValueError("the compressed data ends in the middle")
    return text


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _answer(told: _Told, probe_id: str, hide: Redactor) -> Answer | Unknown | str:
    """What a probe said, or why nothing; a value, which nearly all say, as JSON that `hide` has yet to go over."""
    entry = told.probes.get(probe_id)
    if entry is None and told.ended is None:
        asking = f"; the node was at {told.at}" if isinstance(told.at, str) and _PROBE_ID.fullmatch(told.at) else ""
        return Unknown(told.damage or f"timed out: the node's answer ends before this probe's came{asking}")
    if not isinstance(entry, dict):
        return Unknown(told.damage or "the node's answer leaves this probe out")
    if "late" in entry and (entry["late"] is True or isinstance(entry["late"], str)):
        return Unknown(_late(entry["late"], told.budget_ms))
    if isinstance(entry.get("blocked"), str):
        return Unknown(_blocked(hide(entry["blocked"]), entry.get("ms")))
    if isinstance(entry.get("error"), str):
        return Answer(hide(entry["error"]), 1)
    if isinstance(entry.get("cut"), str):
        return Answer(hide(entry["cut"], cut=True), 0, truncated=True)
    if "value" in entry:
        with suppress(ValueError, RecursionError):  # nested just less deeply than the reader of the whole minds
            return json.dumps(entry["value"])
    return Unknown("the node's answer to this probe is damaged")


def _late(behind: object, budget_ms: object) -> str:
    budget = f" of {budget_ms / 1000:g} s" if isinstance(budget_ms, int) and 0 < budget_ms < _DAY_MS else ""
    if isinstance(behind, str) and _PROBE_ID.fullmatch(behind):
        return f"timed out: not asked, for probe {behind} blocked and used up the time budget{budget}; raise --timeout"
    return f"not asked: the probes before it had used up the time budget{budget}; raise --timeout"


def _blocked(what: str, took_ms: object) -> str:
    took = f" within {took_ms / 1000:.1f} s" if isinstance(took_ms, int) and 0 < took_ms < _DAY_MS else ""
    place = "".join(char if " " <= char <= "~" else "?" for char in what)[:300]
    return f"timed out: it did not end{took}" + (f"; {place} does not answer" if place else "")

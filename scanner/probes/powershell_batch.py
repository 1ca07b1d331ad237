"""All PowerShell probes of a node as one script, and its one-line answer taken apart again.

The script is the parameters, then the fixed parts under `powershell/`, then one block per probe. Its answer is one
line `NONCE:gzip:BASE64:NONCE`, where BASE64 is the gzip of `{"powershell", "clr", "mode", "budget_ms", "begun",
"ended", "probes": {…}}`. Begun and ended are by the node's clock, in ticks (100 ns since the year 1). Each probe, by
its id, has one of `value`, `error`, `cut` (the head of a value larger than the cap) or `late`.
`plain` in the place of `gzip` is the JSON itself; `mode` says that PowerShell's language mode forbids the script.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from checks.facts import Unknown
from scanner.probes.probe import Answer, Probe, Stamps

PARTS = ("guard.ps1", "accessors.ps1", "prelude.ps1", "iis.ps1", "roots.ps1", "machine.ps1", "sql.ps1")
"""What every script holds, in this order."""

MAX_JSON_BYTES = 8 * 1024 * 1024
"""An answer that unpacks to more than this is taken for an attack: Python's lists need up to 25 times as much."""

_TICKS_1970 = 621_355_968_000_000_000
_TICKS_A_SECOND = 10_000_000
_CLOCK_STEP_S = 0.016
"""Windows tells the time in steps of up to 15.6 ms."""
_NONCE = re.compile(r"[0-9A-Za-z]{8,64}")
_DAY_MS = 86_400_000
_OPTION_NAME = re.compile(r"[a-z][a-z0-9_]*")


@functools.cache
def part(name: str) -> str:
    """The text of one of the package's .ps1 files."""
    return (resources.files("scanner.probes") / "powershell" / name).read_text(encoding="ascii")


@dataclass(frozen=True, slots=True)
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
    """One PowerShell 2.0 script, pure ASCII, that asks all `probes` and answers in one line.

    Probes that have not begun `budget_s` seconds after the script did are answered as late. Of `options` only those
    are sent that a probe declares. Raises ValueError for a probe that is not PowerShell or not ASCII, or a bad nonce.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("the nonce must be 8 to 64 letters and digits")
    declared = {name for probe in probes for name in probe.parameters}
    lines = [
        "$ErrorActionPreference = 'Stop'",
        "$ProgressPreference = 'SilentlyContinue'",
        f"$PfNonce = '{nonce}'",
        f"$PfBudgetMs = {int(budget_s * 1000)}",
        f"$PfProbeBytes = {probe_bytes}",
        "$PfOption = @{}",
    ]
    for name, value in sorted(options.items()):
        if name in declared:
            lines.append(f"$PfOption[{literal(name)}] = {literal(value)}")
    blocks = [_block(probe) for probe in probes]
    return "\n".join([*lines, "", *(part(name) for name in PARTS), *blocks, "Write-PfAnswers", ""])


def _block(probe: Probe) -> str:
    if probe.language != "powershell" or not probe.script.isascii():
        raise ValueError(f"probe {probe.id} is no ASCII PowerShell")
    return f"Invoke-PfProbe {literal(probe.id)} {{\n{probe.script.strip()}\n}}\n"


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
    return Parameters(head[1], int(head[2]), int(head[3]), values, tuple(ids))


def parse(output: bytes, *, nonce: str, probe_ids: Sequence[str]) -> dict[str, Answer | Unknown]:
    """Each probe's answer, or why there is none, from all that the node printed. Never raises.

    Noise around the frame is ignored, and so are line breaks that a console put into it. A probe's error is an Answer
    with exit code 1 and the error as output; a value is an Answer whose output is the value as JSON.
    """
    try:
        whole = _unpack(output, nonce)
    except _BadFrameError as error:
        return dict.fromkeys(probe_ids, Unknown(str(error)))
    probes, budget_ms = whole["probes"], whole.get("budget_ms")
    return {probe_id: _answer(probes, probe_id, budget_ms) for probe_id in probe_ids}


def stamps(output: bytes, *, nonce: str) -> Stamps | None:
    """What the node's clock said when the script began and when it ended; None where it did not say both."""
    try:
        whole = _unpack(output, nonce)
    except _BadFrameError:
        return None
    times = [whole.get("begun"), whole.get("ended")]
    begun_s, ended_s = (
        (ticks - _TICKS_1970) / _TICKS_A_SECOND if isinstance(ticks, int) and 0 < ticks < 2**62 else None
        for ticks in times
    )
    return None if begun_s is None or ended_s is None else Stamps(begun_s, ended_s, _CLOCK_STEP_S)


class _BadFrameError(Exception):
    pass


def _unpack(output: bytes, nonce: str) -> Mapping[str, Any]:
    mark = re.escape(nonce.encode())
    squeezed = output.translate(None, b" \t\r\n\0")
    frame = re.search(mark + rb":(gzip|plain|mode):([0-9A-Za-z+/=]*):" + mark, squeezed)
    if frame is None:
        raise _BadFrameError(_no_frame(output, begun=re.search(mark + rb":(gzip|plain):", squeezed) is not None))
    form, body = frame[1], frame[2]
    if form == b"mode":
        raise _BadFrameError(
            f"PowerShell on the node is in {body[:40].decode()} mode (AppLocker or WDAC), which forbids what the probes"
            " need; allow the scanner's account full language mode"
        )
    try:
        raw = base64.b64decode(body, validate=True)
        text = _gunzip(raw) if form == b"gzip" else raw
        whole = json.loads(text, parse_constant=_no_constant)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise _BadFrameError(f"the node's answer is damaged: {why}") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("probes"), dict):
        raise _BadFrameError("the node's answer is damaged: it holds no probes")
    return whole


def _no_frame(output: bytes, *, begun: bool) -> str:
    if begun:
        return f"the node's answer is cut off: it ends in the middle, after {len(output)} bytes"
    shown = "".join(char if " " <= char <= "~" else " " for char in output[:2000].decode("ascii", "replace"))
    shown = " ".join(shown.split())[:200]
    if not output.strip():
        return "the node printed nothing"
    return f"no answer in the {len(output)} bytes that the node printed; they begin: {shown}"


def _gunzip(raw: bytes) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    text = unpacker.decompress(raw, MAX_JSON_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {MAX_JSON_BYTES // 1024 // 1024} MB")
    if not unpacker.eof:
        raise ValueError("the compressed data ends in the middle")
    return text


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _answer(probes: Mapping[str, object], probe_id: str, budget_ms: object) -> Answer | Unknown:
    entry = probes.get(probe_id)
    if not isinstance(entry, dict):
        return Unknown("the node's answer leaves this probe out")
    if entry.get("late") is True:
        budget = f" of {budget_ms / 1000:g} s" if isinstance(budget_ms, int) and 0 < budget_ms < _DAY_MS else ""
        return Unknown(f"not asked: the probes before it had used up the time budget{budget}; raise --timeout")
    if isinstance(entry.get("error"), str):
        return Answer(entry["error"], 1)
    if isinstance(entry.get("cut"), str):
        return Answer(entry["cut"], 0, truncated=True)
    if "value" in entry:
        with suppress(ValueError, RecursionError):  # nested just less deeply than the reader of the whole minds
            return Answer(json.dumps(entry["value"]), 0)
    return Unknown("the node's answer to this probe is damaged")

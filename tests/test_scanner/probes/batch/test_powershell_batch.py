"""The frame around the PowerShell probes: composed so that nothing slips out of it, read so that nothing can hurt."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.facts import Unknown
from scanner.probes.batch.powershell import (
    MAX_JSON_BYTES,
    compose,
    literal,
    parameters_of,
    parse,
    stamps,
)
from scanner.probes.probe import Answer, Probe

NONCE = "0123456789abcdef"
IDS = ("first", "second")
PROBES = (
    Probe(id="first", language="powershell", purpose="one", script="return 1", readers=(), parameters=("web_root",)),
    Probe(id="second", language="powershell", purpose="two", script="return 2", readers=()),
)


def script(**options: object) -> str:
    return compose(PROBES, nonce=NONCE, budget_s=12.5, options=options, probe_bytes=4096)


def frame(probes: object, form: str = "gzip") -> bytes:
    raw = json.dumps({"powershell": "2.0", "budget_ms": 12500, "probes": probes}).encode()
    packed = gzip.compress(raw, mtime=0) if form == "gzip" else raw
    return f"{NONCE}:{form}:{base64.b64encode(packed).decode()}:{NONCE}\r\n".encode()


GOOD = frame({"first": {"value": {"a": [1, "x"]}, "ms": 3}, "second": {"error": "denied: C:\\x: no", "ms": 1}})


def raw(form: str, body: bytes) -> bytes:
    return f"{NONCE}:{form}:{base64.b64encode(body).decode()}:{NONCE}".encode()


def reasons(output: bytes) -> set[str]:
    answers = parse(output, nonce=NONCE, probe_ids=IDS)
    assert set(answers) == set(IDS)
    assert all(isinstance(answer, Unknown) for answer in answers.values())
    return {answer.reason for answer in answers.values() if isinstance(answer, Unknown)}


def test_values_and_errors_come_back_per_probe() -> None:
    assert parse(GOOD, nonce=NONCE, probe_ids=IDS) == {
        "first": Answer('{"a": [1, "x"]}', 0),
        "second": Answer("denied: C:\\x: no", 1),
    }


def test_noise_around_the_frame_and_line_breaks_in_it_do_no_harm() -> None:
    wrapped = b"\r\n".join(GOOD.strip()[at : at + 79] for at in range(0, len(GOOD), 79))
    noise = b"\xff\xfeWelcome to CORP!\r\n#< CLIXML\r\n"
    assert parse(noise + wrapped + b"\x80bye", nonce=NONCE, probe_ids=IDS) == parse(GOOD, nonce=NONCE, probe_ids=IDS)


def test_an_answer_without_gzip_is_read_as_well() -> None:
    answers = parse(frame({"first": {"value": None}}, "plain"), nonce=NONCE, probe_ids=["first"])
    assert answers == {"first": Answer("null", 0)}


def test_a_late_probe_a_cut_one_and_a_forgotten_one() -> None:
    answers = parse(
        frame({"first": {"late": True}, "second": {"cut": '{"a":'}}), nonce=NONCE, probe_ids=(*IDS, "third")
    )
    late, forgotten = answers["first"], answers["third"]
    assert isinstance(late, Unknown)
    assert "time budget of 12.5 s" in late.reason
    assert answers["second"] == Answer('{"a":', 0, truncated=True)
    assert isinstance(forgotten, Unknown)


SECOND = frame({"second": {"value": 2}})


def test_answers_may_come_in_several_lines() -> None:
    assert parse(frame({"first": {"value": 1}}) + b"noise\r\n" + SECOND, nonce=NONCE, probe_ids=IDS) == {
        "first": Answer("1", 0),
        "second": Answer("2", 0),
    }


@pytest.mark.parametrize("kept", [0, 10, len(SECOND) // 2, len(SECOND) - 20])
def test_of_an_answer_that_is_cut_off_the_finished_lines_count(kept: int) -> None:
    begun = raw("plain", b'{"at":"second","probes":{"first":{"value":1}}}') + b"\r\n"
    answers = parse(begun + SECOND[:kept], nonce=NONCE, probe_ids=(*IDS, "third"))
    assert answers["first"] == Answer("1", 0)
    for probe_id in ("second", "third"):
        told = answers[probe_id]
        assert isinstance(told, Unknown)
        assert told.reason.startswith("timed out: the node's answer ends before this probe's came")
        assert told.reason.endswith("the node was at second")


def test_a_damaged_line_costs_only_what_is_in_it() -> None:
    bad = raw("gzip", b"no gzip") + b"\r\n"
    answers = parse(bad + SECOND, nonce=NONCE, probe_ids=IDS)
    assert answers["second"] == Answer("2", 0)
    told = answers["first"]
    assert isinstance(told, Unknown)
    assert "damaged" in told.reason


def test_no_number_of_lines_unpacks_to_more_than_one_may() -> None:
    half = json.dumps({"probes": {"x": {"value": "y" * (MAX_JSON_BYTES // 2)}}}).encode()
    lines = raw("gzip", gzip.compress(half)) + b"\r\n"
    told = parse(lines * 3 + SECOND, nonce=NONCE, probe_ids=IDS)["first"]
    assert isinstance(told, Unknown)
    assert "it unpacks to more than" in told.reason


def test_what_blocked_and_what_it_kept_from_being_asked_are_named() -> None:
    entries = {"first": {"blocked": "\\\\fs\\backup", "ms": 8000}, "second": {"late": "first", "ms": 0}}
    answers = parse(frame(entries), nonce=NONCE, probe_ids=IDS)
    blocked, late = answers["first"], answers["second"]
    assert isinstance(blocked, Unknown)
    assert blocked.reason == "timed out: it did not end within 8.0 s; \\\\fs\\backup does not answer"
    assert isinstance(late, Unknown)
    assert late.reason.startswith("timed out: not asked, for probe first blocked and used up the time budget of 12.5 s")


@pytest.mark.parametrize("entry", [{"blocked": 4}, {"late": 4}, {"late": False}, {"blocked": None, "ms": "x"}])
def test_an_odd_word_on_time_is_damage(entry: object) -> None:
    told = parse(frame({"first": entry}), nonce=NONCE, probe_ids=["first"])["first"]
    assert isinstance(told, Unknown)
    assert "damaged" in told.reason


@pytest.mark.parametrize("entry", [None, 3, [], {}, {"error": 4}, {"late": "yes"}, {"ms": 4}])
def test_a_damaged_probe_stays_its_own(entry: object) -> None:
    answers = parse(frame({"first": entry, "second": {"value": 1}}), nonce=NONCE, probe_ids=IDS)
    assert isinstance(answers["first"], Unknown)
    assert answers["second"] == Answer("1", 0)


@pytest.mark.parametrize("kept", [len(NONCE) + 7, len(GOOD) // 2, len(GOOD) - len(NONCE) - 2])
def test_a_truncated_answer_is_unknown_and_says_so(kept: int) -> None:
    (reason,) = reasons(GOOD[:kept])
    assert "cut off" in reason


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (b"", "printed nothing"),
        (b" \r\n", "printed nothing"),
        (b"Access is denied.\r\n", "they begin: Access is denied."),
        (GOOD.replace(NONCE.encode(), b"fedcba9876543210"), "no answer"),
        (f"{NONCE}:gzip:!!!!:{NONCE}".encode(), "cut off"),
        (f"{NONCE}:gzip:abc:{NONCE}".encode(), "damaged"),
        (raw("gzip", b"abc"), "damaged"),
        (raw("plain", b"abc"), "damaged"),
        (raw("plain", b"[" * 100_000), "damaged"),
        (raw("plain", b"[1]"), "damaged"),
        (raw("plain", b'{"probes": NaN}'), "damaged"),
        (raw("gzip", gzip.compress(b"{}" * 999, mtime=0)[:20]), "damaged"),
        (raw("plain", b'{"probes": {"first": {"value": 1' + b"0" * 5000 + b"}}}"), "damaged"),
        (f"{NONCE}:mode:{'A' * 1000}:{NONCE}".encode(), f"in {'A' * 40} mode"),
        (f"{NONCE}:mode:ConstrainedLanguage:{NONCE}".encode(), "ConstrainedLanguage mode (AppLocker or WDAC)"),
    ],
)
def test_what_cannot_be_read_is_unknown_with_the_reason(output: bytes, said: str) -> None:
    (reason,) = reasons(output)
    assert said in reason
    assert reason.isascii()
    assert reason.isprintable()


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (MAX_JSON_BYTES + 1), compresslevel=1)
    (reason,) = reasons(raw("gzip", bomb))
    assert "unpacks to more than 8 MB" in reason


@pytest.mark.parametrize("budget", ["1" + "0" * 400, "-1", "1e999", "true", "[]"])
def test_a_late_probe_is_late_whatever_the_budget_claims_to_be(budget: str) -> None:
    answers = parse(
        raw("plain", b'{"budget_ms":%s,"probes":{"first":{"late":true}}}' % budget.encode()), nonce=NONCE, probe_ids=IDS
    )
    assert isinstance(answers["first"], Unknown)
    assert "used up the time budget; raise" in answers["first"].reason or "of 0.001 s" in answers["first"].reason


@pytest.mark.parametrize("depth", [800, 900, 950, 980, 1000, 1100, 5000])
def test_deep_nesting_never_raises(depth: int) -> None:
    body = b'{"probes":{"first":{"value":' + b"[" * depth + b"]" * depth + b"}}}"
    assert set(parse(raw("plain", body), nonce=NONCE, probe_ids=IDS)) == set(IDS)


@given(st.binary(max_size=200))
def test_no_output_whatever_makes_it_raise(noise: bytes) -> None:
    for output in (noise, raw("gzip", noise), raw("plain", noise)):
        assert set(parse(output, nonce=NONCE, probe_ids=IDS)) == set(IDS)


def test_only_declared_options_are_sent() -> None:
    text = script(web_root="D:\\app", password="hunter2", sql_port=1433)
    assert "$PfOption['web_root'] = 'D:\\app'" in text
    assert "hunter2" not in text
    assert "1433" not in text


@pytest.mark.parametrize(
    "quote", ["'", "\u2018", "\u2019", "\u201a", "\u201b", '"', "\u201c", "`", "$(calc)", "\n", "é", "😀"]
)
def test_an_option_cannot_leave_its_quotes(quote: str) -> None:
    value = f"C:\\a{quote}; Remove-Item C:\\ -Recurse #{quote}"
    text = script(web_root=value)
    (line,) = [line for line in text.splitlines() if line.startswith("$PfOption[")]
    assert text.isascii()
    assert line.replace("''", "").count("'") % 2 == 0
    claimed = parameters_of(text)
    assert claimed is not None
    assert claimed.options == {"web_root": value}


@given(st.one_of(st.text(), st.integers(), st.booleans()))
def test_what_is_composed_can_be_read_back(value: str | int | bool) -> None:
    claimed = parameters_of(script(web_root=value))
    assert claimed is not None
    assert claimed.options == {"web_root": value}
    assert (claimed.nonce, claimed.budget_ms, claimed.probe_bytes, claimed.probe_ids) == (NONCE, 12500, 4096, IDS)


def test_literals() -> None:
    assert literal("it's") == "'it''s'"
    assert literal("") == "''"
    assert literal("é") == "'' + [string][char]0x00e9"
    assert literal("a😀") == "'a' + [string][char]0xd83d + [string][char]0xde00"
    assert [literal(value) for value in (True, False, 5)] == ["$true", "$false", "5"]
    with pytest.raises(TypeError):
        literal(None)


def test_probes_stand_in_their_order_before_the_parameters_and_the_answer() -> None:
    text = script()
    places = [text.index(mark) for mark in ("Invoke-PfProbe 'first' {", "Invoke-PfProbe 'second' {", "\n$PfNonce = ")]
    assert places == sorted(places)
    assert "$PfProbeIds = @('first', 'second')\n" in text
    assert text.endswith("\n. $PfWatcher\n. $PfParts\n$PfBegun = Get-PfTicks\nWatch-PfProbes\n")


def test_scripts_of_two_nodes_differ_near_their_ends_alone() -> None:
    ours, theirs = script(), script().replace(NONCE, NONCE[::-1])
    assert ours != theirs
    common = next(at for at, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
    assert len(ours) - common < 2048


def test_a_probe_that_is_no_powershell_is_refused() -> None:
    with pytest.raises(ValueError, match="first"):
        compose(
            [Probe(id="first", language="sh", purpose="", script="true", readers=())],
            nonce=NONCE,
            budget_s=1,
            options={},
            probe_bytes=1,
        )
    with pytest.raises(ValueError, match="nonce"):
        compose(PROBES, nonce="a'b", budget_s=1, options={}, probe_bytes=1)


def test_the_nodes_clock_is_read_in_ticks() -> None:
    noon = 621_355_968_000_000_000 + 1_900_000_000 * 10**7
    whole = {"begun": noon, "ended": noon + 25_000_000, "probes": {}}
    said = stamps(raw("plain", json.dumps(whole).encode()), nonce=NONCE)
    assert said is not None
    assert (said.begun_s, said.ended_s) == (1_900_000_000, 1_900_000_002.5)
    # The clock of Windows stands still for up to 15.6 ms, so each time may be that much later than it says.
    assert said.resolution_s == pytest.approx(0.016)


@pytest.mark.parametrize("begun", [None, "noon", -5, 10**30, {}])
def test_a_time_that_is_none_is_not_taken_for_one(begun: object) -> None:
    body = json.dumps({"begun": begun, "ended": 639_000_000_000_000_000, "probes": {}}).encode()
    assert stamps(raw("plain", body), nonce=NONCE) is None


@pytest.mark.parametrize("output", [b"", GOOD[:-30], GOOD, b"noise"])
def test_an_answer_without_the_time_gives_none(output: bytes) -> None:
    assert stamps(output, nonce=NONCE) is None

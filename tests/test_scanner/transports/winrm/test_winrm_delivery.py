"""The bootstraps: what Windows would be handed, and whether the script comes out of it unchanged."""

from __future__ import annotations

import base64
import gzip
import random
import re
import string
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import tree_sitter
import tree_sitter_powershell
from hypothesis import given
from hypothesis import strategies as st

from scanner.lab.machines.windows import powershell_process
from scanner.lab.servers.wsman.server import ProcessOutput, ProcessRequest, WaitsForInputError
from scanner.transports.powershell import script_delivery
from scanner.transports.powershell.script_delivery import Delivery, deliver, deliver_on_stdin


def script_of(size: int) -> str:
    """As hard to compress as letters can be."""
    letters = random.Random(size)
    return "\n".join("".join(letters.choices(string.printable[:94], k=70)) for _ in range(max(1, size // 71)))


def bootstrap(delivery: Delivery) -> str:
    assert delivery.arguments[-2] == "-EncodedCommand"
    return base64.b64decode(delivery.arguments[-1]).decode("utf-16-le")


def start(delivery: Delivery, **changes: object) -> ProcessOutput:
    """What the lab's Windows makes of it; a script that runs prints itself."""
    fields: dict[str, object] = {
        "command_line": delivery.command_line,
        "environment": delivery.environment,
        "stdin": delivery.stdin or b"",
        "stdin_closed": delivery.stdin is not None,
        "console_mode_stdin": delivery.stdin is None,
    }
    request = ProcessRequest(**{**fields, **changes})  # type: ignore[arg-type]
    return powershell_process.run(request, lambda script: ProcessOutput(script.encode()))


SIZES = [1, 500, 3_000, 20_000, 60_000]


@pytest.mark.parametrize("mode", ["auto", "stdin"])
@pytest.mark.parametrize("size", SIZES)
def test_the_script_comes_out_as_it_went_in(size: int, mode: str) -> None:
    script = script_of(size)
    assert start(deliver(script, mode)).stdout.decode() == script


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32) | st.just("\n"), max_size=300))
def test_any_ascii_comes_out_as_it_went_in(script: str) -> None:
    for mode in ("auto", "stdin"):
        assert start(deliver(script, mode)).stdout.decode() == script.rstrip("\n")


@pytest.mark.parametrize("mode", ["auto", "stdin"])
@pytest.mark.parametrize("size", [*SIZES, 300_000])
def test_no_limit_of_windows_is_touched(size: int, mode: str) -> None:
    delivery = deliver(script_of(size), mode)
    assert len(delivery.command_line) < 8_000
    assert all(len(value) <= 30_000 for value in delivery.environment.values())
    assert delivery.command_line.isascii()
    assert (delivery.stdin is not None) == (mode == "stdin")


def test_environment_is_used_only_where_the_command_line_is_full() -> None:
    sizes = range(100, 6_000, 100)
    used = [bool(deliver(script_of(size)).environment) for size in sizes]
    assert used == sorted(used)
    assert not used[0]
    assert used[-1]
    longest = max(len(deliver(script_of(size)).command_line) for size in sizes)
    assert 7_500 < longest < 8_000


def test_the_same_script_is_always_the_same_command_line() -> None:
    assert deliver("Get-Date") == deliver("Get-Date")


@pytest.mark.parametrize("mode", ["auto", "stdin"])
def test_powershell_is_started_quietly_and_without_profile(mode: str) -> None:
    delivery = deliver("'x'", mode)
    assert delivery.command == "powershell.exe"
    assert delivery.arguments[:-1] == (
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "Bypass",
        "-EncodedCommand",
    )


BOOTSTRAPS = {
    "command line": deliver("'x'"),
    "environment": deliver(script_of(20_000)),
    "stdin": deliver("'x'", "stdin"),
    "stdin behind variables": deliver_on_stdin("'x'", {"PREFLIGHT_ONE": "b25l==", "PREFLIGHT_TWO": "dHdv"}),
}


@pytest.mark.parametrize("way", BOOTSTRAPS)
def test_bootstraps_are_powershell(way: str) -> None:
    text = bootstrap(BOOTSTRAPS[way])
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    assert text.isascii()
    assert not parser.parse(text.encode()).root_node.has_error
    # PowerShell 2.0 and CLR 2 have none of these.
    assert not re.search(
        r"::new\(|\[ordered\]|\[pscustomobject\]|\$PSItem|\s-in\s|CopyTo|IsNullOrWhiteSpace", text, re.IGNORECASE
    )


@pytest.mark.parametrize("way", BOOTSTRAPS)
def test_progress_and_language_come_before_any_call_into_dotnet(way: str) -> None:
    lines = bootstrap(BOOTSTRAPS[way]).splitlines()
    assert lines[0] == "$ProgressPreference = 'SilentlyContinue'"
    assert "$ExecutionContext.SessionState.LanguageMode -eq 'ConstrainedLanguage'" in lines[1]
    before = lines[: lines.index("}")]
    assert not any(re.search(r"\[[A-Z]|New-Object|::", line) for line in before)


@pytest.mark.parametrize("way", BOOTSTRAPS)
def test_constrained_language_prints_the_marker_and_nothing_runs(way: str) -> None:
    delivery = BOOTSTRAPS[way]
    request = ProcessRequest(
        command_line=delivery.command_line,
        environment=delivery.environment,
        stdin=delivery.stdin or b"",
        stdin_closed=True,
        console_mode_stdin=False,
    )
    said = powershell_process.run(request, lambda _: pytest.fail("ran"), constrained_language=True)
    assert said.stdout.decode().strip() == script_delivery.CONSTRAINED_MARKER
    assert said.exit_code != 0


def test_a_script_that_did_not_arrive_whole_does_not_run() -> None:
    lost = start(BOOTSTRAPS["stdin"], stdin=b"'")
    assert lost.stdout.decode().strip() == script_delivery.INCOMPLETE_MARKER
    cut = start(BOOTSTRAPS["environment"], environment={"PREFLIGHT_SCRIPT_0": ""})
    assert b"CLIXML" in cut.stderr or cut.stdout.decode().strip() == script_delivery.INCOMPLETE_MARKER
    assert cut.exit_code != 0


@pytest.mark.parametrize("size", SIZES)
def test_variables_come_before_the_script_and_are_no_part_of_it(size: int) -> None:
    script = script_of(size)
    delivery = deliver_on_stdin(script, {"PREFLIGHT_ONE": "canary==", "PREFLIGHT_TWO": "a=b"})
    assert start(delivery).stdout.decode() == script
    assert "canary" not in delivery.command_line + bootstrap(delivery)
    assert not delivery.environment
    request = ProcessRequest(command_line=delivery.command_line, environment={"TEMP": "x"}, stdin=delivery.stdin or b"")
    found = powershell_process.environment_of(request)
    assert found == {"TEMP": "x", "PREFLIGHT_ONE": "canary==", "PREFLIGHT_TWO": "a=b"}
    cut = start(delivery, stdin=(delivery.stdin or b"")[:-9])
    assert cut.stdout.decode().strip() == script_delivery.INCOMPLETE_MARKER


@pytest.mark.parametrize("mode", ["auto", "stdin"])
@pytest.mark.parametrize("size", [1, 20_000])
def test_a_shell_gets_variables_with_its_creation(size: int, mode: str) -> None:
    delivery = deliver(script_of(size), mode, {"PREFLIGHT_ONE": "canary"})
    assert delivery.environment["PREFLIGHT_ONE"] == "canary"
    assert start(delivery).stdout.decode() == script_of(size)
    assert "canary" not in delivery.command_line


@pytest.mark.parametrize(
    ("name", "value"), [("A B", "x"), ("A", "canary x"), ("A", "canary\n"), ("A", ""), ("A", "\u00fc")]
)
def test_a_variable_that_would_be_two_lines_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent on one line") as caught:
        deliver_on_stdin("'x'", {name: value})
    assert "canary" not in str(caught.value)


def test_standard_input_is_waited_for() -> None:
    with pytest.raises(WaitsForInputError):
        start(BOOTSTRAPS["stdin"], stdin=b"", stdin_closed=False)


def test_a_console_is_no_standard_input() -> None:
    assert start(BOOTSTRAPS["stdin"], console_mode_stdin=True).exit_code == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bash -c ls", "'bash' is not recognized as an internal or external command"),
        ("powershell.exe " + "x" * 8_200, "The command line is too long."),
        ("powershell -EncodedCommand !!!!", "not properly encoded"),
        ("powershell -ExecutionPolicy Sure -EncodedCommand AAAA", "not valid"),
        ("powershell -Command Get-Date", "does not know what to do"),
        ("powershell -NoProfile", "does not know what to do"),
        ("powershell -EncodedCommand " + base64.b64encode("Get-Date".encode("utf-16-le")).decode(), "own bootstraps"),
        ("", "is not recognized"),
    ],
)
def test_what_windows_would_refuse_is_refused(line: str, message: str) -> None:
    said = start(deliver("'x'"), command_line=line)
    assert message in said.stderr.decode()
    assert said.exit_code == 1
    assert said.stdout == b""


def test_a_changed_bootstrap_is_not_understood() -> None:
    changed = bootstrap(BOOTSTRAPS["command line"]).replace("exit 0", "Remove-Item C:\\x; exit 0")
    encoded = base64.b64encode(changed.encode("utf-16-le")).decode()
    assert start(deliver("'x'"), command_line=f"powershell.exe -EncodedCommand {encoded}").exit_code == 1


def test_what_cannot_be_delivered_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ASCII.*'\u00fc'"):
        deliver("Write-Output '\u00fc'")
    with pytest.raises(ValueError, match='"auto" or "stdin"'):
        deliver("'x'", "carrier pigeon")


def test_what_many_scripts_have_in_common_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressing a script takes a node more than all else, and differs by its parameters alone."""
    made: list[int] = []
    compressobj = zlib.compressobj

    def counted(level: int, method: int, window: int, memory: int) -> object:
        made.append(1)
        return compressobj(level, method, window, memory)

    script_delivery._begun.cache_clear()
    monkeypatch.setattr(zlib, "compressobj", counted)
    common = script_of(60_000)
    scripts = [f"{common}\n$nonce = '{number}'\n" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        delivered = list(pool.map(deliver, scripts))
    assert len(made) == 1
    assert [start(each).stdout.decode() for each in delivered] == [each.rstrip("\n") for each in scripts]


@pytest.mark.parametrize("size", [1, 2047, 2048, 2049, 30_000])
def test_what_is_compressed_in_two_is_one_gzip_of_the_usual_size(size: int) -> None:
    script = script_of(size)
    packed = base64.b64decode(script_delivery.packed_script(script))
    assert gzip.decompress(packed).decode() == script
    assert len(packed) <= 1.02 * len(gzip.compress(script.encode(), mtime=0)) + 16

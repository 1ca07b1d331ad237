"""What is asked of Windows nodes: held to the rules of all that is sent there, and run by a real PowerShell."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from checks.engine.expect.model import Expectation, Kind
from checks.engine.expect.observation import Observation
from scanner.probes.batch.powershell import GUARD, PARTS, WATCH, compose, parse, powershell_source
from scanner.probes.expect import powershell
from scanner.probes.expect.probes import probes_of
from scanner.probes.expect.readers import read_powershell, read_sql
from scanner.probes.probe import Answer, Probe, UnreadableError
from tests.test_scanner.probes.batch.test_powershell_scripts import (
    CONTACT_TYPES,
    MEMBERS_OF_DOTNET_2,
    PLAIN_TYPES,
    WRITING,
    parsed,
    texts_of,
    types_in,
    used_for_a_value,
    walked,
)

PWSH = shutil.which("pwsh")
NONCE = "0123456789abcdef"
HOSTILE = [
    "'; New-Item pwned; '",
    "$(New-Item pwned)",
    "`$(New-Item pwned)",
    '"; New-Item pwned; "',
    "\u2019; New-Item pwned; \u2019",
    "\u201c; New-Item pwned; \u201d",
    "|New-Item pwned",
    "} New-Item pwned {",
    "<# #> New-Item pwned",
    "%TEMP% \u00e9\u2028\U0001f600",
    "@' New-Item pwned '@",
]
MORE_TYPES = {"System.Net.NetworkInformation.IPGlobalProperties"}
MORE_MEMBERS = {
    *("GetSubKeyNames", "GetIPGlobalProperties", "GetActiveTcpListeners", "GetActiveUdpListeners", "Port", "Address"),
    *("Unicode", "BigEndianUnicode"),
}
"""All of .NET 2.0."""


def wanted(kind: Kind, subject: str, name: str = "own", **wants: Any) -> Expectation:
    return Expectation(id=name, title="t", kind=kind, subject=subject, wants=wants)


def probe_of(one: Expectation) -> Probe:
    return next(probe for probe in probes_of(one) if probe.language == "powershell")


PARTS_SENT = {
    name: powershell_source(f"expect/{name}") for name in ("expect.ps1", "expect-sql.ps1", "expect-command.ps1")
}
EVERY = [
    wanted("file", "C:\\x", sha256="x", type="file", size="1", contains=("a",), matches_not=("b", "c")),
    wanted("registry", "HKLM\\X", name="v", value="1"),
    wanted("service", "MSSQL$A B", enabled=True),
    wanted("package", "Runtime (x64)*", version=">1"),
    wanted("port", "443", protocol="udp"),
    wanted("command", "Get-Date"),
    wanted("sql", "SELECT 1", value="1"),
]


@pytest.mark.parametrize("name", PARTS_SENT)
def test_what_is_sent_beside_is_whole_and_keeps_to_the_rules(name: str) -> None:
    text = PARTS_SENT[name]
    bad = [node for node in walked(parsed(text)) if node.is_error or node.is_missing]
    assert [node.text for node in bad] == []
    assert re.fullmatch(r"[\n -~]*", text)
    assert used_for_a_value(text) == []
    assert types_in(text) - PLAIN_TYPES - CONTACT_TYPES - MORE_TYPES == set()
    used = {(node.text or b"").decode() for node in walked(parsed(text)) if node.type == "member_name"}
    assert used - MEMBERS_OF_DOTNET_2 <= MORE_MEMBERS
    assert not WRITING.search(text) or name == "expect-command.ps1"


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.kind)
def test_only_our_own_functions_are_called(one: Expectation) -> None:
    probe = probe_of(one)
    script = compose([probe], nonce=NONCE, budget_s=30, options={}, probe_bytes=1000)
    called, defined = texts_of(script, "command_name"), texts_of(script, "function_name")
    allowed = {"New-Object", "Start-Sleep"} | ({"Out-String"} if one.kind == "command" else set())
    assert called - defined <= allowed
    assert ("[scriptblock]::Create" in script) == (one.kind == "command")


def test_each_part_is_sent_once_and_to_nobody_else() -> None:
    probes = [probe_of(wanted("port", str(port), f"port-{port}")) for port in (1, 2, 3)]
    script = compose(probes, nonce=NONCE, budget_s=30, options={}, probe_bytes=1000)
    assert script.count("function Get-PfExpectedPort") == 1
    assert "Get-PfExpected" not in "\n".join(powershell_source(name) for name in (GUARD, *PARTS, WATCH))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_leaves_its_quotes(text: str) -> None:
    """The syntax tree of a script with harm in it has the same calls as that of a harmless one."""
    for one, harmless in (
        (wanted("file", text, contains=(text,)), wanted("file", "x", contains=("x",))),
        (wanted("registry", text, name=text), wanted("registry", "x", name="x")),
        (wanted("package", text), wanted("package", "x")),
        (wanted("command", text), wanted("command", "x")),
        (wanted("sql", text, database=text, value="1"), wanted("sql", "x", database="x", value="1")),
    ):
        scripts = [probe_of(each).script for each in (one, harmless)]
        calls = [texts_of(script, "command_name") for script in scripts]
        assert calls[0] == calls[1]
        assert scripts[0].isascii()
    with pytest.raises(ValueError, match="no service can have this name"):
        powershell.script(wanted("service", text + '"'))


def answered(one: Expectation, value: object, exit_code: int = 0) -> Observation:
    reader = read_sql if one.kind == "sql" else read_powershell
    return reader(one, Answer(json.dumps(value), exit_code))


@pytest.mark.parametrize(
    ("one", "value", "said"),
    [
        (EVERY[0], {"found": {"exists": True}, "gaps": {}}, "does not say type"),
        (EVERY[1], {"found": {"exists": True, "value": {}}, "gaps": {}}, "of a kind that cannot be compared"),
        (EVERY[2], {"found": {}}, "another form"),
        (EVERY[3], {"found": {"installed": "perhaps"}, "gaps": {}}, "neither yes nor no"),
        (EVERY[4], {"found": {"listening": True, "addresses": "::", "more": 1}, "gaps": {}}, "was not asked"),
        (EVERY[5], {"found": {}, "gaps": {}}, "does not say exit"),
        (EVERY[6], {"found": {"rows": 3}, "gaps": {}}, "has no rows"),
        (EVERY[6], [], "another form"),
    ],
)
def test_what_is_not_understood_is_refused(one: Expectation, value: object, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        answered(one, value)


def test_an_error_says_what_the_node_said() -> None:
    with pytest.raises(UnreadableError, match="Access is denied"):
        read_powershell(EVERY[2], Answer("wmi 0x80070005: root\\cimv2: Access is denied", 1))


class TestSql:
    def rows(self, *rows: dict[str, object], **wants: Any) -> Observation:
        return answered(wanted("sql", "SELECT 1", **wants), {"found": {"rows": list(rows)}, "gaps": {}})

    def test_the_one_value_of_one_row(self) -> None:
        assert self.rows({"many": 0}, value="0").found == {"rows": "1", "value": "0"}
        assert self.rows({"many": None}, value="0").found["value"] == "NULL"

    def test_several_rows_are_no_value_and_can_be_counted(self) -> None:
        assert "2 rows of 1 column," in self.rows({"a": 1}, {"a": 2}, value="1").gaps["value"]
        assert self.rows({"a": 1}, {"a": 2}, rows=2).found == {"rows": "2"}

    def test_what_the_server_refused(self) -> None:
        said = answered(EVERY[6], {"found": {}, "gaps": {"rows": "sql 229: x: permission denied"}})
        assert said.gaps["rows"] == "sql 229: x: permission denied"


@pytest.mark.skipif(PWSH is None, reason="no pwsh on the PATH")
def test_a_real_powershell_says_what_is_there(tmp_path: Path) -> None:
    plain, wide = tmp_path / "plain.txt", tmp_path / "wide.txt"
    plain.write_text("\n".join(["PermitRootLogin no", *HOSTILE]) + "\n", encoding="utf-8")
    wide.write_text("first\r\nsecond line\r\n", encoding="utf-16")
    (tmp_path / "empty").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as server:
        every = [
            wanted(
                "file",
                str(plain),
                "plain",
                type="file",
                sha256="x",
                contains=tuple(HOSTILE),
                matches=("^Per.*no$", "["),
            ),
            wanted("file", str(wide), "wide", matches=("^second line$",), lacks=("third",)),
            wanted("file", str(tmp_path / "empty"), "empty", size="0", lacks=("x",)),
            wanted("file", str(tmp_path), "folder", type="folder"),
            wanted("file", str(tmp_path / "absent"), "absent"),
            wanted("port", str(server.getsockname()[1]), "port"),
            wanted("port", "1", "nobody"),
            wanted("command", "'OpenSSL 3.0.11' + ' x'", "command", version=">3", value="x"),
            wanted("command", "/bin/sh -c 'echo out; exit 3'", "program", contains=("out",)),
            wanted("command", "nosuchcommand-at-all", "unknown"),
            wanted("command", "'never closed", "unfinished"),
            wanted("command", "exit 4", "leaving"),
            wanted("command", "throw 'no'", "throwing"),
            *(wanted("file", f"{tmp_path}/{text}", f"hostile-{number}") for number, text in enumerate(HOSTILE)),
        ]
        probes = [probe_of(one) for one in every]
        script = tmp_path / "script.ps1"
        script.write_text(compose(probes, nonce=NONCE, budget_s=60, options={}, probe_bytes=100_000), encoding="ascii")
        done = subprocess.run(
            [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(script)],
            capture_output=True,
            timeout=120,
            cwd=tmp_path,
            check=True,
        )
    answers = parse(done.stdout, nonce=NONCE, probe_ids=[probe.id for probe in probes])
    found: dict[str, Observation | str] = {}
    for one, probe in zip(every, probes, strict=True):
        answer = answers[probe.id]
        assert isinstance(answer, Answer), (one.id, answer)
        try:
            found[one.id] = read_powershell(one, answer)
        except UnreadableError as error:
            found[one.id] = str(error)

    def of(name: str) -> Observation:
        seen = found[name]
        assert isinstance(seen, Observation), seen
        return seen

    assert all(of("plain").found[f"contains-{number}"] == "yes" for number in range(1, len(HOSTILE) + 1))
    assert of("plain").found["matches-1"] == "yes"
    assert "matches-2" in of("plain").gaps
    assert of("wide").found == {"exists": "yes", "matches-1": "yes", "lacks-1": "no"}
    assert of("empty").found == {"exists": "yes", "size": "0", "lacks-1": "no"}
    assert of("folder").found["type"] == "folder"
    assert of("absent").found == {"exists": "no"}
    assert of("port").found == {"listening": "yes", "addresses": "127.0.0.1"}
    assert of("nobody").found == {"listening": "no"}
    assert of("command").found == {"exit": "0", "version": "3.0.11", "value": "OpenSSL 3.0.11 x"}
    assert of("program").found == {"exit": "3", "contains-1": "yes"}
    for name in ("unknown", "unfinished", "leaving", "throwing"):
        assert isinstance(found[name], str)
    assert all(of(f"hostile-{number}").found == {"exists": "no"} for number in range(len(HOSTILE)))
    assert not list(tmp_path.rglob("pwned"))

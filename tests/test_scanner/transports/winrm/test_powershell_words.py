"""What powershell.exe and cmd.exe leave behind where the script did not run: real texts, in several languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.errors import NodeError, ProtocolError, RefusedError
from scanner.transports.powershell.output import check_exit, first_line, settle_merged
from tests.field.samples import FOLDER

WORDS = FOLDER / "winrm"
BLOCKED = "This script contains malicious content and has been blocked by your antivirus software."
FIRST = {
    "amsi-clixml.txt": BLOCKED,
    "amsi-iex-portuguese.txt": "Este script contém conteúdo mal-intencionado e foi bloqueado pelo software antivírus.",
    "amsi-chinese.txt": BLOCKED,
    "parse-error-german.txt": "Fehlende '(' in der Liste der Klassenmethodenparameter.",
    "not-found-german.txt": (
        'claude : Die Benennung "claude" wurde nicht als Name eines Cmdlet, einer Funktion, einer Skriptdatei '
        "oder eines"
    ),
    "error-clixml.txt": "fake : The term 'fake' is not recognized as the name of a cmdlet. Check",
    "execution-policy.txt": r"C:\windows\temp\winrm-elevated-shell.ps1",
    "cmd-not-recognized.txt": "'powershell' is not recognized as an internal or external command,",
    "cmd-blocked-by-policy.txt": (
        "This program is blocked by group policy. For more information, contact your system administrator."
    ),
    "cmd-access-denied.txt": "Access is denied.",
}


def told(stdout: bytes, stderr: bytes, code: int) -> NodeError:
    with pytest.raises(NodeError) as caught:
        check_exit(stdout, stderr, code)
    return caught.value


def test_every_sample_is_read() -> None:
    assert set(FIRST) == {path.name for path in Path(WORDS).glob("*.txt")}


@pytest.mark.parametrize("name", FIRST)
def test_the_cause_is_quoted_and_not_where_it_happened(name: str) -> None:
    assert first_line((WORDS / name).read_bytes()) == FIRST[name]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("At line:1 char:1\n+ x\n+ ~\n", "At line:1 char:1"),
        ("Au caractère Ligne:1 : 5\n+ x\n+ ~\nle motif\n", "le motif"),
        ("En línea: 1 Carácter: 1\n+ x\n+ ~\nla causa\n", "la causa"),
        ("発生場所 行:1 文字:1\n+ x\n+ ~\n理由\n", "理由"),
        ("строка:1 знак:1\n+ x\n+ ~\nпричина\n", "причина"),  # noqa: RUF001  Russian
        ("1 + 1 = 3 is wrong: 12\n+ CategoryInfo : x\n", "1 + 1 = 3 is wrong: 12"),
        ("a disk of 12 GB, 7\n    + CategoryInfo : x", "a disk of 12 GB, 7"),
    ],
)
def test_positions_of_other_languages(text: str, line: str) -> None:
    assert first_line(text.encode()) == line


@pytest.mark.parametrize("name", ["amsi-clixml.txt", "amsi-iex-portuguese.txt", "amsi-chinese.txt"])
@pytest.mark.parametrize("code", [0, 1, -1])
def test_endpoint_protection_is_known_by_its_id(name: str, code: int) -> None:
    stderr = (WORDS / name).read_bytes()
    for error in (told(b"", stderr, code), settle_merged(stderr, code)):
        assert isinstance(error, RefusedError)
        assert f"endpoint protection on the node (AMSI) blocks the script: {FIRST[name]}" in str(error)
        assert 'delivery = "stdin"' in error.hint


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-1073741819, "0xC0000005, access violation"),
        (3221225477, "0xC0000005, access violation"),
        (-1073741790, "0xC0000022, access denied"),
        (-1073741502, "0xC0000142, a library did not start"),
        (-532462766, "0xE0434352, unhandled .NET"),
        (-1, "exit 0xFFFFFFFF"),
        (1, "exit 1)"),
        (5, "exit 5)"),
    ],
)
def test_a_process_that_was_killed(code: int, said: str) -> None:
    error = told(b"", b"", code)
    assert isinstance(error, RefusedError)
    assert "powershell.exe was ended, or kept from starting, without a word" in str(error)
    assert said in str(error)
    assert 'delivery = "stdin"' in error.hint


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        (
            "cmd-not-recognized.txt",
            "powershell.exe did not start there: 'powershell' is not recognized",
            "is it there",
        ),
        ("cmd-blocked-by-policy.txt", "a policy on the node forbids powershell.exe: This program", "AppLocker"),
        ("cmd-access-denied.txt", "powershell.exe did not start there: Access is denied.", "endpoint protection"),
    ],
)
def test_what_cmd_says(name: str, said: str, hint: str) -> None:
    error = told(b"", (WORDS / name).read_bytes(), 1)
    assert said in str(error)
    assert hint in error.hint


@pytest.mark.parametrize("name", ["error-clixml.txt", "not-found-german.txt"])
def test_what_powershell_says_is_powershells(name: str) -> None:
    error = told(b"half", (WORDS / name).read_bytes(), 1)
    assert str(error) == f"PowerShell ended with exit code 1: {FIRST[name]}"
    assert error.partial == b"half"
    assert told(b"", (WORDS / name).read_bytes(), 1).args[0].startswith("PowerShell ended with exit code 1")


def test_silence_with_success_is_still_no_answer() -> None:
    assert isinstance(told(b"", b"", 0), ProtocolError)

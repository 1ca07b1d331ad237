"""A name, whatever it is, is one word of its shell, or is not written at all."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.runbook.quoting import for_cmd, for_powershell, for_sh, joined, sql_name, sql_text
from checks.secret_server.iis.appcmd import over_pools, set_site
from tests.test_scanner.remedies import PARSES, cmd_words, powershell_literals, sql_is_whole

HOSTILE = [
    'a" & del /q c:\\ & "',
    "a'; Remove-Item c:\\ -Recurse; '",
    "a]; DROP DATABASE x; --",
    "$(reboot)",
    "`reboot`",
    "%TEMP%",
    "a^b",
    "a\nshutdown /r",
    "a\r\nshutdown /r",
    "a\u2019; calc; \u2019",
    "a\u02ba & calc",
    "\x1b[31m",
    "-force",
    "/apppool.name:x",
    "C:\\ends\\",
    "a" * 5_000,
    "",
    "<pool>",
    "a|b",
    "a>b",
]
NAMES = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=40), st.text(alphabet="ab '\"&|<>^%$();[]-\\/\n`!", max_size=30)
)


@given(NAMES)
def test_a_name_is_one_word_for_cmd(name: str) -> None:
    word = for_cmd(name)
    if word is not None:
        assert word == f'"{name}"'
        assert cmd_words(f"appcmd.exe start {word}") == ["appcmd.exe", "start", word]
        assert not re.search(r'["%\r\n]', name)
    line = over_pools("start", (name, "Vault"))
    words = cmd_words(line)
    assert words is not None
    assert words.count("&") == (0 if name == "Vault" else 1)
    assert PARSES["cmd"](set_site(name, "/serverAutoStart:true"))


@given(NAMES)
def test_a_name_is_one_literal_for_powershell(name: str) -> None:
    word = for_powershell(name)
    if word is not None:
        assert powershell_literals(f"Get-Service {word}") == [name]


@given(NAMES)
def test_a_name_is_one_name_for_sql(name: str) -> None:
    quoted, text = sql_name(name), sql_text(name)
    if quoted is not None and text is not None:
        assert (quoted, text[2:-1].replace("''", "'")) == (f"[{name}]", name)
        assert sql_is_whole(f"USE {quoted}; SELECT DB_ID({text})")


@given(NAMES)
def test_a_name_is_one_word_for_sh(name: str) -> None:
    word = for_sh(name)
    if word is not None:
        assert shlex.split(f"chown root {word}")[2:] == [name]


@pytest.mark.parametrize("name", [one for one in HOSTILE if for_sh(one)])
def test_a_real_shell_takes_it_for_the_same_word(name: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {for_sh(name)}"], check=True, capture_output=True, text=True)
    assert done.stdout == name


def test_what_would_make_a_line_too_long_is_left_out_whole() -> None:
    line = joined((f"start {number:0300}" for number in range(50)), "cmd")
    assert len(line) <= 1_500
    assert all(re.fullmatch(r"start \d{300}", part) for part in line.split(" & "))

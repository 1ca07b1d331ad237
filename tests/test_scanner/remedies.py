"""What a remedy gives to be pasted is whole: it parses, and names what the facts know."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

# Of SQL, of SQL Server's services, of msiexec, of clocks.
_WORDS = re.compile(
    r"ALTER|AND|BY|CREATE|DATABASE|DB_ID|DEFINITION|DISTINCT|FROM|GRANT|LOGIN|N|NOAPM|ANY|ON|PASSWORD|SELECT|SERVER|SET|UTC"
    r"|COMPATIBILITY_LEVEL|STATE|TO|USE|USER|VIEW|WHERE|WINDOWS|WITH|MSSQLSERVER|MSSQL|MOM"
)
_PLACEHOLDER = re.compile(r"<[^<>]*>")
_UNKNOWABLE = {"<domain\\account>", "<password>"}
"""What no fact holds: who the scanner is to SQL Server, where no `sql_user` says it, and a password."""
_UNTOLD = {"<database>"}
"""What nothing tells where the database itself cannot be asked: allowed of remedies for that alone."""


def assert_can_be_pasted(rows: Iterable[Mapping[str, Any]]) -> None:
    """Hold every command of the results of a scan, as JSON, to it."""
    for row in rows:
        fix = row["remediation"]
        if not fix["command"]:
            continue
        told = f"{row['check']} {row['node']}: {fix['command']}"
        assert "\n" not in fix["command"], told
        assert fix["language"] in PARSES, told
        assert PARSES[fix["language"]](fix["command"]), told
        left = set(_PLACEHOLDER.findall(fix["command"])) - _UNKNOWABLE
        if row["status"] == "error" or row["observed"] == "not known":
            left -= _UNTOLD
        assert not left, f"{left} in {told}"
        bare = re.sub(r"\[[^]]*\]|'[^']*'|\"[^\"]*\"", "", fix["command"])
        assert not [word for word in re.findall(r"\b[A-Z]{3,}\b", bare) if not _WORDS.fullmatch(word)], told


@functools.cache
def _is_sh(text: str) -> bool:
    return subprocess.run(["sh", "-n", "-c", text], check=False, capture_output=True).returncode == 0


@functools.cache
def _is_powershell(text: str) -> bool:
    return not Parser(Language(tree_sitter_powershell.language())).parse(text.encode()).root_node.has_error


def cmd_words(text: str) -> list[str] | None:
    """The words of a line for cmd.exe, `&` apart; None where a quote stays open, or something special is bare."""
    words = re.findall(r'(?:"[^"]*"|[^\s"&])+|&', text)
    if "".join(words) != re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "", text):
        return None
    bare = re.sub(r'"[^"]*"', "", text).replace("%windir%", "")
    return None if re.search(r"[<>|^%]|&&", bare) else words


def sql_is_whole(text: str) -> bool:
    """Whether each statement begins like one, and every bracket and quote is closed."""
    bare = re.sub(r"N?'(?:[^']|'')*'|\[[^]]*\]", "x", text)
    if re.search(r"['\[\]]|--|/\*", bare):
        return False
    return all(re.match(r"\s*(ALTER|CREATE|GRANT|SELECT|USE)\b", part) for part in bare.split(";") if part.strip())


PARSES: Mapping[str, Callable[[str], bool]] = {
    "sh": _is_sh,
    "powershell": _is_powershell,
    "cmd": lambda text: cmd_words(text) is not None,
    "sql": sql_is_whole,
}


def powershell_literals(text: str) -> list[str]:
    """What PowerShell takes to the letter in `text`; nothing else may be made of a name."""
    root = Parser(Language(tree_sitter_powershell.language())).parse(text.encode()).root_node
    found: list[str] = []

    def walk(node: Node) -> None:
        if node.type == "verbatim_string_characters" and node.text:
            found.append(node.text.decode()[1:-1].replace("''", "'"))
        for child in node.children:
            walk(child)

    walk(root)
    return [] if root.has_error else found

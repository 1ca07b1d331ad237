"""The version that the libraries of the application tell: the main one, else most of them; the rest is a doubt."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.secret_server.facts.node import AppFiles, FileVersion
from checks.secret_server.installed import MAIN_LIBRARY, read_installed
from checks.versions import Installed

MAIN = "Thycotic.ihawu.Business.dll"
ONE, TWO, THREE = (f"Thycotic.{name}.dll" for name in ("One", "Two", "Three"))
Read = Callable[..., Installed]


@pytest.fixture
def read(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Read:
    def make(**versions: str) -> Installed:
        names = {"main": MAIN, "one": ONE, "two": TWO, "three": THREE}
        files = tuple(
            FileVersion(names[name], *(("", text[1:]) if text.startswith("!") else (text,)))
            for name, text in versions.items()
        )
        return read_installed(node(cluster(), AppFiles("C:\\App", files)))

    return make


def test_the_name_of_the_main_library_is_known_in_small_letters() -> None:
    assert MAIN.lower() == MAIN_LIBRARY


@pytest.mark.parametrize(
    ("versions", "version", "doubts"),
    [
        ({"main": "11.6.3.0", "one": "11.6.3.0"}, "11.6.000003", ()),
        ({"one": "11.6.3.0", "two": "11.6.3.0"}, "11.6.000003", ()),
        ({"main": "11.6.3.0", "one": "11.5.2.0", "two": "11.5.2.0"}, "11.6.000003", ("libraries disagree",)),
        ({"one": "11.6.3.0", "two": "11.5.2.0", "three": "11.5.2.0"}, "11.5.000002", ("libraries disagree",)),
        ({"main": "11.6.3.0", "one": "odd"}, "11.6.000003", (f"{ONE}: 'odd' is no file version",)),
        ({"main": "odd", "one": "11.6.3.0"}, "11.6.000003", (f"{MAIN_LIBRARY}: it tells no version",)),
        ({"main": "11.6.3.0", "one": ""}, "11.6.000003", ()),
        ({"main": "!locked", "one": "11.6.3.0"}, "11.6.000003", (f"{MAIN_LIBRARY}: locked",)),
    ],
)
def test_the_main_library_counts_else_the_others(
    read: Read, versions: dict[str, str], version: str, doubts: tuple[str, ...]
) -> None:
    found = read(**versions)
    assert (found.version, found.read, found.problem) == (version, True, "")
    assert len(found.doubts) == len(doubts), found.doubts
    assert all(doubt in told for doubt, told in zip(doubts, found.doubts, strict=True))


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ({}, "no Thycotic*.dll in C:\\App\\bin"),
        ({"main": "odd"}, "is no file version"),
        ({"main": ""}, "carries no version"),
        ({"main": "!locked"}, f"{MAIN}: locked"),
        ({"one": "11.6.3.0", "two": "11.5.2.0"}, "libraries disagree"),
    ],
)
def test_what_cannot_be_told_is_not_read(read: Read, versions: dict[str, str], problem: str) -> None:
    found = read(**versions)
    assert (found.version, found.read, found.closed) == (None, False, False)
    assert problem in found.problem


@pytest.mark.parametrize(
    ("versions", "closed"),
    [
        ({"main": "!locked", "one": "11.6.3.0"}, True),
        ({"main": "odd", "one": "11.6.3.0"}, False),
        ({"main": "!locked", "one": "11.6.3.0", "two": "odd"}, False),
        ({"main": "!locked", "one": "11.6.3.0", "two": "11.6.3.0", "three": "11.5.2.0"}, False),
        ({"main": "11.6.3.0", "one": "!locked"}, False),
        ({"one": "11.6.3.0", "two": "odd"}, False),
    ],
)
def test_a_library_that_is_closed_says_nothing_against_the_others(
    read: Read, versions: dict[str, str], closed: bool
) -> None:
    found = read(**versions)
    assert found.read
    assert found.closed is closed

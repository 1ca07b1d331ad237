"""What helps at the keyboard: examples that work, words that were meant, who is still being asked."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest
import typer

from scanner.cli.app import command_line
from scanner.cli.commands import catalogue
from scanner.cli.examples import EXAMPLES
from scanner.cli.output.progress import PATIENCE_S, Patience
from scanner.cli.output.prose import rendered
from scanner.inventory.reading.values import did_you_mean
from scanner.run.collect import Progress

Preflight = Callable[..., Any]


def _leaves(command: Any, above: str = "") -> dict[str, Any]:
    """Every command by the words that it is called with."""
    found: dict[str, Any] = {}
    for name, inner in command.commands.items():
        words = f"{above}{name}"
        found |= _leaves(inner, f"{words} ") if hasattr(inner, "commands") else {words: inner}
    return found


COMMANDS = _leaves(typer.main.get_command(command_line()))


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_can_be_typed_as_it_is(line: str, preflight: Preflight) -> None:
    program, *words = shlex.split(line.partition(" > ")[0])
    command = max((name for name in COMMANDS if words[: len(name.split())] == name.split()), key=len)
    arguments = words[len(command.split()) :]
    assert (program, line in EXAMPLES[command]) == ("preflight", True)
    COMMANDS[command].make_context(command, list(arguments))  # raises for what the command does not take
    shown = " ".join(preflight(*command.split(), "-h").out.split())
    assert " ".join(line.split()) in shown


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("dotnet", ("dotnet-framework", "disk-space"), 'did you mean "dotnet-framework"?'),
        ("app-pool", ("app-pool-state", "app-pool-settings"), '"app-pool-state" or "app-pool-settings"?'),
        ("framework", ("dotnet-framework", "disk-space"), '"dotnet-framework"?'),
        ("dotnet-framwork", ("dotnet-framework", "disk-space"), '"dotnet-framework"?'),
        ("zzz", ("dotnet-framework", "disk-space"), ""),
        ("ch", ("chef-drbd", "chef-leaderl"), ""),
    ],
)
def test_the_beginning_of_a_name_is_enough(typed: str, known: tuple[str, ...], meant: str) -> None:
    said = did_you_mean(typed, known)
    assert meant in said if meant else said == ""


def test_a_check_that_is_not_there_is_asked_about(preflight: Preflight, lab_inventory: str) -> None:
    ended = preflight("scan", lab_inventory, "--check", "dotnet")
    assert (ended.code, "did you mean 'dotnet-framework'?" in ended.err) == (2, True)
    ended = preflight("scan", lab_inventory, "--check", "nothing-like-it")
    assert ended.err.count("\n") == 1
    assert len(ended.err) < 200


@pytest.fixture
def lab_inventory(preflight: Preflight, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("init") / "inventory.toml"
    assert preflight("init", path).code == 0
    return str(path)


def test_who_takes_long_is_named_once_it_is_long() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0])
    silent = Progress(
        nodes=5,
        done=1,
        failing=0,
        running=4,
        waiting=(("vault", "web1"), ("vault", "web2"), ("chef", "b1"), ("chef", "b2")),
    )
    assert patience.told(silent) == ""
    now[0] = PATIENCE_S + 1
    assert patience.told(silent) == "still asking vault.web1, vault.web2, chef.b1 and 1 more"
    assert patience.told(Progress(nodes=5, done=2, failing=0, running=3)) == "", "somebody has answered"
    assert patience.told(silent) == ""


def test_documentation_fits_the_terminal() -> None:
    text = (
        "# title\nsome text\n\nA long paragraph that has to be wrapped because it does not fit.\n\n"
        "- an item that is long as well, and goes on\n- https://docs.example/a/very/long/address/that/nobody/breaks\n\n"
        "    a command --to copy as it is"
    )
    plain = list(rendered(text, width=40, color=False))
    assert plain[0] == "title"
    assert all(len(line) <= 40 or "https://" in line or line.startswith("    ") for line in plain)
    assert "- https://docs.example/a/very/long/address/that/nobody/breaks" in plain
    assert "    a command --to copy as it is" in plain
    assert any(line.startswith("- an item") for line in plain)
    assert "  on" in plain, "the item's second line stands below its first"
    assert next(iter(rendered(text, width=40, color=True))) == "\x1b[1mtitle\x1b[0m"


@pytest.mark.parametrize("command", [("checks",), ("explain", "stepping-stone")])
def test_lists_and_explanations_are_wrapped(
    command: tuple[str, ...], preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(catalogue, "width", lambda: 72)
    monkeypatch.setattr(catalogue, "on_terminal", lambda: True)
    lines = preflight(*command).out.splitlines()
    assert [line for line in lines[1:] if len(line) > 72 and "://" not in line and not line.startswith("    ")] == []


@pytest.mark.parametrize(
    ("variables", "colored"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_can_be_asked_for(
    variables: dict[str, str], colored: bool, preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[1m" in preflight("explain", "dotnet-framework").out) is colored

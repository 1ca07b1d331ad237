"""Every command explains itself, whatever version of the library behind the command line is installed."""

from __future__ import annotations

import pytest

from scanner.cli.app import app
from tests.test_scanner.conftest import Preflight

COMMANDS = [str(command.name) for command in app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(preflight: Preflight, command: str) -> None:
    ended = preflight(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f"preflight {command}" in ended.out
    assert "--help" in ended.out


def test_the_list_has_every_command_and_exit_code(preflight: Preflight) -> None:
    ended = preflight("--help")
    assert ended.code == 0
    for word in [*COMMANDS, "0 GO", "1 NO-GO", "70 a defect of preflight", "130 interrupted"]:
        assert word in " ".join(ended.out.replace("│", " ").split())

"""The manual page, made from the commands themselves: `python -m tests.manual_page` prints it."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer

from checks.exit_codes import ExitCode
from scanner.cli.app import command_line
from scanner.cli.examples import EXAMPLES
from tests.reference_pages import commands

_NAME = "preflight"


def manual() -> str:
    """The page in roff, for man(1). It names no date and no version, so that it changes with the commands alone."""
    root: Any = typer.main.get_command(command_line())
    lines = ['.TH PREFLIGHT 1 "" "preflight" "User Commands"', ".SH NAME", f"{_NAME} \\- {_text('may we go?')}"]
    lines += [".SH SYNOPSIS", f".B {_NAME}", ".I COMMAND", "[OPTIONS] [ARGUMENTS]"]
    lines += [".SH DESCRIPTION", *_paragraphs(root.help or "")]
    lines += [".SH COMMANDS"]
    for words, command in commands(root, ""):
        lines += [f".SS {_NAME} {_text(words)}", *_paragraphs(command.help or "")]
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.name != "help":
                lines += [".TP", f"\\fB{_text(_spelt(parameter))}\\fR", _text(_one_line(parameter.help or "")) or "\\&"]
        examples = EXAMPLES.get(words, ())
        if examples:
            lines += [".PP", "Examples:", ".PP", ".nf", *(_text(line) for line in examples), ".fi"]
    lines += [".SH EXIT STATUS"]
    for code in ExitCode:
        lines += [".TP", f"\\fB{code:d}\\fR", _text(code.verdict)]
    return "\n".join(lines) + "\n"


def _spelt(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag or not parameter.metavar else f"{names} {parameter.metavar}"


def _paragraphs(text: str) -> list[str]:
    found = [_one_line(part) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    return [line for part in found for line in (".PP", _text(part))]


def _one_line(text: str) -> str:
    return " ".join(text.replace("`", "").replace("\f", "").replace("\b", "").split())


def _text(text: str) -> str:
    """Text as roff takes it for text: no escapes of its own, no request at the beginning of a line, ASCII hyphens."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    sys.stdout.write(manual())

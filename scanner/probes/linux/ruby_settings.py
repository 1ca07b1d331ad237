"""How a Ruby configuration (chef-backend.rb, chef-server.rb) is read on the node itself, where no Ruby need be."""

from __future__ import annotations

import functools
import shlex
from importlib import resources

CONFIG_LINES = 400
"""Settings, and lines that are none, of one configuration that are looked at."""


@functools.cache
def settings_of_stdin() -> str:
    """An sh command: the configuration on its standard input as one setting a line.

    `set NAME VALUE`, where both are literals: VALUE is then the same however it was written. `raw NAME TEXT` and
    `raw - TEXT`, where it takes Ruby to know more. `more`, where there are more than CONFIG_LINES of them.
    """
    program = (resources.files("scanner.probes.linux") / "ruby-settings.awk").read_text(encoding="ascii")
    return f"LC_ALL=C awk -v MOST={CONFIG_LINES} {shlex.quote(program.strip())}"

"""The first useful verdict of Windows nodes: typed as the page says, no more commands than it says, to the same end.

Of real sshd the same is shown in tests/live/test_estate.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.test_scanner.stages import two_sites
from tests.test_scanner.terminal import TOP, Step

if os.name == "nt":
    pytest.skip("the ways are typed into a POSIX shell", allow_module_level=True)

from tests.first_verdict import SITES, WINDOWS, take

PAGE = TOP / "docs" / "explanation" / "first-verdict.md"


def shown() -> dict[tuple[str, str], tuple[int, int]]:
    """Commands and written lines by site and way, as the page's table has them."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (\d+) \| (\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    return {(site, way): (int(commands), int(lines)) for site, way, commands, lines in rows}


def test_a_vault_s_first_verdict_is_that_of_its_inventory(tmp_path: Path) -> None:
    with two_sites(tmp_path) as terminal:
        terminal.type(Step("preflight scan vault/inventory.toml", ("GO ",)))
        costs = {way.name: take(way, terminal) for way in WINDOWS.ways}
    table = shown()
    assert {(WINDOWS.name, name): (cost.commands, cost.lines) for name, cost in costs.items()}.items() <= table.items()


def test_the_page_counts_the_commands_of_every_way() -> None:
    assert {key: commands for key, (commands, _) in shown().items()} == {
        (site.name, way.name): len(way.commands) for site in SITES for way in site.ways
    }

"""Record the real estate anew: `python -m tests.live.record_estate`, as root. See estate.py and tests/recordings."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from scanner.cli.answers import with_credentials
from scanner.cli.options import resolve_options
from scanner.run.collect import collect
from tests.live.estate import running
from tests.recordings.collect import keep

NAME = "chef-estate"
VERSION, TARGET = "2.3.16", "3.1.1"


def main() -> None:
    """Start it, ask it, and keep what it said."""
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        with running(Path(folder), key) as estate:
            estate.upgrade(VERSION)
            inventory = estate.inventory(TARGET)
            text = inventory.read_text(encoding="utf-8").replace(folder, "estate")
            selection, job = resolve_options(inventory, timeout=120)
            keep(NAME, text, job, collect(with_credentials(job, selection)))


if __name__ == "__main__":
    main()

"""Files that somebody crafted, or that are too much: what the real script, run by a real PowerShell, says of each.

The lab does not know such files. `crafted.json` was recorded with PowerShell 7.4.6, and is held to whatever `pwsh` is
on the PATH; `python -m tests.test_scanner.probes.secret_server.crafted` records it anew.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.lab.machines.windows.table import read_windows
from tests.test_scanner.probes.batch.engine import POWERSHELL, composed, engine, with_recorded

FILE = Path(__file__).with_name("crafted.json")
ROOT = "C:\\inetpub\\wwwroot\\SecretServer"
EMPTY_END = b"PK\5\6" + bytes(18)
COMMENTS = {
    "no comment": b"",
    "a comment": b"backup of web1",
    "an empty end as comment": EMPTY_END,
    "a comment with an empty end": b"see " + EMPTY_END,
    "an empty end with more behind it": EMPTY_END + b" and more",
    "an end that has a comment itself": b"PK\5\6" + bytes(16) + b"\4\0PK\5\6",
    "two empty ends": 2 * EMPTY_END,
    "a mark alone": b"PK\5\6",
}


@dataclass(frozen=True, slots=True)
class Crafted:
    """A machine, in a scenario's words, and what it is asked."""

    windows: Mapping[str, Any]
    probe_id: str = "backups"
    options: Mapping[str, object] = field(default_factory=lambda: {"backup_app_path": "D:\\b"})


def zipped(
    comment: bytes, names: tuple[str, ...] = ("SecretServer/web.config", "SecretServer/encryption.config")
) -> str:
    """A zip, one character per byte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x")
        archive.comment = comment
    return packed.getvalue().decode("latin-1")


def of_zip(text: str, size: int | None = None) -> Crafted:
    return Crafted({"files": {"D:\\b\\a.zip": {"text": text, "size": size or len(text), "age_hours": 1}}})


CRAFTED: Mapping[str, Crafted] = {
    **{name: of_zip(zipped(comment)) for name, comment in COMMENTS.items()},
    "names in UTF-8": of_zip(zipped(b"", ("Größe \u5099\u4efd/encryption.config",))),
    "something behind it": of_zip(zipped(b"") + "padding"),
    "a zip that lies": of_zip("PK\6\7\0\0\0\0\1\0\0\0\0\0\0\x80\1\0\0\0PK\5\6" + 12 * "\xff" + "\0\0"),
    "cut in its comment": of_zip(zipped(b"PK\5\6" + 18 * b"\0"), len(zipped(22 * b"x"))),
    "too much to hash": Crafted(
        {
            "app_version": "11.7.000049",
            "files": {f"{ROOT}\\a\\{number}": {"size": 250_000_000} for number in range(10)},
        },
        "app-files",
        {},
    ),
}
RECORDED: Mapping[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}


def script_of(name: str) -> str:
    """What the engine runs for a case."""
    one = CRAFTED[name]
    probes = tuple(probe for probe in POWERSHELL if probe.id == one.probe_id)
    return with_recorded(composed(probes, options=one.options), read_windows(one.windows))


def main() -> None:
    """Record."""
    said = {
        name: engine(name, list(CRAFTED), script_of)["probes"][one.probe_id]["value"] for name, one in CRAFTED.items()
    }
    FILE.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

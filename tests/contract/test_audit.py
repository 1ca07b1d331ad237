"""An audit that looked at nothing is told as one: pip-audit ends with 0 for packages that it could not ask about."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
CLEAN = {"name": "jinja2", "version": "3.1.6", "vulns": []}
MISSED = {"name": "rich", "skip_reason": "Dependency not found on PyPI and could not be audited: rich (15.0.0)"}
KNOWN = {"name": "urllib3", "version": "2.2.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.2.2"]}]}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", TOP / ".ci" / "audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("found", "code", "told"),
    [
        ([CLEAN], 0, "audited: 1 packages, no advisory"),
        ([CLEAN, MISSED], 3, "NOT AUDITED: 1 of 2 packages"),
        ([], 3, "NOT AUDITED: 0 of 0"),
        ([CLEAN, KNOWN], 1, "VULNERABLE: urllib3 2.2.0: PYSEC-2026-1"),
        ([MISSED, KNOWN], 1, "NOT AUDITED: 1 of 2 packages"),
    ],
)
def test_what_was_found(
    audit: ModuleType, capsys: pytest.CaptureFixture[str], found: list[dict[str, Any]], code: int, told: str
) -> None:
    assert audit.judge(found) == code
    assert told in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line")
@pytest.mark.parametrize(
    ("says", "code", "told"),
    [
        (f"print({json.dumps(json.dumps({'dependencies': [CLEAN], 'fixes': []}))})", 0, "audited: 1"),
        ("sys.exit('ConnectionError: no way to the advisories')", 3, "no way to the advisories"),
        ("pass", 3, "it said nothing"),
        ("print('{}')", 3, "NOT AUDITED"),
    ],
)
def test_a_tool_that_cannot_ask(
    audit: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, says: str, code: int, told: str
) -> None:
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!{sys.executable}\nimport sys\n{says}\n")
    tool.chmod(0o755)
    assert audit.main(str(tool), "requirements.lock") == code
    assert told in capsys.readouterr().out

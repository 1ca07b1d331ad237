"""What package managers and runit were seen to print, put to the questions of expectations by a stand-in of each."""

from __future__ import annotations

import os
import runpy
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from checks.engine.expect.model import Kind
from scanner.probes.probe import Answer
from tests.example_product import EXAMPLE
from tests.field.samples import FOLDER
from tests.test_scanner.expect.test_sh_questions import asked, of, wanted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the nodes that are asked so run POSIX systems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a program printed, and what has to be concluded from it."""

    file: str
    program: str
    kind: Kind
    subject: str
    found: dict[str, str]
    code: int = 0
    wants: dict[str, Any] = field(default_factory=dict)


_CHRONY = ("chronyd-version", "chronyc-unsynchronised")
_RUNIT = {"manager": "runit", "running": True, "enabled": True}
SAID = [
    Said(
        file="dpkg-installed.txt",
        program="dpkg-query",
        kind="package",
        subject="openssh-server",
        found={"installed": "yes", "version": "1:9.2p1-2+deb12u10", "manager": "dpkg"},
    ),
    Said(
        file="dpkg-absent.stderr.txt",
        program="dpkg-query",
        kind="package",
        subject="no-such-thing",
        found={"installed": "no"},
        code=1,
    ),
    Said(
        file="rpm-installed.txt",
        program="rpm",
        kind="package",
        subject="preflight-sample",
        found={"installed": "yes", "version": "2.3.16-1.el7", "manager": "rpm"},
    ),
    Said(
        file="rpm-absent.txt",
        program="rpm",
        kind="package",
        subject="no-such-thing",
        found={"installed": "no"},
        code=1,
    ),
    Said(
        file="sv-run.txt",
        program="sv",
        kind="service",
        subject="one",
        found={"exists": "yes", "state": "run", "running": "yes", "enabled": "yes"},
        wants=_RUNIT,
    ),
    Said(
        file="sv-down.txt",
        program="sv",
        kind="service",
        subject="two",
        found={"exists": "yes", "state": "down", "running": "no", "enabled": "no"},
        wants=_RUNIT,
    ),
    Said(
        file="sv-absent.txt",
        program="sv",
        kind="service",
        subject="none",
        found={"exists": "no"},
        code=1,
        wants=_RUNIT,
    ),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: said.file)
def test_what_a_real_program_prints_is_understood(said: Said, tmp_path: Path) -> None:
    # The other package manager is there, too, and knows nothing of it.
    programs = {"dpkg-query": "dpkg-absent.stderr.txt", "rpm": "rpm-absent.txt"} | {said.program: said.file}
    for name, file in programs.items():
        stream = ">&2" if ".stderr." in file else ""
        text = (FOLDER / "expect" / file).read_text("utf-8").replace("no-such-thing", said.subject)
        code = said.code if name == said.program else 1
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nprintf '%s' {shlex.quote(text)} {stream}\nexit {code}\n", encoding="utf-8")
        program.chmod(0o755)
    own = wanted(said.kind, said.subject, **said.wants)
    seen = of(asked(own, via=["sh"], path=f"{tmp_path}:/usr/bin:/bin"), own.id)
    assert (dict(seen.found), dict(seen.gaps)) == (said.found, {})


def test_the_example_product_reads_what_chrony_prints() -> None:
    chrony = runpy.run_path(str(EXAMPLE / "preflight_chrony" / "facts.py"))
    version, tracking = ((FOLDER / "expect" / f"{name}.txt").read_text("utf-8") for name in _CHRONY)
    assert chrony["read_version"](Answer(version, 0)).version == "4.3"
    found = chrony["read_tracking"](Answer(tracking, 0))
    assert (found.leap_status, found.stratum) == ("Not synchronised", 0)
    assert chrony["PROBES"][0].sample == version

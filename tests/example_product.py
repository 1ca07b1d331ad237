"""The example of a whole product, installed as pip does it, and the program with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
EXAMPLE = TOP / "examples" / "preflight-example-product"

VERSION = (
    "chronyd (chrony) version {} (+CMDMON +NTP +REFCLOCK +RTC +PRIVDROP +SCFILTER +SIGND +ASYNCDNS +NTS +SECHASH +IPV6 "
    "-DEBUG)\n"
)
"""As chrony 4.x of Debian prints it."""

TRACKING = """Reference ID    : CB00710F (203.0.113.15)
Stratum         : 3
Ref time (UTC)  : Fri Jan 27 09:27:29 2017
System time     : 0.000006523 seconds slow of NTP time
Last offset     : -0.000006747 seconds
RMS offset      : 0.000035822 seconds
Frequency       : 3.225 ppm slow
Residual freq   : -0.000 ppm
Skew            : 0.129 ppm
Root delay      : 0.013639022 seconds
Root dispersion : 0.001100737 seconds
Update interval : 64.2 seconds
Leap status     : {}
"""
"""As chrony's own manual shows it: https://chrony-project.org/doc/4.5/chronyc.html, tracking."""


def install(folder: Path, package: Path = EXAMPLE) -> Path:
    """Install a package into `folder`, from its own pyproject.toml."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *quiet, "--target", str(folder), str(package)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def preflight(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program with what is installed in `site`."""
    return subprocess.run(
        [sys.executable, "-m", "scanner", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(TOP)]), "NO_COLOR": "1"},
    )

"""What is known of a time server, and what it is asked for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.check import NodeView
from checks.facts import Unknown
from checks.versions import Installed
from scanner.probes.probe import Answer, Probe, UnreadableError


@dataclass(frozen=True, slots=True)
class ChronyVersion:
    """The installed chronyd."""

    version: str
    """As `chronyd --version` prints it: "4.5"."""


@dataclass(frozen=True, slots=True)
class ChronyTracking:
    """What chronyd says of its own clock."""

    leap_status: str
    """"Normal", or "Not synchronised"."""
    stratum: int
    """How far it is from a reference clock; 0 where it has none."""


def read_version(answer: Answer) -> ChronyVersion:
    """Read `chronyd --version`. Raises UnreadableError."""
    found = re.match(r"chronyd \(chrony\) version (\d+(?:\.\d+)+)", answer.output)
    if answer.exit_code != 0 or not found:
        raise UnreadableError(f"chronyd --version gave {answer.output.strip()[:80]!r}")
    return ChronyVersion(found[1])


def read_tracking(answer: Answer) -> ChronyTracking:
    """Read `chronyc -n tracking`. Raises UnreadableError."""
    lines = (line.partition(":") for line in answer.output.splitlines())
    fields = {name.strip(): value.strip() for name, colon, value in lines if colon}
    leap, stratum = fields.get("Leap status", ""), fields.get("Stratum", "")
    if answer.exit_code != 0 or not leap or not stratum.isdecimal():
        raise UnreadableError(f"chronyc tracking gave {answer.output.strip()[:80]!r}")
    return ChronyTracking(leap, int(stratum))


def read_installed(view: NodeView) -> Installed:
    """The version as the program tells it."""
    found = view.get(ChronyVersion)
    if isinstance(found, Unknown):
        return Installed(version=None, read=False, problem=found.reason)
    return Installed(version=found.version, read=True, as_read=(("chronyd", found.version),))


PROBES = (
    Probe(
        id="chrony-version",
        language="sh",
        purpose="which chronyd is installed",
        script="chronyd --version",
        readers=((ChronyVersion, read_version),),
        sample="chronyd (chrony) version 4.3 (+CMDMON +NTP +REFCLOCK +RTC +PRIVDROP +SCFILTER +SIGND +ASYNCDNS +NTS "
        "+SECHASH +IPV6 -DEBUG)\n",
        sample_from="captured: chrony 4.3 of Debian 12",
    ),
    Probe(
        id="chrony-tracking",
        language="sh",
        purpose="what chronyd says of its own clock",
        script="chronyc -n tracking",
        readers=((ChronyTracking, read_tracking),),
        sample="""Reference ID    : CB00710F (203.0.113.15)
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
Leap status     : Normal
""",
        sample_from="vendor: https://chrony-project.org/doc/4.5/chronyc.html, tracking",
    ),
)

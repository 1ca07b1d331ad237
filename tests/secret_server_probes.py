"""Every probe that Secret Server's nodes alone are asked."""

from __future__ import annotations

from scanner.probes.contact import CONTACT_PROBES
from scanner.probes.registry import BUILTIN

PROBES = tuple(probe for probe in BUILTIN if probe.language in ("powershell", "tds") and probe not in CONTACT_PROBES)

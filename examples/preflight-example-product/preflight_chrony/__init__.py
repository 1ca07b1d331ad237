"""Time servers with chrony: a whole product, as an example."""

from __future__ import annotations

from types import MappingProxyType

from checks.common import clock_skew, stepping_stone
from checks.product import Product
from preflight_chrony import supported, synchronized
from preflight_chrony.facts import PROBES, ChronyVersion, read_installed
from preflight_chrony.runbook import DOCUMENTS, RUNBOOK, STEPS
from scanner.plugins import Plugin

NAME = "chrony"

PLUGIN = Plugin(
    products=(
        Product(
            name=NAME,
            title="chrony",
            roles=MappingProxyType({"server": "serves time to everything else"}),
            essential_roles=frozenset({"server"}),
            transports=("ssh", "local"),
            version_example="4.5",
            carrier="server",
            read_installed=read_installed,
            installed_facts=(ChronyVersion,),
            package="preflight_chrony",
            runbook=RUNBOOK,
            documents=DOCUMENTS,
            documented_steps=STEPS,
            checks=(
                supported.CHECK,
                synchronized.CHECK,
                clock_skew.of(NAME, ("server",), ()),
                stepping_stone.of(NAME, "server", (ChronyVersion,), ()),
            ),
        ),
    ),
    probes=PROBES,
)

"""Chef Backend: clusters of three on Linux with PostgreSQL and Elasticsearch, and Chef Infra Server before them."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from checks.check import NodeView
from checks.chef_backend import traces as chef_traces
from checks.chef_backend.backend.search_index import SearchIndex, created_by, why_unknown
from checks.chef_backend.backend.watermarks import judge_index
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.installed import read_installed
from checks.chef_backend.runbook import procedures
from checks.chef_backend.urls import UPGRADE_URL
from checks.common import clock_skew, disk_space, stepping_stone
from checks.common.disk_facts import LinuxDisks
from checks.engine.discovery import checks_in, in_order
from checks.product import Product
from checks.runbook.writer import DeferredRunbook, RunbookWriter

NAME = "chef-backend"
_REQUIREMENTS = "Chef Backend system requirements"
_ORDER = (
    "disk-space",
    "clock-skew",
    "stepping-stone",
    "chef-cluster-status",
    "chef-sentinels",
    "chef-version-match",
    "chef-package-staged",
    "chef-secrets-match",
    "chef-config-match",
    "chef-secrets-stray",
    "chef-leaderl",
    "chef-failover-state",
    "chef-resources",
    "chef-frontend-status",
    "chef-frontend-members",
    "chef-frontend-version",
    "chef-drbd",
)
"""The checks in the order in which reports show them. One that is not named here comes after them."""


def _read_index(backends: Sequence[NodeView]) -> tuple[str, str]:
    return created_by(backends), why_unknown(backends)


def _runbook() -> RunbookWriter:
    from checks.chef_backend.runbook.plan import RUNBOOK  # noqa: PLC0415  a scan plans nothing, and does not wait for it

    return RUNBOOK


CHEF_BACKEND = Product(
    name=NAME,
    title="Chef Backend",
    roles=MappingProxyType(
        {
            "backend": "one of the three machines with PostgreSQL and Elasticsearch",
            "frontend": "serves Chef Server in front of the backends",
        },
    ),
    essential_roles=frozenset({"backend"}),
    transports=("ssh", "local"),
    carrier="backend",
    read_installed=read_installed,
    installed_facts=(ChefBackendVersion, InstalledPackage),
    read_index=_read_index,
    index_facts=(SearchIndex,),
    package="checks.chef_backend",
    identity=chef_traces.IDENTITY,
    runbook=DeferredRunbook(_runbook),
    documents=procedures.DOCUMENTS,
    documented_steps=procedures.STEPS,
    checks=in_order(
        (
            disk_space.of(
                NAME,
                roles=("backend", "frontend"),
                facts=(LinuxDisks, ChefBackendVersion, InstalledPackage),
                references=(
                    _REQUIREMENTS,
                    "https://www.elastic.co/guide/en/elasticsearch/reference/6.8/disk-allocator.html",
                ),
                judge_marks=judge_index,
            ),
            clock_skew.of(NAME, ("backend",), (_REQUIREMENTS,)),
            stepping_stone.of(
                NAME,
                "backend",
                (ChefBackendVersion, InstalledPackage, SearchIndex),
                (UPGRADE_URL,),
            ),
            *checks_in("checks.chef_backend"),
        ),
        _ORDER,
    ),
)

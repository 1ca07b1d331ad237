"""Chef Backend: clusters of three on Linux with PostgreSQL and Elasticsearch, and Chef Infra Server before them."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from checks.check import NodeView
from checks.chef_backend import resources
from checks.chef_backend import traces as chef_traces
from checks.chef_backend.backend import (
    cluster_status,
    config_match,
    failover_state,
    leaderl,
    package_staged,
    sentinels,
    version_match,
)
from checks.chef_backend.backend.search_index import SearchIndex, created_by, why_unknown
from checks.chef_backend.backend.watermarks import judge_index
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.frontend import drbd, members, status, version
from checks.chef_backend.installed import read_installed
from checks.chef_backend.runbook import procedures
from checks.chef_backend.runbook.plan import RUNBOOK
from checks.chef_backend.secrets import match, stray
from checks.common import clock_skew, disk_space, stepping_stone
from checks.common.disk_facts import LinuxDisks
from checks.product import Product

NAME = "chef-backend"
_REQUIREMENTS = "Chef Backend system requirements"


def _read_index(backends: Sequence[NodeView]) -> tuple[str, str]:
    return created_by(backends), why_unknown(backends)


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
    installed_facts=(ChefBackendVersion,),
    read_index=_read_index,
    index_facts=(SearchIndex,),
    package="checks.chef_backend",
    identity=chef_traces.IDENTITY,
    runbook=RUNBOOK,
    documents=procedures.DOCUMENTS,
    documented_steps=procedures.STEPS,
    checks=(
        disk_space.of(
            NAME,
            roles=("backend", "frontend"),
            facts=(LinuxDisks, ChefBackendVersion),
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
            (ChefBackendVersion, SearchIndex),
            ("https://docs.chef.io/upgrade_server_ha_v2/",),
        ),
        cluster_status.CHECK,
        sentinels.CHECK,
        version_match.CHECK,
        package_staged.CHECK,
        match.CHECK,
        config_match.CHECK,
        stray.CHECK,
        leaderl.CHECK,
        failover_state.CHECK,
        resources.CHECK,
        status.CHECK,
        members.CHECK,
        version.CHECK,
        drbd.CHECK,
    ),
)

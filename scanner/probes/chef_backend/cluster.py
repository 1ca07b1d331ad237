"""What a Chef Backend node is asked over SSH. Read-only; never a subcommand that prints configuration or passwords."""

from __future__ import annotations

from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus, LeaderFlags, ServiceStatus
from scanner.probes.chef_backend.cluster_readers import (
    LEADERL_DATA,
    read_cluster_status,
    read_leader_flags,
    read_service_status,
    read_version,
)
from scanner.probes.linux.printed import BEGINNING, END
from scanner.probes.probe import Probe

CLUSTER_STATUS = Probe(
    id="chef-cluster-status",
    language="sh",
    purpose="the members of the cluster and their roles, as this backend sees them",
    script="$SUDO chef-backend-ctl cluster-status",
    readers=((ClusterStatus, read_cluster_status),),
    roles=("backend",),
)

SERVICE_STATUS = Probe(
    id="chef-service-status",
    language="sh",
    purpose="the state of the backend's services and of its disks",
    script="$SUDO chef-backend-ctl status",
    readers=((ServiceStatus, read_service_status),),
)

# One listing instead of a `test -e` for each file: a refusal of sudo, and of the directory, then looks different
# from "the file is not there".
LEADER_FLAGS = Probe(
    id="chef-leader-flags",
    language="sh",
    purpose="whether the files `unsynced` or `no-start-pgsql` keep this backend from serving",
    script=f"""\
echo '{BEGINNING}'
$SUDO ls -a {LEADERL_DATA}
code=$?
echo {END}
exit $code""",
    readers=((LeaderFlags, read_leader_flags),),
)

VERSION = Probe(
    id="chef-version",
    language="sh",
    purpose="the installed version of Chef Backend",
    script="chef-backend-ctl --version || head -n 1 /opt/chef-backend/version-manifest.txt",
    readers=((ChefBackendVersion, read_version),),
    roles=("backend",),
)

PROBES: tuple[Probe, ...] = (CLUSTER_STATUS, SERVICE_STATUS, LEADER_FLAGS, VERSION)

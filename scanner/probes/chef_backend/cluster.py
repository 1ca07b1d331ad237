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
    sample="Name       IP         GUID                              Role      PG        ES\n"
    "backend-1  10.0.0.11  ed915d83e67853f214a0b7e56aec5829  leader    leader    not_master\n"
    "backend-2  10.0.0.12  e5274ad4bd6f051da23053dbaca5c162  follower  follower  master\n"
    "backend-3  10.0.0.13  40f0b67873bce3bb83c8f4872ff9fe01  follower  follower  not_master\n",
)

SERVICE_STATUS = Probe(
    id="chef-service-status",
    language="sh",
    purpose="the state of the backend's services and of its disks",
    script="$SUDO chef-backend-ctl status",
    readers=((ServiceStatus, read_service_status),),
    sample="Service        Local Status        Time in State   Distributed Node Status                     \n"
    "leaderl        running (pid 1100)  27d 9h 51m 38s  leader: 1; waiting: 0; follower: 2; total: 3\n"
    "epmd           running (pid 1107)  27d 9h 51m 38s  status: local-only                          \n"
    "etcd           running (pid 1114)  27d 9h 51m 38s  health: green; healthy nodes: 3/3           \n"
    "postgresql     running (pid 1121)  27d 9h 51m 38s  leader: 1; offline: 0; syncing: 0; synced: 2\n"
    "elasticsearch  running (pid 1128)  27d 9h 51m 38s  state: green; nodes online: 3/3             \n"
    "\n"
    "System  Local Status                                          Distributed Node Status          \n"
    "disks   /var/log/chef-backend: OK; /var/opt/chef-backend: OK  health: green; healthy nodes: 3/3\n",
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
    sample="form 2\n.\n..\nend\n",
)

VERSION = Probe(
    id="chef-version",
    language="sh",
    purpose="the installed version of Chef Backend",
    script="chef-backend-ctl --version || head -n 1 /opt/chef-backend/version-manifest.txt",
    readers=((ChefBackendVersion, read_version),),
    roles=("backend",),
    sample="chef-backend 2.2.5\n",
)

PROBES: tuple[Probe, ...] = (CLUSTER_STATUS, SERVICE_STATUS, LEADER_FLAGS, VERSION)

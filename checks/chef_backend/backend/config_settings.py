"""What the vendor says of the settings in chef-backend.rb: which are a node's own, and what holds where none is set.

Sources: https://docs.chef.io/server/config_rb_backend/ (meaning, defaults) and
https://docs.chef.io/server/ctl_chef_backend/ (what `gen-sample-backend-config` and `join-cluster` write).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

# Addresses, names and interfaces are a machine's own, and so is the certificate that is made out to it. `peers` of the
# first releases names the others.
_OWN = re.compile(
    r"fqdn|vip|vip_interface|peers|ssl\.certificate|ssl\.certificate_key"
    r"|(?:.*[._])?(?:address|interface|hostname|host|bind|node_name)"
)

_MEMORY = "which the vendor calculates from the memory"
MILD: Mapping[str, str] = {
    "postgresql.effective_cache_size": _MEMORY,
    "postgresql.shared_buffers": _MEMORY,
    "postgresql.shmall": _MEMORY,
    "postgresql.shmmax": _MEMORY,
    "elasticsearch.heap_size": _MEMORY,
    "elasticsearch.new_size": _MEMORY,
    "hide_sensitive": "which changes no more than what reconfigure prints",
}
"""What may differ without harm to an upgrade, and why: `gen-sample-backend-config` writes sizes as they fit the machine
that it runs on."""

Value = str | int | float | Sequence[str]

DEFAULTS: Mapping[str, Value] = {
    "hide_sensitive": "true",
    "ip_version": "ipv4",
    "etcd.client_port": 2379,
    "etcd.peer_port": 2380,
    "etcd.heartbeat_interval": 500,
    "etcd.election_timeout": 5000,
    "etcd.snapshot_count": 5000,
    "etcd.ionice.class": 2,
    "etcd.ionice.level": 0,
    "etcd.log_directory": "/var/log/chef-backend/etcd",
    "postgresql.archive_command": "",
    "postgresql.archive_mode": "off",
    "postgresql.archive_timeout": 0,
    "postgresql.checkpoint_completion_target": 0.5,
    "postgresql.checkpoint_timeout": "5min",
    "postgresql.checkpoint_warning": "30s",
    "postgresql.db_superuser": "chef_pgsql",
    "postgresql.hot_standby": "on",
    "postgresql.keepalives_count": 2,
    "postgresql.keepalives_idle": 60,
    "postgresql.keepalives_interval": 15,
    "postgresql.log_checkpoints": "true",
    "postgresql.log_min_duration_statement": -1,
    "postgresql.max_connections": 350,
    "postgresql.max_replication_slots": 12,
    "postgresql.max_wal_senders": 12,
    "postgresql.max_wal_size": 64,
    "postgresql.md5_auth_cidr_addresses": ("samehost", "samenet"),
    "postgresql.min_wal_size": 5,
    "postgresql.port": 5432,
    "postgresql.replication_user": "replicator",
    "postgresql.username": "chef_pgsql",
    "postgresql.wal_keep_segments": 32,
    "postgresql.wal_level": "hot_standby",
    "postgresql.wal_log_hints": "on",
    "postgresql.work_mem": "8MB",
    "elasticsearch.java_opts": "",
    "elasticsearch.log_directory": "/var/log/chef-backend/elasticsearch",
    "elasticsearch.plugins_directory": "/var/opt/chef-backend/elasticsearch/plugins",
    "elasticsearch.port": 9200,
    "elasticsearch.scripts_directory": "/var/opt/chef-backend/elasticsearch/scripts",
    "leaderl.db_timeout": 2000,
    "leaderl.epmd_monitor.check_interval": 60000,
    "leaderl.etcd_pool.cull_interval_seconds": 60,
    "leaderl.etcd_pool.http_timeout_ms": 5000,
    "leaderl.etcd_pool.init_count": 10,
    "leaderl.etcd_pool.max_age_seconds": 60,
    "leaderl.etcd_pool.max_connection_duration_seconds": 300,
    "leaderl.etcd_pool.max_count": 10,
    "leaderl.health_check.disk_min_space_mb": 250,
    "leaderl.health_check.disk_paths": ("/var/log/chef-backend", "/var/opt/chef-backend"),
    "leaderl.health_check.fatal_system_checks": "false",
    "leaderl.health_check.interval_seconds": 5,
    "leaderl.health_check.max_bytes_behind_leader": 52428800,
    "leaderl.health_check.max_elasticsearch_failures": 5,
    "leaderl.health_check.max_etcd_failures": 5,
    "leaderl.health_check.max_pgsql_failures": 5,
    "leaderl.http_acceptors": 10,
    "leaderl.http_port": 7331,
    "leaderl.leader_ttl_seconds": 30,
    "leaderl.log_directory": "/var/log/chef-backend/leaderl",
    "leaderl.log_rotation.max_messages_per_second": 1000,
    "leaderl.required_active_followers": 0,
    "leaderl.runsv_group": "chef_pgsql",
    "leaderl.start_down": "true",
    "leaderl.status_internal_update_interval_seconds": 5,
    "leaderl.status_post_update_interval_seconds": 10,
    "leaderl.username": "chef_pgsql",
    "ssl.data_dir": "/var/opt/chef-backend/ssl/",
    "ssl.duration": 3650,
    "ssl.key_length": 2048,
    **{f"{service}.enable": "true" for service in ("etcd", "postgresql", "elasticsearch", "leaderl")},
    **{
        f"{service}.log_rotation.{name}": value
        for service in ("etcd", "postgresql", "elasticsearch", "leaderl")
        for name, value in (("file_maxbytes", 104857600), ("num_to_keep", 10))
    },
}
"""What holds where a setting is not there, from 1.2 on. Only those that the vendor writes down as a value."""


def is_own(name: str) -> bool:
    """Whether the setting is each node's own, so that it says nothing that it differs."""
    return _OWN.fullmatch(name) is not None


def digest(value: Value) -> str:
    """The hash that a node gives for this value, however it is written there."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def canonical(value: Value) -> str:
    """A value as nodes write it before they hash it: a scalar as it is, a list with the length of each item."""
    if isinstance(value, str | int | float):
        return str(value)
    return "\2[" + "".join(f"{len(item.encode())}:{item}" for item in value) + "]"

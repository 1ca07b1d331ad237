"""The steps of the vendor's own procedures, as documented and in their order.

Every one is carried out by some step of a plan; which ones, `Step.documented` says.
"""

from __future__ import annotations

CHEF_URL = "https://docs.chef.io/upgrade_server_ha_v2/"
FRONTENDS_URL = "https://docs.chef.io/install_server_ha/"
SERVER_URL = "https://docs.chef.io/server/upgrades/"
RELEASES_URL = "https://docs.chef.io/release_notes_backend/"
BACKUP_URL = "https://docs.chef.io/server_backup_restore/"

DOCUMENTS: dict[str, tuple[str, str]] = {
    "chef-ha": ("High Availability: Upgrade to Chef Backend 2", CHEF_URL),
    "chef-3": ("High Availability: Upgrade to Chef Backend 2, from 2.x to 3.x", CHEF_URL),
    "chef-frontends": ("Upgrading Chef Infra Server on the Frontend Machines", FRONTENDS_URL),
    "chef-server": ("Upgrade Chef Infra Server", SERVER_URL),
    "chef-shm": ("Chef Backend release notes, 1.2.5", RELEASES_URL),
    "chef-restore": ("Backup and restore a Chef Backend install, restore", BACKUP_URL),
    "chef-backup": ("Backup and restore a Chef Backend install", BACKUP_URL),
}
"""The documents: the first word of a step's id, to title and address."""

STEPS: dict[str, str] = {
    "chef-ha staged": "the new package is on every node",
    "chef-ha rolling-1": "block failover",
    "chef-ha rolling-2-install": "install the package on each follower, one after the other",
    "chef-ha rolling-2-upgrade": "run the upgrade on that follower",
    "chef-ha rolling-2-verify": "verify that it has rejoined before the next one",
    "chef-ha rolling-3": "on the leader: failover on, upgrade with failover, failover off",
    "chef-ha rolling-4": "allow failover again",
    "chef-ha rolling-5": "check the status of the cluster",
    "chef-ha downtime-1": "identify the leader",
    "chef-ha downtime-2": "install the package on all nodes",
    "chef-ha downtime-3": "take the leader down for the upgrade",
    "chef-ha downtime-4": "take the followers down for the upgrade",
    "chef-ha downtime-5": "upgrade the followers",
    "chef-ha downtime-6": "upgrade the leader",
    "chef-ha downtime-7": "reconfigure each frontend",
    "chef-ha downtime-8": "go on with the upgrade of the frontends",
    "chef-3 health": "only the index chef is there, and it is green",
    "chef-3 stop-frontends": "stop the frontends, or put them into maintenance",
    "chef-3 stop-elasticsearch": "failover off, and stop Elasticsearch on all backends",
    "chef-3 delete-index": "delete the index's data on all backends",
    "chef-3 start-elasticsearch": "start Elasticsearch again",
    "chef-3 define-index": "reconfigure one frontend that serves no requests",
    "chef-3 reindex": "reindex one organization, search it, then reindex all",
    "chef-3 start-frontends": "let the frontends serve again",
    "chef-frontends first": "upgrade one frontend as a standalone server is upgraded",
    "chef-frontends level": "copy migration-level from it to the others",
    "chef-frontends others": "upgrade each of the others in the same way",
    "chef-server operational": "confirm that the services are operational: reconfigure",
    "chef-server stop": "stop the server",
    "chef-server install": "install the package",
    "chef-server upgrade": "upgrade the server, and accept the licence",
    "chef-server start": "start the server",
    "chef-server add-ons": "upgrade any add-ons",
    "chef-server test": "test and verify that the server works",
    "chef-server cleanup": "remove the old data",
    "chef-server reindex": "an external Elasticsearch is reindexed by hand at 14 and at 15",
    "chef-server failed": "what to do when an upgrade failed",
    "chef-shm settings": "take postgresql.shmmax and postgresql.shmall out of chef-backend.rb",
    "chef-backup backend": "on a follower, back the cluster's data up",
    "chef-backup frontend": "on a frontend, back its configuration up",
    "chef-backup away": "move both archives to another place",
    "chef-restore backend": "restore the backup on one node, which makes a new cluster",
    "chef-restore secrets": "copy the new cluster's secrets to the other nodes",
    "chef-restore join": "join the other nodes",
    "chef-restore config": "generate the frontends' configuration from the new cluster",
    "chef-restore frontend": "restore the frontend from the backup of its configuration",
    "chef-restore apply": "put the generated configuration in its place, and reconfigure",
    "chef-restore reindex": "reindex, to fill the search index",
    "chef-ha drbd": "DRBD is no longer supported: migrate instead",
}
"""Every documented step: id to what it asks for, in our words."""

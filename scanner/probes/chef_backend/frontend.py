"""What a frontend of a Chef Backend cluster is asked: its package, its services, and what it answers itself. Read-only.

What needs root is one plain command after `$SUDO`, without a variable in it: the guides' sudoers lists exactly these.
"""

from __future__ import annotations

from checks.chef_backend.facts.machine import FrontendApi, FrontendMembers, FrontendPackage, FrontendServices
from scanner.probes.chef_backend.frontend_readers import (
    ADDONS,
    MIGRATION_LEVEL,
    read_frontend_api,
    read_frontend_members,
    read_frontend_package,
    read_frontend_services,
)
from scanner.probes.chef_backend.node_readers import FRONTEND_CONFIG
from scanner.probes.linux.local_http import ask_on_node
from scanner.probes.probe import Probe

# A package that is not known to rpm may be known to dpkg: some Debian machines have both. The level comes last and with
# its exit code, so that an empty file, one that is not there and one that may not be read are told apart.
FRONTEND_PACKAGE = Probe(
    id="chef-frontend-package",
    language="sh",
    purpose="the installed packages of Chef Infra Server and its add-ons, and how far its data were migrated",
    script=f"""\
if found=$(rpm -q --qf '%{{VERSION}}-%{{RELEASE}}' chef-server-core 2>/dev/null); then
    echo "package $found"
    echo 'manager rpm'
elif found=$(dpkg-query -W -f='${{Status}} ${{Version}}' chef-server-core 2>/dev/null) && [ "$found" ]; then
    echo "deb $found"
else
    echo 'package none'
fi
addons='{" ".join(ADDONS)}'
found=$(
    rpm -q --qf '|has %{{NAME}} installed|' $addons 2>/dev/null
    dpkg-query -W -f='|has ${{Package}} ${{Status}}|' $addons 2>/dev/null
)
for name in $addons; do
    IFS='|'
    for each in $found; do
        case $each in "has $name installed" | "has $name "*" installed") echo "addon $name"; break ;; esac
    done
    unset IFS
done
echo level
$SUDO cat {MIGRATION_LEVEL}
printf '\\ncode %s\\n' "$?"
exit 0""",
    readers=((FrontendPackage, read_frontend_package),),
    sample='package 15.0.9-1.el7\nmanager rpm\nlevel\n{"major":1,"minor":37}\ncode 0\n',
)

FRONTEND_SERVICES = Probe(
    id="chef-frontend-services",
    language="sh",
    purpose="which services of the frontend run",
    script="$SUDO chef-server-ctl status",
    readers=((FrontendServices, read_frontend_services),),
    sample="-------------------\n"
    " Internal Services \n"
    "-------------------\n"
    "run: bookshelf: (pid 9410) 86412s; run: log: (pid 3120) 86590s\n"
    "run: haproxy: (pid 9427) 86411s; run: log: (pid 3131) 86590s\n"
    "run: nginx: (pid 9444) 86410s; run: log: (pid 3142) 86590s\n"
    "run: oc_bifrost: (pid 9461) 86409s; run: log: (pid 3153) 86590s\n"
    "run: oc_id: (pid 9478) 86408s; run: log: (pid 3164) 86590s\n"
    "run: opscode-erchef: (pid 9495) 86407s; run: log: (pid 3175) 86590s\n"
    "run: redis_lb: (pid 9512) 86406s; run: log: (pid 3186) 86590s\n"
    "-------------------\n"
    " External Services \n"
    "-------------------\n"
    "run: elasticsearch: connected OK to http://127.0.0.1:9200\n"
    "\n"
    "run: postgresql: connected OK to 127.0.0.1:5432\n",
)

# The certificate is made out to the frontend's own name; on the node itself there is nobody else to take it for.
FRONTEND_API = Probe(
    id="chef-frontend-api",
    language="sh",
    purpose="what the frontend and the services behind it answer to /_status, on the port that chef-server.rb names",
    script=ask_on_node(
        f"$SUDO grep -w ssl_port {FRONTEND_CONFIG}",
        scheme="https",
        port_setting="nginx.ssl_port",
        port=443,
        path="_status",
    ),
    readers=((FrontendApi, read_frontend_api),),
    sample="where default\n"
    "asked https://127.0.0.1:443/_status\n"
    '{"status":"pong","upstreams":{"chef_elasticsearch":"pong","chef_sql":"pong","oc_chef_authz":"pong"},"keygen":{"keys":10,"max":10,"max_workers":2,"cur_max_workers":2,"inflight":0,"avail_workers":2,"start_size":0},"indexing":{"mode":"batch"}}\n'
    "code 200\n",
)

# The file holds the database superuser's password: of all that is in it, one line is read, and of that the setting.
FRONTEND_MEMBERS = Probe(
    id="chef-frontend-members",
    language="sh",
    purpose="the setting chef_backend_members of chef-server.rb, and no other",
    script=f"""\
$SUDO grep -w chef_backend_members {FRONTEND_CONFIG} |
    sed -n -e 's/#.*//' -e 's/[[:space:];]*$//' -e 's/^[[:space:]]*chef_backend_members[[:space:]=]*/members /p' |
    cut -c 1-500
echo asked""",
    readers=((FrontendMembers, read_frontend_members),),
    roles=("frontend",),
    sample='members ["10.0.0.11", "10.0.0.12", "10.0.0.13"]\nasked\n',
)

PROBES: tuple[Probe, ...] = (FRONTEND_PACKAGE, FRONTEND_SERVICES, FRONTEND_API, FRONTEND_MEMBERS)

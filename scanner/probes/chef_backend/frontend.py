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
)

FRONTEND_SERVICES = Probe(
    id="chef-frontend-services",
    language="sh",
    purpose="which services of the frontend run",
    script="$SUDO chef-server-ctl status",
    readers=((FrontendServices, read_frontend_services),),
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
)

PROBES: tuple[Probe, ...] = (FRONTEND_PACKAGE, FRONTEND_SERVICES, FRONTEND_API, FRONTEND_MEMBERS)

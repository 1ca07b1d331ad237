"""What a machine of a Chef Backend cluster is asked about itself. Read-only; of secrets, only hashes leave a node.

What needs root is one plain command after `$SUDO`, without a variable in it: the README's sudoers lists exactly these.
"""

from __future__ import annotations

from checks.chef_backend.node_facts import InstalledPackage
from scanner.probes.chef_node_readers import read_installed_package
from scanner.probes.probe import Probe

# A package that is not known to rpm may be known to dpkg: some Debian machines have both.
PACKAGE = Probe(
    id="chef-package",
    language="sh",
    purpose="the installed package of Chef Backend, since when, and what its manifest says",
    script="""\
if found=$(rpm -q --qf '%{VERSION}-%{RELEASE} %{INSTALLTIME}|' chef-backend 2>/dev/null); then
    echo "rpm $found"
elif found=$(dpkg-query -W -f='${Status} ${Version}' chef-backend 2>/dev/null); then
    echo "deb $found $(stat -c %Y /var/lib/dpkg/info/chef-backend.list 2>/dev/null)"
else
    echo none
fi
echo "now $(date +%s)"
manifest=/opt/chef-backend/version-manifest.json
echo "manifest $(grep -o '"build_version"[[:space:]]*:[[:space:]]*"[^"]*"' $manifest 2>&1)"
""",
    readers=((InstalledPackage, read_installed_package),),
)

PROBES: tuple[Probe, ...] = (PACKAGE,)

"""Whether a machine has to do with Chef at all: what it has of Chef Backend and of Chef Infra Server. Needs no root."""

from __future__ import annotations

import re

from checks.chef_backend.traces import ChefTraces
from scanner.probes.linux.printed import printed_lines
from scanner.probes.probe import Answer, Probe, UnreadableError

_LINE = re.compile(r"(?P<kind>backend|frontend|unseen|name) (?P<what>\S{1,255})")


def read_chef_traces(answer: Answer) -> ChefTraces:
    """What was found, in the order in which it was looked for. Raises UnreadableError."""
    what = "looking for Chef"
    lines = printed_lines(answer, what)
    found = [_LINE.fullmatch(line) for line in lines[:-1]]
    if lines[-1:] != ["asked"] or not all(found):
        raise UnreadableError(f"{what}: not understood: {'; '.join(lines)[:200]!r}")
    told: dict[str, list[str]] = {"backend": [], "frontend": [], "unseen": [], "name": []}
    for match in found:
        if match:
            told[match["kind"]].append(match["what"])
    return ChefTraces("".join(told["name"][:1]), tuple(told["backend"]), tuple(told["frontend"]), tuple(told["unseen"]))


# Anything counts, in whatever state: a package whose files are gone, a folder that a removed package left behind, a
# link that leads nowhere. Where a folder above may not be entered, nothing is said of what is in it.
PROBE = Probe(
    id="chef-traces",
    language="sh",
    purpose="whether there is anything of Chef Backend or Chef Infra Server: package, command, folders by name",
    script="""\
echo "name $(uname -n)"
for above in /opt /etc /var /var/opt /usr/bin; do
    if [ -d $above ] && [ ! -x $above ]; then echo "unseen $above"; fi
done
look() {
    for path in "/opt/$2" "/etc/$2" "/var/opt/$2" "/usr/bin/$3"; do
        if [ -e "$path" ] || [ -L "$path" ]; then echo "$1 $path"; fi
    done
    if command -v "$3" >/dev/null; then echo "$1 $3"; fi
    case $packages in *"|$4|"*) echo "$1 package" ;; esac
}
packages=$(
    rpm -q --qf '|%{NAME}|' chef-backend chef-server-core 2>/dev/null
    dpkg-query -W -f='|${Package}|' chef-backend chef-server-core 2>/dev/null
)
look backend chef-backend chef-backend-ctl chef-backend
look frontend opscode chef-server-ctl chef-server-core
echo asked""",
    readers=((ChefTraces, read_chef_traces),),
    sample="name backend-1\n"
    "backend /opt/chef-backend\n"
    "backend /etc/chef-backend\n"
    "backend /var/opt/chef-backend\n"
    "backend /usr/bin/chef-backend-ctl\n"
    "backend chef-backend-ctl\n"
    "backend package\n"
    "asked\n",
)

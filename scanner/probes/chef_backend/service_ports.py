"""On which ports a backend's services listen that frontends use: asked by `preflight discover`, and by no scan."""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.common.connection_facts import ServicePorts
from scanner.probes.chef_backend.node_readers import BACKEND_CONFIG
from scanner.probes.linux.printed import odd_line, printed_lines, refuse, shown
from scanner.probes.linux.ruby_settings import settings_of_stdin
from scanner.probes.probe import Answer, Probe, UnreadableError

SERVICE_PORTS = (("PostgreSQL", "postgresql.port", 5432), ("Elasticsearch", "elasticsearch.port", 9200))
"""The services that frontends use all the time, the setting of each one's port, and the vendor's port."""
LEADERL_PORT = ("leaderl", "leaderl.http_port", 7331)
"""What frontends ask every few seconds who leads."""


def read_service_ports(answer: Answer) -> ServicePorts:
    """The ports as chef-backend.rb sets them, else the vendor's. Raises UnreadableError."""
    what = f"the ports in {BACKEND_CONFIG}"
    lines = printed_lines(answer, what)
    if not lines or lines[-1] != "asked":
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    if "none" in lines:
        refuse(answer, f"cat {BACKEND_CONFIG}")
    set_to: dict[str, int] = {}
    is_guess = "none" in lines
    settings = [setting for _, setting, _ in (*SERVICE_PORTS, LEADERL_PORT)]
    for line in lines[:-1]:
        kind, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        port = re.fullmatch(r"(?:\S+:)?(\d{1,5})", value)
        if kind == "set" and name in settings and port:
            set_to[name] = int(port[1])
        elif kind in ("set", "raw", "more", "none"):
            is_guess = True
        else:
            raise odd_line(what, line)
    return ServicePorts(
        tuple((service, set_to.get(name, port)) for service, name, port in (*SERVICE_PORTS, LEADERL_PORT)), is_guess
    )


def _names(services: Sequence[tuple[str, str, int]]) -> str:
    return " | ".join(f"'set {setting} '* | 'raw {setting} '*" for _, setting, _ in services)


PROBE = Probe(
    id="chef-service-ports",
    language="sh",
    purpose="on which ports chef-backend.rb has PostgreSQL, Elasticsearch and leaderl listen; no other setting",
    script=f"""\
$SUDO cat {BACKEND_CONFIG} | {settings_of_stdin()} | {{
    any=
    while IFS= read -r line; do
        any=y
        case $line in {_names((*SERVICE_PORTS, LEADERL_PORT))} | more*) printf '%s\\n' "$line" ;; esac
    done
    [ "$any" ] || echo none
}}
echo asked""",
    readers=((ServicePorts, read_service_ports),),
    roles=("backend",),
    sample="asked\n",
)

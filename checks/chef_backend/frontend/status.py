"""Every frontend serves: its services run, and so does everything behind it.

## What it checks
`chef-server-ctl status` on each frontend lists what a frontend needs, the backends' PostgreSQL among it, and nothing
that is down, paused, about to stop or between its end and the next start; `GET /_status`, asked on the frontend
itself, on the port that `nginx['ssl_port']` names there (443 unless set), answers with a code of 2xx and `pong` for
the server and for each service behind it. A service that is kept down on purpose, by a file `down` in its folder, is
a warning, unless no frontend serves without it. So is one that started seconds ago beside others that are old: runit
starts again what fails, and shows it as running meanwhile; and one that frontends of a Chef Backend usually have, and
this one does not list. What is needed and not listed, not understood or cut short is an error that shows it. What
standard error says is no answer. Whom the frontend takes for the backends is the affair of `chef-frontend-members`.

## Why it matters
A frontend that is broken before the window looks like one that the upgrade broke, and the frontends are the only place
where it shows whether the backends really serve.

## How to fix it
`chef-server-ctl tail` of the service that the message names says why. Where only external services are down, look at
the backends first.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.chef_backend.facts.machine import FrontendApi, FrontendServices
from checks.chef_backend.urls import SERVER_CTL_URL
from checks.engine.wording import count, enumerate_names
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined, warned

_READ = Remediation(
    "Let preflight read the line of nginx['ssl_port'] (`sudo = true`, and its line in sudoers: "
    "`preflight probes INVENTORY --sudoers`), and write it there as a plain value."
)
EXPECTED = "all services run, and /_status says pong"
NEEDED = ("nginx", "oc_bifrost", "opscode-erchef")
"""Services without which no frontend answers, in every Chef Infra Server from 12 to 15."""
USUAL = ("bookshelf", "haproxy", "oc_id", "redis_lb")
"""What runs beside them on every frontend of a Chef Backend, unless somebody has switched it off."""
BACKENDS = "postgresql"
"""The external service that every frontend of a Chef Backend has."""
SEARCHES = ("opscode-solr4", "elasticsearch", "opensearch")
"""What the external search is called: until 13, from 14 on, and where it is OpenSearch."""
_YES = 2
"""What the codes that say yes begin with."""
_UPSTREAMS = ("chef_sql", "oc_chef_authz")
"""Upstreams that /_status names in every version, beside the search."""
_SEARCHED = ("chef_solr", "chef_elasticsearch", "chef_opensearch")
_IDLE = ("opscode-chef-mover",)
"""Services that run during an upgrade only; status hides them where it works as it should (chef/chef-server #361)."""


def judge(view: NodeView) -> Outcome:
    """Judge the services, then the answer of the server."""
    services, api = view.get(FrontendServices), view.get(FrontendApi)
    outcomes = [undetermined(found.reason) for found in (services, api) if isinstance(found, Unknown)]
    observed = []
    if isinstance(services, FrontendServices):
        stopped = len(services.down) + len(services.kept_down)
        running = count(len(services.running), "service runs", "services run")
        observed.append(f"{running}, {count(stopped, 'does', 'do')} not")
        outcomes += _of_services(services)
    if isinstance(api, FrontendApi):
        observed.append(f"/_status {api.status or api.code}")
        outcomes += _of_api(api)
    evidence: dict[str, object] = {}
    if isinstance(api, FrontendApi):
        evidence = {"upstreams": dict(api.upstreams), "asked": list(api.asked)}
    outcomes = outcomes or [passed(f"all services run, /_status says {_said(api)}")]
    return conclude(outcomes, expected=EXPECTED, observed=", ".join(observed), evidence=evidence)


def down(services: FrontendServices) -> list[str]:
    """The lines of services that should run and do not; not of those that run during an upgrade only."""
    return [line for line in services.down if not _names(line, _IDLE)]


def _of_services(services: FrontendServices) -> list[Outcome]:
    outcomes = []
    if lines := down(services):
        outcomes.append(failed(f"chef-server-ctl status: {'; '.join(lines)}"))
    if services.ailing:
        outcomes.append(failed(f"chef-server-ctl status: running by half: {'; '.join(services.ailing)}"))
    kept = [name for name in services.kept_down if name not in _IDLE]
    why = "kept down by a file `down` in the service's folder"
    if needed := [name for name in kept if name in NEEDED]:
        outcomes.append(failed(f"{enumerate_names(needed)}: {why}, and no frontend serves without"))
    if others := [name for name in kept if name not in NEEDED]:
        outcomes.append(warned(f"{enumerate_names(others)}: {why}"))
    if services.restarted:
        text = f"{enumerate_names(services.restarted)} started less than a minute ago, beside services that are old"
        outcomes.append(warned(f"{text}: runit starts again what fails"))
    if services.mute:
        outcomes.append(warned(f"the log service of {enumerate_names(services.mute)} does not run"))
    said = (*services.running, *services.kept_down, *services.down, *services.ailing)
    lacking = [name for name in NEEDED if not any(name == one or _names(one, (name,)) for one in said)]
    if BACKENDS not in services.external:
        lacking.append(f"an external {BACKENDS}, which is the backends'")
    if lacking:
        outcomes.append(undetermined(f"chef-server-ctl status lists no {enumerate_names(lacking)}: cut short?"))
    unusual = [name for name in USUAL if not any(name == one or _names(one, (name,)) for one in said)]
    unusual += [] if set(SEARCHES) & set(services.external) else ["an external search"]
    if unusual:
        text = f"chef-server-ctl status lists no {enumerate_names(unusual)}, which frontends of a Chef Backend have"
        outcomes.append(warned(text))
    return outcomes


def _names(line: str, services: tuple[str, ...]) -> bool:
    """Whether a line of the status is one of `services`'."""
    return line.partition(": ")[2].startswith(tuple(f"{name}:" for name in services))


def _of_api(api: FrontendApi) -> list[Outcome]:
    if api.code is None:
        remedy = Remediation("Install curl or wget on the frontend, then scan again.")
        return [undetermined("neither curl nor wget is there to ask /_status with", remediation=remedy)]
    if api.code == 0:
        asked = ", ".join(api.asked) or "https://127.0.0.1/_status"
        if api.is_guess:
            text = f"nothing answers to {asked}, but chef-server.rb, which says where it listens, could not be read"
            return [undetermined(text, remediation=_READ)]
        return [failed(f"nothing answers to {asked}")]
    broken = [name for name, state in api.upstreams if state != "pong"]
    if broken:
        return [failed(f"/_status: {enumerate_names(broken)} {'does' if len(broken) == 1 else 'do'} not answer")]
    if api.code // 100 != _YES or api.status != "pong":
        return [failed(f"/_status answers {api.code} {api.status}".rstrip())]
    silent = [name for name in _UPSTREAMS if name not in dict(api.upstreams)]
    if silent:
        return [undetermined(f"/_status says nothing of {enumerate_names(silent)}")]
    return (
        [] if set(_SEARCHED) & {name for name, _ in api.upstreams} else [warned("/_status says nothing of the search")]
    )


def _said(api: FrontendApi | Unknown) -> str:
    return api.status if isinstance(api, FrontendApi) else ""


CHECK = NodeCheck(
    id="chef-frontend-status",
    title="Frontend and everything behind it serves",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Find out why the service that is named does not run.", "sudo chef-server-ctl status", language="sh"
    ),
    products=("chef-backend",),
    roles=("frontend",),
    facts=(),
    optional_facts=(FrontendServices, FrontendApi),
    references=(
        "https://docs.chef.io/server/server_monitor/",
        SERVER_CTL_URL,
        "https://smarden.org/runit/sv.8",
    ),
    judge=judge,
)

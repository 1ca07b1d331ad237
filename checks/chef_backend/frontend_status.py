"""Every frontend serves: its services run, and so does everything behind it.

## What it checks
`chef-server-ctl status` on each frontend has no `down:` line, and `GET /_status`, asked on the frontend itself, answers
`pong` for the server and for each service behind it. A line or an answer that is not understood is an error that shows
it. Whom it takes for the backends is the affair of `chef-frontend-members`.

## Why it matters
A frontend that is broken before the window looks like one that the upgrade broke, and the frontends are the only place
where it shows whether the backends really serve.

## How to fix it
`chef-server-ctl tail` of the service that the message names says why. Where only external services are down, look at
the backends first.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.chef_backend.node_facts import FrontendApi, FrontendServices
from checks.facts import Unknown
from checks.groups import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, combine, failed, passed, undetermined

EXPECTED = "all services run, and /_status says pong"
ANSWERS = 200


def judge(view: NodeView) -> Outcome:
    """Judge the services, then the answer of the server."""
    services, api = view.look(FrontendServices), view.look(FrontendApi)
    outcomes = [undetermined(found.reason) for found in (services, api) if isinstance(found, Unknown)]
    observed = []
    if isinstance(services, FrontendServices):
        observed.append(f"{len(services.running)} services run, {len(services.down)} do not")
        if services.down:
            outcomes.append(failed(f"chef-server-ctl status: {'; '.join(services.down)}"))
    if isinstance(api, FrontendApi):
        observed.append(f"/_status {api.status or api.code}")
        outcomes += _of_api(api)
    whole = combine(outcomes) if outcomes else passed(f"all services run, /_status says {_said(api)}")
    evidence = {"upstreams": dict(api.upstreams)} if isinstance(api, FrontendApi) else {}
    return Outcome(whole.status, whole.message, EXPECTED, ", ".join(observed), evidence, whole.remediation)


def _of_api(api: FrontendApi) -> list[Outcome]:
    if api.code is None:
        remedy = Remediation("Install curl or wget on the frontend, then scan again.")
        return [undetermined("neither curl nor wget is there to ask /_status with", remediation=remedy)]
    if api.code == 0:
        return [failed("nothing answers to https://127.0.0.1/_status")]
    broken = [name for name, state in api.upstreams if state != "pong"]
    if broken:
        return [failed(f"/_status: {enumerate_names(broken)} {'does' if len(broken) == 1 else 'do'} not answer")]
    if api.status != "pong" or api.code != ANSWERS:
        return [failed(f"/_status answers {api.code} {api.status}".rstrip())]
    return []


def _said(api: FrontendApi | Unknown) -> str:
    return api.status if isinstance(api, FrontendApi) else ""


CHECK = NodeCheck(
    id="chef-frontend-status",
    title="Frontend and everything behind it serves",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation("Find out why the service that is named does not run.", "sudo chef-server-ctl status"),
    products=("chef-backend",),
    roles=("frontend",),
    facts=(),
    optional_facts=(FrontendServices, FrontendApi),
    references=("https://docs.chef.io/install_server_ha/",),
    judge=judge,
)

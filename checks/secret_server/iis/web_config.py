"""IIS can make sense of the application's `web.config`.

## What it checks
`web.config` in the web root of every web node: that it is there, not empty, and well-formed XML whose outermost element
is `configuration`; and the same of each file that it names in `configSource` (`web-auth.config`, `web-cookie.config`).
Nothing of their content leaves the node. Whether IIS knows each section in them is not looked at.

## Why it matters
IIS answers every request of an application whose `web.config` it cannot parse with error 500.19, and without the file
the application is none. The web installer of such a node cannot even be opened, and a load balancer that only looks
at the port keeps sending users there.

## How to fix it
Restore the node's own `web.config` (it may be customised, so another node's is no substitute) from its backup, or undo
the last edit; IIS names the line in the page that it shows on the node itself.
"""

from __future__ import annotations

from dataclasses import replace

from checks.check import PHASES, NodeCheck, NodeView
from checks.facts import Unknown, UnknownFactError
from checks.outcome import Outcome, Remediation, Severity, combine, failed, passed, undetermined
from checks.secret_server.facts.folder import ConfigState, WebConfig
from checks.secret_server.facts.node import WebRoot
from checks.secret_server.iis.places import IisAuthentication
from checks.secret_server.urls import CLUSTERING_URL

EXPECTED = "well-formed XML in web.config and in the files that it names"
_MALFORMED = "not well-formed XML"
"""How the probe's own error ends for a file that is no XML."""
_CONSEQUENCE = "IIS answers 500.19 there"


def judge(view: NodeView) -> Outcome:
    """Judge web.config, then what it names."""
    found = view.get(WebConfig)
    if isinstance(found, Unknown):
        if not found.unasked:
            # What its own question did not tell, another one's answer about web.config alone does not make up for.
            raise UnknownFactError(found.reason)
        found = _from_authentication(view, found)
    outcomes = [_judged(found.own), *(_judged(one) for one in found.named)]
    if found.own.state == "wellformed" and not found.rooted:
        outcomes.append(failed(f"{found.own.path} is no configuration: its outermost element is another"))
    states = {one.path.rpartition("\\")[2]: one.state for one in (found.own, *found.named)}
    whole = combine(outcomes)
    message = f"{whole.message}: {_CONSEQUENCE}" if whole.status == "fail" else whole.message
    observed = ", ".join(f"{name} {state}" for name, state in states.items())
    return replace(whole, message=message, expected=EXPECTED, observed=observed, evidence={"files": states})


def _from_authentication(view: NodeView, unknown: Unknown) -> WebConfig:
    """What the question for IIS's authentication learnt of the same file: evidence of earlier versions has no more."""
    authentication, root = view.get(IisAuthentication), view.get(WebRoot)
    if isinstance(authentication, Unknown) or isinstance(root, Unknown):
        raise UnknownFactError(unknown.reason)
    folder = root.path.rstrip("\\").lower()
    place = next((one for one in authentication.folders if one.path.rstrip("\\").lower() == folder), None)
    if place is None:
        raise UnknownFactError(unknown.reason)
    kind = place.error.partition(":")[0] if place.error else "wellformed"
    if _MALFORMED in place.error:
        kind = "malformed"
    return WebConfig(ConfigState(f"{root.path}\\web.config", kind, place.error), rooted=True)


def _judged(config: ConfigState) -> Outcome:
    name = config.path
    if config.state == "wellformed":
        return passed(f"{name} is well-formed")
    if config.state == "missing":
        return failed(f"{name} is missing")
    if config.state == "empty":
        return failed(f"{name} is empty")
    if config.state == "malformed":
        return failed(f"{name} is no well-formed XML")
    return undetermined(f"{name} cannot be looked at: {config.detail or config.state}")


CHECK = NodeCheck(
    id="web-config",
    title="IIS can read the application's web.config",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Restore the node's own web.config from its backup, or undo the last edit; on the node IIS shows the line.",
        url="https://learn.microsoft.com/en-us/troubleshoot/developer/webapps/iis/health-diagnostic-performance/http-error-500-19-webpage",
    ),
    products=("secret-server",),
    roles=("web",),
    optional_facts=(WebConfig, IisAuthentication, WebRoot),
    phases=dict.fromkeys(PHASES, "web.config is there and well-formed"),
    references=(
        CLUSTERING_URL,
        "https://learn.microsoft.com/en-us/troubleshoot/developer/webapps/iis/health-diagnostic-performance/http-error-500-19-webpage",
    ),
    judge=judge,
)

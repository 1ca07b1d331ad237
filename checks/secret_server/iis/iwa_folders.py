"""With Integrated Windows Authentication, the folders of the launchers are open to those who bring no Windows login.

## What it checks
With `integrated_windows_auth = true`: the authentication of the sub-folders `launchers`, `webservices` and `rdp` of the
application, as applicationHost.config has it. The vendor's page asks for Anonymous authentication alone on all three.
Where none of the three has a setting of its own, launchers were never set up for it, and the check says so; where one
has and another has not, or has another, that is a warning. A `web.config` in the folder itself is not read.

## Why it matters
By default a launcher does not work with Integrated Windows Authentication: it gets 401 Unauthorized. An upgrade that
replaces the site, or a node that was set up later, loses these settings silently.

## How to fix it
In IIS Manager, on the folder that is named: Anonymous Authentication enabled, all others disabled.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, not_declared, passed, warned
from checks.secret_server.facts.node import IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.places import IisAuthentication
from checks.secret_server.iis.serving import application_name, serving
from checks.secret_server.urls import IWA_URL

FOLDERS = ("launchers", "webservices", "rdp")
EXPECTED = "Anonymous authentication alone on launchers, webservices and rdp"


def judge(view: NodeView) -> Outcome:
    """Judge the folders of each application in the web root."""
    declared = view.cluster.options.get("integrated_windows_auth")
    if declared is not True:
        if declared is False:
            return not_applicable("`integrated_windows_auth` is declared to be false")
        return not_declared("integrated_windows_auth", "`integrated_windows_auth` is not declared")
    found = view.require(IisAuthentication)
    applications = serving(view)
    if isinstance(applications, Outcome):
        return applications
    return combine([_judged(found, app) for app in applications])


def _judged(found: IisAuthentication, app: IisApplication) -> Outcome:
    base = f"{app.site}{app.path}".strip("/").lower()
    own = {
        folder: dict(place.enabled)
        for folder in FOLDERS
        for place in found.places
        if place.path.strip("/").lower() == f"{base}/{folder}"
    }
    name = application_name(app).rstrip("/")
    if not own:
        return not_applicable(
            f"none of launchers, webservices and rdp of {name} has a setting of its own: launchers get 401 with "
            "Integrated Windows Authentication, where they are used"
        )
    wrong = [folder for folder in FOLDERS if not _is_open(own.get(folder, {}))]
    observed = "; ".join(f"{folder} {'anonymous' if folder not in wrong else 'another'}" for folder in FOLDERS)
    if wrong:
        told = ", ".join(f"{name}/{folder}" for folder in wrong)
        return warned(f"not set to Anonymous authentication alone: {told}", expected=EXPECTED, observed=observed)
    return passed(f"launchers, webservices and rdp of {name} are set as documented", observed=observed)


def _is_open(enabled: dict[str, str]) -> bool:
    """Whether a folder lets anonymous users in, and asks for Windows authentication no more."""
    others = (enabled.get(kind) for kind in ("basic", "digest"))
    return enabled.get("anonymous") == "true" and enabled.get("windows") == "false" and "true" not in others


CHECK = NodeCheck(
    id="iwa-folders",
    title="Launchers' folders are open with Integrated Windows Authentication",
    severity=Severity.LOW,
    doc=__doc__,
    remediation=Remediation(
        "On the folder that is named, enable Anonymous Authentication and disable all others in IIS Manager.",
        url=IWA_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    optional_facts=(WebRoot, IisConfiguration, IisAuthentication),
    references=(IWA_URL,),
    judge=judge,
)

"""IIS authenticates users of Secret Server in the one way that is declared.

## What it checks
With `integrated_windows_auth = true` only Windows authentication is on for the application; with `false` only Forms and
Anonymous. Read from the `location` tags of applicationHost.config, each inheriting from the one above it unless
`inheritInChildApplications="false"` keeps it from applications below, and from the application's own `web.config` and
the files that it names in `configSource`; other `web.config` files above it are not read. Holds from 10.0.000000 on,
whose upgrade changes these settings. Where nothing is declared, only a mix of Windows and Anonymous is told, as a
warning. A `web.config` that sets what is locked above it fails whatever is declared: IIS then answers 500.19.

## Why it matters
With a mix of both, users are asked again and again, or log in as nobody, once the new version runs.

## How to fix it
Declare `integrated_windows_auth` for the cluster, and set the authentication of the application in IIS Manager to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.check import NodeCheck, NodeView
from checks.engine.installed_version import installed
from checks.engine.requirements import requirements, satisfied, violation
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, not_declared, undetermined, warned
from checks.secret_server.facts.node import AppFiles, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.locks import locked_out
from checks.secret_server.iis.places import AuthenticationPlace, IisAuthentication, places_above
from checks.secret_server.iis.serving import application_name, serving
from checks.secret_server.urls import AUTHENTICATION_URL

ID = "iis-authentication"
_DEFAULTS = {"anonymous": "true", "windows": "false", "basic": "false", "digest": "false"}
_WANTED = {True: {"windows"}, False: {"anonymous", "forms"}}


def judge(view: NodeView) -> Outcome:
    """Judge each application in the web root."""
    found, root = view.require(IisAuthentication), view.require(WebRoot).path
    applications = serving(view)
    needs = requirements(view, ID)
    own = next(
        (folder for folder in found.folders if folder.path.rstrip("\\").lower() == root.rstrip("\\").lower()), None
    )
    every = view.require(IisConfiguration).applications
    if own is not None and not isinstance(applications, Outcome):
        locked = locked_out(found, own, applications, every)
        if locked:
            return combine(locked)
    if isinstance(needs, Outcome):
        return needs
    if isinstance(applications, Outcome):
        return applications
    declared = view.cluster.options.get("integrated_windows_auth")
    if (own is None or own.error) and not isinstance(declared, bool):
        return not_declared(
            "integrated_windows_auth",
            "`integrated_windows_auth` is not declared, and the application's web.config is not readable",
        )
    if own is None or own.error:
        return undetermined(f"web.config in {root} cannot be read: {own.error if own else 'it was not looked at'}")
    outcomes = []
    for app in applications:
        active = _active(found, own, app, every)
        observed = f"{application_name(app)} has {_words(active)}"
        if not isinstance(declared, bool):
            if {"windows", "anonymous"} <= active:
                message = f"{observed}: a mix; declare `integrated_windows_auth` to have it judged"
                outcomes.append(warned(message, observed=observed, **needs.evidence))
            else:
                message = f"`integrated_windows_auth` is not declared; {observed}"
                outcomes.append(not_applicable(message, observed=observed))
            continue
        wanted = _WANTED[declared]
        for due in needs.due:
            if active == wanted:
                outcomes.append(satisfied(due, observed, needs))
                continue
            version = installed(view).version
            told = f"{observed}, and integrated_windows_auth = {str(declared).lower()} means {_words(wanted)} only"
            if version and not due.rule.applies_to(version):
                message = f"{told}; these settings change with the upgrade to {due.hop}"
                outcomes.append(warned(message, expected=_words(wanted), observed=observed, **needs.evidence))
            else:
                outcomes.append(violation(due, told, needs))
    return combine(outcomes)


def _active(
    found: IisAuthentication, own: AuthenticationPlace, app: IisApplication, applications: Sequence[IisApplication]
) -> set[str]:
    """What is on for the application: the server's settings, the site's, the application's, and its web.config's."""
    enabled = dict(_DEFAULTS)
    for place in [*places_above(found, app, applications), own]:
        enabled.update(place.enabled)
    active = {kind for kind, value in enabled.items() if value.lower() == "true"}
    return active | ({"forms"} if own.mode.lower() == "forms" else set())


def _words(kinds: set[str]) -> str:
    named = [kind.capitalize() for kind in ("windows", "forms", "anonymous", "basic", "digest") if kind in kinds]
    return f"{' and '.join(named)} authentication" if named else "no authentication"


CHECK = NodeCheck(
    id=ID,
    title="IIS authenticates users in the declared way",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Set the authentication of the application in IIS Manager to what is declared, or correct the declaration.",
        url=AUTHENTICATION_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(WebRoot, IisConfiguration, IisAuthentication),
    optional_facts=(AppFiles,),
    references=(
        AUTHENTICATION_URL,
        "https://learn.microsoft.com/en-us/iis/configuration/system.webserver/security/authentication/",
    ),
    judge=judge,
)

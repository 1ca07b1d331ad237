"""The application pool that serves Secret Server runs in Integrated pipeline mode.

## What it checks
The pool of every IIS application whose folder is the web root, found by path and not by name. A pool that says
nothing has the mode of `applicationPoolDefaults`, else Integrated; an application that names no pool has the one of
`applicationDefaults`. A configuration that `redirection.config` moved elsewhere is followed. Secret Server
10.0.000000 and later need Integrated.

## Why it matters
From 10.0 on the site does not start in a Classic pool: the upgrade ends with an error page on that node.

## How to fix it
Set the pool's managed pipeline mode to Integrated before the window. If Integrated Windows Authentication is used,
the authentication settings in IIS change with it.
"""

from __future__ import annotations

from dataclasses import replace

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import Requirements, requirements, satisfied, violation
from checks.outcome import Outcome, Remediation, Severity, combine, undetermined
from checks.secret_server.facts.node import AppFiles, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.appcmd import over_pools
from checks.secret_server.iis.serving import application_name, serving
from checks.secret_server.urls import AUTHENTICATION_URL, PIPELINE_URL

ID = "iis-integrated-pipeline"
_INTEGRATED = "/managedPipelineMode:Integrated"
_REMEDY = Remediation(
    "Set the managed pipeline mode of the application's pool to Integrated, before the window.",
    over_pools("set", ("",), _INTEGRATED),
    url=PIPELINE_URL,
    language="cmd",
)
_MODES = {"0": "integrated", "1": "classic", "integrated": "integrated", "classic": "classic"}


def judge(view: NodeView) -> Outcome:
    """Judge the pool of each application in the web root."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    found = serving(view)
    if isinstance(found, Outcome):
        return replace(found, evidence={**found.evidence, **needs.evidence})
    return combine([_pool(needs, view.require(IisConfiguration), app) for app in found])


def _pool(needs: Requirements, iis: IisConfiguration, app: IisApplication) -> Outcome:
    if not app.pool:
        return undetermined(f"{application_name(app)} names no application pool, and no default does", **needs.evidence)
    pool = next((pool for pool in iis.pools if pool.name.lower() == app.pool.lower()), None)
    if pool is None:
        found = ", ".join(pool.name for pool in iis.pools) or "none"
        return undetermined(
            f"{application_name(app)} runs in pool {app.pool}, which is not defined; pools found: {found}",
            **needs.evidence,
        )
    mode = _MODES.get(pool.pipeline_mode.lower())
    if mode is None:
        return undetermined(
            f"pool {pool.name} has the pipeline mode {pool.pipeline_mode!r}, which is not known", **needs.evidence
        )
    source = "set on the pool" if pool.mode_source == "pool" else f"from {pool.mode_source}"
    if pool.mode_source == "default":
        source = "IIS's default"
    observed = f"pool {pool.name} of {application_name(app)} is {mode.capitalize()} ({source})"
    remedy = replace(
        _REMEDY,
        summary=f"Set the managed pipeline mode of pool {pool.name} to Integrated, before the window.",
        command=over_pools("set", (pool.name,), _INTEGRATED),
    )
    judged = [
        satisfied(d, observed, needs) if d.rule.requires.lower() == mode else violation(d, observed, needs, remedy)
        for d in needs.due
    ]
    return combine(judged)


CHECK = NodeCheck(
    id=ID,
    title="Application pool is in Integrated pipeline mode",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=_REMEDY,
    products=("secret-server",),
    roles=("web",),
    optional_facts=(WebRoot, IisConfiguration, AppFiles),
    references=(
        PIPELINE_URL,
        AUTHENTICATION_URL,
        "https://learn.microsoft.com/en-us/iis/configuration/system.applicationhost/applicationpools/add/",
    ),
    judge=judge,
)

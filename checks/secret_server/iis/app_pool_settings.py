"""The application pool has the runtime, the profile and the one worker process that Secret Server needs.

## What it checks
Of the pool of every IIS application in the web root: the .NET CLR version (v4.0 from 8.5.000000 on), Load User Profile
(true from 10.2.000000 on), the number of worker processes (one), its 64 bits, whether pool and site start by themselves
(outside of the window, in which IIS Manager turns that off with the pool), and that IIS lets ASP.NET 4 run (ISAPI
restrictions). The identity's kind is told, never an account. What the pool does not set comes from
`applicationPoolDefaults`, else from IIS itself: there, one worker process is the default; the CLR is v2.0 or, from IIS
8.0 on, none; Load User Profile is false in every configuration schema that IIS was shipped with (7.5 to 10), though one
of Microsoft's documents says true.

## Why it matters
With the wrong CLR the site does not start; without its profile the new version fails to reach its keys; with several
worker processes the instances of one node work against each other.

## How to fix it
Set them on the pool before the window. Only the CLR of a version before 8.5.000000 has to wait: it is changed by hand
while that step is installed, which is downtime.
"""

from __future__ import annotations

import re

from checks.check import NodeCheck, NodeView
from checks.engine.installed_version import installed
from checks.engine.requirements import ApplicableRule, Requirements, requirements, satisfied, violation
from checks.outcome import Outcome, Remediation, Severity, Status, combine, not_applicable, undetermined, warned
from checks.secret_server.facts.node import AppFiles, AppPools, IisConfiguration, PoolSetting, PoolSettings, WebRoot
from checks.secret_server.iis import pool_switches
from checks.secret_server.iis.appcmd import over_pools
from checks.secret_server.iis.pool_identity_match import KINDS
from checks.secret_server.iis.pool_switches import pool_remedy
from checks.secret_server.iis.serving import serving, serving_pools
from checks.secret_server.urls import CLUSTERING_URL, DOTNET_451_URL

ID = "app-pool-settings"

_VERSION = re.compile(r"[\w.]+", re.ASCII)
_NO_VERSION = '"<version>"'
_IDENTITIES = {**KINDS, "": "IIS's default identity"}
_TRUTH = {"true": "true", "1": "true", "false": "false", "0": "false"}


def judge(view: NodeView) -> Outcome:
    """Judge the settings of each pool that serves the application."""
    names = serving_pools(view)
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    if isinstance(names, Outcome):
        return names
    known = {pool.name.lower(): pool for pool in view.require(AppPools).pools}
    outcomes = []
    for name in names:
        pool = known.get(name.lower())
        if pool is None:
            found = ", ".join(pool.name for pool in known.values()) or "none"
            outcomes.append(undetermined(f"pool {name} is not defined; pools found: {found}", **needs.evidence))
        else:
            outcomes += [_setting(view, needs, due, pool) for due in needs.due]
    applications = serving(view)
    for due in needs.due:
        if due.rule.requires == "auto-start=true" and not isinstance(applications, Outcome):
            outcomes += pool_switches.site_start(view, due, applications, needs)
        elif due.rule.requires == "asp-net=allowed":
            outcomes += pool_switches.asp_net(view, due, needs)
    return combine(outcomes)


def _setting(view: NodeView, needs: Requirements, due: ApplicableRule, pool: PoolSettings) -> Outcome:
    name, _, wanted = due.rule.requires.partition("=")
    if due.rule.requires == "auto-start=true":
        return pool_switches.pool_start(view, due, pool, needs)
    if due.rule.requires == "asp-net=allowed":
        return not_applicable("judged with the host")
    judges = {
        "runtime": _runtime,
        "load-user-profile": _profile,
        "max-processes": _processes,
        "bits": pool_switches.bitness,
    }
    if name not in judges or not wanted:
        ways = ", ".join(f"{known}=VALUE" for known in judges)
        return undetermined(f"rule {due.rule.id}: requires = {due.rule.requires!r} is none of {ways}", **needs.evidence)
    outcome = judges[name](needs, due, pool, wanted.lower())
    version = installed(view).version
    if name == "runtime" and outcome.status is Status.FAIL and version and not due.rule.applies_to(version):
        message = f"{outcome.observed}: it is changed by hand while {due.hop} is installed, which is downtime"
        return warned(
            message,
            expected=due.rule.text,
            observed=outcome.observed,
            remediation=pool_remedy(
                f"While {due.hop} is installed, set the .NET CLR version of pool {pool.name} to {wanted}; not before.",
                pool,
                _runtime_setting(wanted),
            ),
            **needs.evidence,
        )
    return outcome


def _runtime(needs: Requirements, due: ApplicableRule, pool: PoolSettings, wanted: str) -> Outcome:
    value = pool.runtime.value or ("v2.0 or none" if pool.runtime.source == "default" else "No Managed Code")
    observed = f"pool {pool.name} has the .NET CLR version {value} ({_source(pool.runtime)}){_identity(pool)}"
    if pool.runtime.value.lower() == wanted:
        return satisfied(due, observed, needs)
    summary = f"Set the .NET CLR version of pool {pool.name} to {wanted}, before the window."
    return violation(due, observed, needs, pool_remedy(summary, pool, _runtime_setting(wanted)))


def _runtime_setting(wanted: str) -> str:
    # It is the rule's, and the inventory may say another.
    return f"/managedRuntimeVersion:{wanted if _VERSION.fullmatch(wanted) else _NO_VERSION}"


def _profile(needs: Requirements, due: ApplicableRule, pool: PoolSettings, wanted: str) -> Outcome:
    setting = pool.load_user_profile
    # False in every IIS_schema.xml that was shipped (7.5, 8.0, 8.5, 10), whatever an old document of its says.
    value = "false" if setting.source == "default" else _TRUTH.get(setting.value.lower())
    if value is None:
        return undetermined(
            f"pool {pool.name}: loadUserProfile is {setting.value!r}, not true or false", **needs.evidence
        )
    observed = f"pool {pool.name} has Load User Profile {value} ({_source(setting)})"
    if value == wanted:
        return satisfied(due, observed, needs)
    remedy = pool_remedy(
        f"Set Load User Profile of pool {pool.name} to true, before the window.",
        pool,
        "/processModel.loadUserProfile:true",
    )
    return violation(due, observed, needs, remedy)


def _processes(needs: Requirements, due: ApplicableRule, pool: PoolSettings, wanted: str) -> Outcome:
    setting = pool.max_processes
    value = setting.value or ("1" if setting.source == "default" else "")
    if not value.isdecimal():
        return undetermined(
            f"pool {pool.name}: maxProcesses is {setting.value!r}, which is no number", **needs.evidence
        )
    remedy = pool_remedy(
        f"Set the maximum worker processes of pool {pool.name} to 1, before the window.",
        pool,
        "/processModel.maxProcesses:1",
    )
    if int(value) == 0:
        observed = f"pool {pool.name} has as many worker processes as there are NUMA nodes ({_source(setting)})"
        message = f"{observed}; Secret Server needs {due.rule.text}"
        return warned(message, expected=due.rule.text, observed=observed, remediation=remedy, **needs.evidence)
    observed = f"pool {pool.name} has maxProcesses {int(value)} ({_source(setting)})"
    return satisfied(due, observed, needs) if str(int(value)) == wanted else violation(due, observed, needs, remedy)


def _source(setting: PoolSetting) -> str:
    words = {"pool": "set on the pool", "default": "IIS's default"}
    return words.get(setting.source, f"from {setting.source}")


def _identity(pool: PoolSettings) -> str:
    kind = pool.identity_type.value
    return f", and runs as {_IDENTITIES.get(kind, kind)}"


CHECK = NodeCheck(
    id=ID,
    title="Application pool settings are those that Secret Server needs",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Set the pool's .NET CLR version, Load User Profile and maximum worker processes, before the window.",
        over_pools(
            "set",
            ("",),
            "/managedRuntimeVersion:v4.0 /processModel.loadUserProfile:true /processModel.maxProcesses:1",
        ),
        url=DOTNET_451_URL,
        language="cmd",
    ),
    products=("secret-server",),
    roles=("web",),
    facts=(WebRoot, IisConfiguration, AppPools),
    optional_facts=(AppFiles,),
    references=(
        CLUSTERING_URL,
        DOTNET_451_URL,
        "https://learn.microsoft.com/en-us/iis/configuration/system.applicationhost/applicationpools/add/processmodel",
        "https://learn.microsoft.com/en-us/previous-versions/iis/settings-schema/bb386459(v=vs.90)",
        "https://learn.microsoft.com/en-us/dotnet/api/microsoft.web.administration.applicationpoolprocessmodel.loaduserprofile",
    ),
    judge=judge,
)

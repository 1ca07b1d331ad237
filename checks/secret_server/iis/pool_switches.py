"""What of a pool and its site is on or off: bitness, automatic start, and whether IIS lets ASP.NET run at all."""

from __future__ import annotations

from checks.check import NodeView
from checks.engine.requirements import ApplicableRule, Requirements, satisfied, unseen, violation
from checks.engine.ways_out import ASK_ANEW
from checks.outcome import Outcome, Remediation, not_applicable, undetermined, warned
from checks.secret_server.facts.node import AppPools, IisApplication, IisConfiguration, PoolSetting, PoolSettings
from checks.secret_server.iis.appcmd import over_pools, set_site
from checks.secret_server.urls import PIPELINE_URL

_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_EARLIER = "the evidence is an earlier version's, which did not ask: collect it anew"


def pool_remedy(summary: str, pool: PoolSettings, settings: str) -> Remediation:
    """Something to set on a pool."""
    return Remediation(summary, over_pools("set", (pool.name,), settings), url=PIPELINE_URL, language="cmd")


def bitness(needs: Requirements, due: ApplicableRule, pool: PoolSettings, wanted: str) -> Outcome:
    """enable32BitAppOnWin64, which is false where nothing sets it."""
    setting = pool.enable_32_bit
    if not setting.source:
        return unseen(
            due, f"whether pool {pool.name} runs with 32 or 64 bits is not known ({_EARLIER})", needs, ASK_ANEW
        )
    value = _truth(setting, default=False)
    if value is None:
        return _odd(pool, "enable32BitAppOnWin64", setting, needs, str(wanted == "32").lower())
    bits = "32" if value else "64"
    observed = f"pool {pool.name} runs with {bits} bits"
    if bits == wanted:
        return satisfied(due, observed, needs)
    off = str(wanted == "32").lower()
    remedy = pool_remedy(
        f"Have pool {pool.name} run with {wanted} bits, before the window.", pool, f"/enable32BitAppOnWin64:{off}"
    )
    return violation(due, observed, needs, remedy)


def pool_start(view: NodeView, due: ApplicableRule, pool: PoolSettings, needs: Requirements) -> Outcome:
    """autoStart, which is true where nothing sets it. In the window IIS Manager turns it off with the pool."""
    setting = pool.auto_start
    if view.cluster.phase == "window":
        return not_applicable(f"whether pool {pool.name} starts by itself is not judged in the window")
    if not setting.source:
        return unseen(
            due, f"whether pool {pool.name} and its site start by themselves is not known ({_EARLIER})", needs, ASK_ANEW
        )
    value = _truth(setting, default=True)
    if value is None:
        return _odd(pool, "autoStart", setting, needs, "true")
    observed = f"pool {pool.name} {'starts' if value else 'does not start'} by itself"
    remedy = pool_remedy(f"Have pool {pool.name} start by itself.", pool, "/autoStart:true")
    return satisfied(due, observed, needs) if value else violation(due, observed, needs, remedy)


def site_start(
    view: NodeView, due: ApplicableRule, applications: tuple[IisApplication, ...], needs: Requirements
) -> list[Outcome]:
    """ServerAutoStart of the sites that serve the application."""
    off = {app.site for app in applications if _TRUTH.get(app.site_auto_start.lower()) is False}
    if view.cluster.phase == "window":
        return []
    return [
        violation(
            due,
            f"site {site} does not start by itself",
            needs,
            Remediation(
                f"Have site {site} start by itself.",
                set_site(site, "/serverAutoStart:true"),
                url=PIPELINE_URL,
                language="cmd",
            ),
        )
        for site in sorted(off)
    ]


def asp_net(view: NodeView, due: ApplicableRule, needs: Requirements) -> list[Outcome]:
    """Whether IIS lets ASP.NET 4's own extension of 64 bits run. One that is not listed is not judged."""
    if any(not pool.auto_start.source for pool in view.require(AppPools).pools):  # both came with one version
        return [unseen(due, f"whether IIS lets ASP.NET 4 run is not known ({_EARLIER})", needs, ASK_ANEW)]
    rows = view.require(IisConfiguration).isapi
    ours = [row for row in rows if "framework64\\v4." in row.path.lower()]
    closed = [row for row in ours if _TRUTH.get(row.allowed.lower() or "false") is False]
    if closed:
        name = closed[0].description or closed[0].path
        observed = f"the ISAPI restriction {name} is not allowed, so that IIS answers 404.2"
        remedy = Remediation(
            f"Allow {name} among the ISAPI and CGI Restrictions of the server, in IIS Manager.", url=due.rule.url
        )
        return [violation(due, observed, needs, remedy)]
    return []


def _truth(setting: PoolSetting, *, default: bool) -> bool | None:
    return default if setting.source == "default" else _TRUTH.get(setting.value.lower())


def _odd(pool: PoolSettings, name: str, setting: PoolSetting, needs: Requirements, wanted: str) -> Outcome:
    message = f"pool {pool.name}: {name} is {setting.value!r}, not true or false"
    # IIS itself refuses such a file; here it is only a setting that nobody can tell.
    remedy = pool_remedy(f"Set {name} of pool {pool.name} to {wanted}.", pool, f"/{name}:{wanted}")
    return (warned if setting.value else undetermined)(message, observed=message, remediation=remedy, **needs.evidence)

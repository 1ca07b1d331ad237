"""The frontends of a Chef Backend cluster: last, one first, over the stops of Chef Infra Server's own path."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.chef_backend.version_match import package_version
from checks.groups import enumerate_names
from checks.plan.chef_cluster import ChefCluster, Machine, named, on
from checks.plan.model import Command, Proof, Side, Step
from checks.rules import Rule, RuleSet
from checks.upgrade_path import FRONTEND_PATH, Hop, is_stone, path_to
from checks.versions import VersionError

UPGRADE_URL = "https://docs.chef.io/server/upgrades/"
_LEVEL = "/var/opt/opscode/upgrades/migration-level"
_MINIMUMS = "chef-frontend-version"
_NEWEST = "9999.0.0"
"""Stands for whatever version of Chef Infra Server is chosen: every stop that can be ahead lies before it."""


def stops(rules: RuleSet, machine: Machine) -> tuple[Rule, ...]:
    """The stops on the frontend's way to a newer Chef Infra Server; none where its version is unknown."""
    version = _version(machine)
    if version is None:
        return ()
    path = path_to("chef-backend", rules, str(version), _NEWEST, FRONTEND_PATH)
    return tuple(hop.stone for hop in path.hops if hop.stone)


def too_old_for(cluster: ChefCluster, hop: Hop, before: Hop | None) -> Iterable[Step]:
    """What is to be decided where a hop asks for newer frontends than there are, and the one before it did not."""
    told = {rule.id for rule in before.requirements} if before else set()
    for rule in hop.requirements:
        if rule.check != _MINIMUMS or rule.id in told:
            continue
        old = [machine for machine in cluster.frontends if _lacks(machine, rule)]
        if not old:
            continue
        unsure = "" if rule.confidence == "documented" else f", {rule.confidence}"
        yield Step(
            "mind-frontends",
            f"Decide when {named(old)} will get {rule.text}",
            notes=tuple(f"{machine.name} has {machine.version} now." for machine in old),
            sides=(
                Side("frontends are upgraded after all backends", "High Availability: Upgrade to Chef Backend 2"),
                Side(
                    f"Chef Backend {hop.version} works with {rule.text} only, so before this hop",
                    f"{rule.source}{unsure}",
                ),
            ),
            proof=Proof("it is decided, and written down here"),
            url=rule.url,
        )


def steps(cluster: ChefCluster, rules: RuleSet) -> Iterable[Step]:
    """The upgrade of the frontends, where they are to be upgraded at all."""
    first, *others = cluster.frontends
    yield Step(
        "choose-frontend-version",
        f"Choose the version of Chef Infra Server for {named(cluster.frontends)}",
        notes=tuple(_choice(cluster, rules)),
        proof=Proof("the version, and each stop on the way to it, is written down here; or that all stay as they are"),
        url=UPGRADE_URL,
    )
    yield from _upgrade(cluster, first, "first", ("chef-ha downtime-8", "chef-frontends first"))
    if others:
        target = named(others)
        yield Step(
            "copy-migration-level",
            f"Copy migration-level from {first.name} to {target}",
            (
                on(first, f"cat {_LEVEL}"),
                *(on(other, f"cp -p {_LEVEL} {_LEVEL}.before") for other in others),
            ),
            notes=(
                f"Carry the file itself over, with scp for example, to {_LEVEL} on {target}; not its text by hand.",
                "Without it another frontend migrates the same data a second time.",
            ),
            proof=Proof(f"the same text as on {first.name}", tuple(on(other, f"cat {_LEVEL}") for other in others)),
            documented=("chef-frontends level",),
        )
    for other in others:
        yield from _upgrade(cluster, other, "other", ("chef-ha downtime-8", "chef-frontends others"))


def _upgrade(cluster: ChefCluster, machine: Machine, which: str, documented: tuple[str, ...]) -> Iterable[Step]:
    yield Step(
        f"install-{which}-frontend",
        f"Stop {machine.name}, and install the chosen version there",
        (
            on(machine, "chef-server-ctl stop"),
            cluster.install_frontend(machine, "in the chosen version"),
        ),
        notes=("Take it out of the load balancer first.",),
        proof=Proof("the chosen version", (_installed(machine),)),
        documented=documented,
    )
    yield Step(
        f"upgrade-{which}-frontend",
        f"Upgrade {machine.name}, and start it",
        (on(machine, "chef-server-ctl upgrade"), on(machine, "chef-server-ctl start")),
        notes=(
            "One line after the other, each only where the one before it ended without an error.",
            "From Chef Infra Server 13 on it asks for the licence: answer yes.",
        ),
        proof=Proof("every service runs, and postgresql is connected OK", (on(machine, "chef-server-ctl status"),)),
        documented=documented,
        no_return=which == "first",
    )


def _installed(machine: Machine) -> Command:
    tool = {"rpm": "rpm -q chef-server-core", "deb": "dpkg -s chef-server-core"}.get(machine.manager, "")
    return Command(tool, "sh", machine.name) if tool else on(machine, "chef-server-ctl version")


def _choice(cluster: ChefCluster, rules: RuleSet) -> Iterable[str]:
    if not cluster.known_frontends:
        yield "The inventory names no frontend: do this on every one that uses this cluster, in this order."
        yield "Each stop of Chef Infra Server's own path:"
        yield from (f"{rule.text} ({rule.source})." for rule in rules.of(FRONTEND_PATH) if is_stone(rule))
        return
    least = [rule.text for rule in rules.of(_MINIMUMS) if rule.applies_to(cluster.target)]
    if least:
        yield f"Chef Backend {cluster.target} asks for: {enumerate_names(least)}."
    ways: dict[str, list[str]] = {}
    for machine in cluster.frontends:
        ways.setdefault(_way(rules, machine), []).append(machine.name)
    for way, names in ways.items():
        yield f"{enumerate_names(names)}: {way}."
    if any(stops(rules, machine) for machine in cluster.frontends):
        yield "At each stop all frontends are taken through the following steps, before the next version."


def _way(rules: RuleSet, machine: Machine) -> str:
    if _version(machine) is None:
        return f"the installed version is unknown, and below 12.17.15 there are stops on the way; see {UPGRADE_URL}"
    due = stops(rules, machine)
    if not due:
        return f"{machine.version} now, straight to the chosen version"
    on_the_way = enumerate_names([rule.requires for rule in due])
    return f"{machine.version} now; stops on the way to anything later: {on_the_way} ({due[0].source})"


def _version(machine: Machine) -> Version | None:
    try:
        return package_version(machine.version) if machine.version else None
    except VersionError:
        return None


def _lacks(machine: Machine, rule: Rule) -> bool:
    version = _version(machine)
    try:
        return version is not None and not SpecifierSet(rule.requires).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False

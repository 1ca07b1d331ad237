"""The frontends of a Chef Backend cluster: last, one first, over the stops of Chef Infra Server's own path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.chef_backend.installed import package_version
from checks.chef_backend.runbook.procedures import SERVER_URL
from checks.chef_backend.runbook.site import ChefCluster, Machine, named, on
from checks.engine.rules import Rule, RuleSet
from checks.engine.upgrade_path import FRONTEND_PATH, UpgradeStep, is_required_stop, path_to
from checks.engine.wording import enumerate_names
from checks.runbook.commands import sh_on
from checks.runbook.model import Command, Proof, Side, Step
from checks.versions import VersionError, parse_version

UPGRADE_URL = SERVER_URL
LEVEL = "/var/opt/opscode/upgrades/migration-level"
_MINIMUMS = "chef-frontend-version"
_WITHOUT_RABBITMQ = Version("14.0")
_ADDONS = {
    "chef-manage": "chef-manage-ctl",
    "opscode-manage": "opscode-manage-ctl",
    "opscode-push-jobs-server": "opscode-push-jobs-server-ctl",
    "opscode-reporting": "opscode-reporting-ctl",
}
"""What `chef-server-ctl install` knows or knew, each with its own command."""
_NEWEST = "9999.0.0"
"""Stands for whatever version of Chef Infra Server is chosen: every stop that can be ahead lies before it."""


def stops(rules: RuleSet, machine: Machine) -> tuple[Rule, ...]:
    """The stops on the frontend's way to a newer Chef Infra Server; none where its version is unknown."""
    version = _version(machine)
    if version is None:
        return ()
    path = path_to(parse_version, rules, str(version), _NEWEST, FRONTEND_PATH)
    return tuple(hop.stone for hop in path.hops if hop.stone)


def too_old_for(cluster: ChefCluster, hop: UpgradeStep, before: UpgradeStep | None) -> Iterable[Step]:
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
            id="mind-frontends",
            title=f"Decide when {named(old)} will get {rule.text}",
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
        id="choose-frontend-version",
        title=f"Choose the version of Chef Infra Server for {named(cluster.frontends)}",
        notes=tuple(_choice(cluster, rules)),
        proof=Proof("the version, and each stop on the way to it, is written down here; or that all stay as they are"),
        url=UPGRADE_URL,
    )
    yield Step(
        id="reconfigure-frontends-before",
        title=f"See that {named(cluster.frontends)} are sound before one of them is touched",
        commands=tuple(on(machine, "chef-server-ctl reconfigure") for machine in cluster.frontends),
        notes=(
            "All of them now: once one is upgraded, the old version configures nothing any more.",
            "The page's vacuumdb and reindexdb are for a database of the frontend's own; here it is the backends'.",
        ),
        proof=cluster.frontends_run(),
        documented=("chef-server operational",),
        url=UPGRADE_URL,
    )
    yield from _upgrade(cluster, first, "first", ("chef-ha downtime-8", "chef-frontends first"))
    if others:
        yield _copy_level(first, others)
    for other in others:
        yield from _upgrade(cluster, other, "other", ("chef-ha downtime-8", "chef-frontends others"))
    yield from _finish(cluster, rules)


def _copy_level(first: Machine, others: Sequence[Machine]) -> Step:
    target = named(others)
    return Step(
        id="copy-migration-level",
        title=f"Copy migration-level from {first.name} to {target}",
        commands=(on(first, f"cat {LEVEL}"), *(_keep_level(other) for other in others)),
        notes=(
            f"Carry the file itself over, with scp for example, to {LEVEL} on {target}; not its text by hand.",
            "Without it another frontend migrates the same data a second time.",
        ),
        proof=Proof(f"the same text as on {first.name}", tuple(on(other, f"cat {LEVEL}") for other in others)),
        documented=("chef-frontends level",),
    )


def _keep_level(machine: Machine) -> Command:
    """The copy of the frontend's own level, for the way back."""
    return on(machine, f"cp -p {LEVEL} {LEVEL}.before")


def _upgrade(cluster: ChefCluster, machine: Machine, which: str, documented: tuple[str, ...]) -> Iterable[Step]:
    yield Step(
        id=f"install-{which}-frontend",
        title=f"Stop {machine.name}, and install the chosen version there",
        commands=(
            *((_keep_level(machine),) if which == "first" else ()),
            on(machine, "chef-server-ctl stop"),
            cluster.install_frontend(machine, "in the chosen version"),
        ),
        notes=(
            "Take it out of the load balancer first.",
            *(("The copy of its migration-level is for the way back.",) if which == "first" else ()),
            *_rabbitmq(machine),
        ),
        proof=Proof("the chosen version", (_installed(machine),)),
        documented=(*documented, "chef-server stop", "chef-server install"),
    )
    yield Step(
        id=f"upgrade-{which}-frontend",
        title=f"Upgrade {machine.name}, and start it",
        commands=(on(machine, "chef-server-ctl upgrade"), on(machine, "chef-server-ctl start")),
        notes=(
            "One line after the other, each only where the one before it ended without an error.",
            "From Chef Infra Server 13 on it asks for the licence: answer yes.",
        ),
        proof=Proof(
            "every service runs, and postgresql is connected OK; then the level that the other frontends need"
            if which == "first"
            else "every service runs, and postgresql is connected OK",
            (on(machine, "chef-server-ctl status"), *((on(machine, f"cat {LEVEL}"),) if which == "first" else ())),
        ),
        documented=(*documented, "chef-server upgrade", "chef-server start"),
        no_return=which == "first",
    )
    yield from _upgrade_addons(cluster, machine)


def _rabbitmq(machine: Machine) -> tuple[str, ...]:
    """What may keep the stop from ending: RabbitMQ was there until 13."""
    version = _version(machine)
    if version is not None and version >= _WITHOUT_RABBITMQ:
        return ()
    return ("Where the stop does not end because of RabbitMQ: sudo chef-server-ctl kill rabbitmq.",)


def _upgrade_addons(cluster: ChefCluster, machine: Machine) -> Iterable[Step]:
    """The add-ons that are installed; all that there may be, where nobody knows."""
    if machine.addons == ():
        return
    known = machine.addons is not None
    addons = [addon for addon in _ADDONS if machine.addons is None or addon in machine.addons]
    commands = [
        command
        for addon in addons
        for command in (
            cluster.install_addon(machine, addon),
            on(machine, "chef-server-ctl reconfigure"),
            on(machine, f"{_ADDONS[addon]} reconfigure"),
        )
    ]
    yield Step(
        id="upgrade-add-ons",
        title=f"Upgrade {enumerate_names(addons)} on {machine.name}"
        + ("" if known else ", of these what is installed there"),
        commands=tuple(commands),
        notes=("With the package that goes with the chosen version; what is no longer supported there stays behind.",),
        proof=Proof("each command ends without an error, and the add-on answers"),
        documented=("chef-server add-ons",),
        url=UPGRADE_URL,
    )


def _finish(cluster: ChefCluster, rules: RuleSet) -> Iterable[Step]:
    """What comes once all frontends have the chosen version."""
    first = cluster.frontends[0]
    crossed = _crossed(rules, cluster.frontends, "reindex")
    versions = " or ".join(rule.target.lstrip(">=") for rule in crossed)
    if crossed:
        yield Step(
            id="reindex-search",
            title=f"Fill the search index anew from {first.name}, where the way of the frontends crosses {versions}",
            commands=(on(first, "chef-server-ctl reindex -a"),),
            notes=(
                *(f"{rule.text[:1].upper()}{rule.text[1:]} ({rule.source})." for rule in crossed),
                "Searches find less than there is until it has ended, and the vendor counts it as downtime.",
                "Reckon with two minutes for each 1000 nodes.",
            ),
            proof=Proof("the command ends without an error, and a search finds all nodes of an organization"),
            documented=("chef-server reindex",),
            url=UPGRADE_URL,
        )
    yield Step(
        id="test-frontends",
        title=f"See that {named(cluster.frontends)} serve, and put each back into the load balancer",
        proof=cluster.frontends_run(),
        documented=("chef-server test",),
    )
    yield Step(
        id="clean-up-frontends",
        title=f"Remove what the old version left on {named(cluster.frontends)}",
        commands=tuple(on(machine, "chef-server-ctl cleanup") for machine in cluster.frontends),
        notes=("Not before the test. sudo chef-server-ctl cleanup --no-op shows what it would remove.",),
        proof=Proof("the command ends without an error on each"),
        documented=("chef-server cleanup",),
    )


def _crossed(rules: RuleSet, machines: Iterable[Machine], kind: str = "") -> list[Rule]:
    """What the documents say of versions that are still ahead of one of `machines`, or may be."""
    notes = [rule for rule in rules.of(FRONTEND_PATH) if rule.requires == "note" and kind in rule.id]
    versions = [_version(machine) for machine in machines]
    return [rule for rule in notes if any(at is None or rule.applies_from(str(at)) for at in versions)]


def _installed(machine: Machine) -> Command:
    tool = {"rpm": "rpm -q chef-server-core", "deb": "dpkg-query -W chef-server-core"}.get(machine.manager, "")
    return sh_on(machine.name, tool) if tool else on(machine, "chef-server-ctl version")


def _choice(cluster: ChefCluster, rules: RuleSet) -> Iterable[str]:
    if not cluster.known_frontends:
        yield "The inventory names no frontend: do this on every one that uses this cluster, in this order."
        yield "Each stop of Chef Infra Server's own path:"
        yield from (f"{rule.text} ({rule.source})." for rule in rules.of(FRONTEND_PATH) if is_required_stop(rule))
        return
    least = [rule.text for rule in rules.of(_MINIMUMS) if rule.applies_to(cluster.target)]
    if least:
        yield f"Chef Backend {cluster.target} asks for: {enumerate_names(least)}."
    ways: dict[str, list[str]] = {}
    for machine in cluster.frontends:
        ways.setdefault(_way(rules, machine), []).append(machine.name)
    for way, names in ways.items():
        yield f"{enumerate_names(names)}: {way}."
    yield from (
        f"{rule.text[:1].upper()}{rule.text[1:]} ({rule.source})." for rule in _crossed(rules, cluster.frontends)
    )
    if any(stops(rules, machine) for machine in cluster.frontends):
        yield "At each stop all frontends are taken through the following steps, before the next version."


def _way(rules: RuleSet, machine: Machine) -> str:
    if _version(machine) is None:
        why = f" ({machine.unread})" if machine.unread else ""
        return (
            f"the installed version is unknown{why}, and below 12.17.15 there are stops on the way; see {UPGRADE_URL}"
        )
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

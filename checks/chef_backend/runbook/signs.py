"""What facts show of the steps of a Chef Backend runbook, and why they show nothing of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from checks.check import NodeView
from checks.chef_backend.backend.health import comparable
from checks.chef_backend.backend.search_index import SearchIndex, created_by
from checks.chef_backend.facts.cluster import ClusterStatus, Member, ServiceStatus
from checks.chef_backend.facts.machine import FrontendPackage, FrontendServices, InstalledPackage
from checks.chef_backend.frontend.status import NEEDED, down
from checks.chef_backend.installed import package_version
from checks.chef_backend.machine_names import is_same_machine
from checks.chef_backend.runbook.index import made_by
from checks.engine.upgrade_path import UpgradeStep
from checks.engine.wording import enumerate_names
from checks.facts import Unknown
from checks.runbook.model import Step
from checks.runbook.signs import Kind, Seen, Sign, cannot_tell, done, each, each_with, not_done, reached
from checks.versions import VersionError, parse_version

_ROLES = "roles stand in the place of names here: plan again, as a step before says"
_UNNAMED = "the inventory names no frontend"
_AGELESS = "how old the search index is was not told when the plan was made"
_UNREAD = "which version of Chef Infra Server was there before it is not known"
_MAINTENANCE = "a frontend in maintenance runs all its services, and nothing that a scan reads tells of it"

UNSEEN: Mapping[str, str] = {
    "have-access": "whether somebody's credentials work is theirs to try",
    "back-up-cluster": "where archives lie is not looked at",
    "back-up-again": "where archives lie is not looked at",
    "take-out-shm": "settings are told as hashes, and the upgrade applies the file; look into it",
    "plan-again": "a new plan shows by itself who leads",
    "mind-frontends": "it is a decision",
    "choose-frontend-version": "it is a decision",
    "reconfigure-frontends-before": "that a frontend was reconfigured shows in nothing but what the command said",
    "reconfigure-frontends": "that a frontend was reconfigured shows in nothing but what the command said",
    "delete-index": "while Elasticsearch is stopped nobody tells of the index; the step that defines it anew shows it",
    "rebuild-index": "how full an index is, only a search tells",
    "reindex-search": "how full an index is, only a search tells",
    "upgrade-add-ons": "which version an add-on has is not read",
    "clean-up-frontends": "what an old version left behind is not looked at",
}
"""Step to why no fact shows it, or not all of it, where that is not plain from what the step shows."""


def _own_row(view: NodeView, rows: Sequence[Member]) -> Member | None:
    exact = [row for row in rows if {view.name, view.host} & {row.name, row.ip}]
    alike = [
        row
        for row in rows
        if any(is_same_machine(word, own) for word in (row.name, row.ip) for own in (view.name, view.host))
    ]
    found = exact or alike
    return found[0] if len(found) == 1 else None


def _role(view: NodeView, want: Mapping[str, object]) -> Seen:
    table = view.get(ClusterStatus)
    if isinstance(table, Unknown):
        return cannot_tell(table)
    row = _own_row(view, table.members)
    if row is None:
        return cannot_tell("cluster-status has no row, or several, that are this node's")
    words = f"cluster-status shows it as {row.role}"
    if row.role == want["role"] and row.postgresql not in ("", row.role):
        return not_done(f"{words}, and its PostgreSQL as {row.postgresql}")
    return done(words) if row.role == want["role"] else not_done(words)


def _whole(views: Sequence[NodeView], _: Mapping[str, object]) -> Seen:
    tables: list[ClusterStatus] = []
    for view in views:
        table = view.get(ClusterStatus)
        if isinstance(table, Unknown):
            return cannot_tell(f"{view.name}: {table.reason}")
        tables.append(table)
    if len({comparable(table) for table in tables}) > 1:
        return not_done("the backends do not see the same cluster")
    roles = sorted(row.role for row in tables[0].members)
    words = f"cluster-status shows {enumerate_names(roles)}"
    whole = roles == sorted(["leader", *["follower"] * (len(views) - 1)])
    return done(words) if whole else not_done(words)


def _package(found: InstalledPackage, want: Mapping[str, object]) -> Seen:
    if not found.manager:
        return not_done("no package of Chef Backend is installed")
    words = f"the package is {found.version}"
    try:
        at, wanted = package_version(found.version), parse_version(str(want["version"]))
    except VersionError as error:
        return cannot_tell(str(error))
    if found.state != "installed":
        return not_done(f"{words}, which is {found.state}")
    return done(words) if at >= wanted else not_done(words)


def _restarted(view: NodeView, _: Mapping[str, object]) -> Seen:
    """Whether the services run what is installed: an upgrade starts them anew, an installation alone does not."""
    package, status = view.get(InstalledPackage), view.get(ServiceStatus)
    if isinstance(package, Unknown) or isinstance(status, Unknown):
        return cannot_tell(next(found for found in (package, status) if isinstance(found, Unknown)))
    if package.installed_s is None:
        return cannot_tell("when the package was installed is not kept, so whether it was upgraded does not show")
    age_s = package.now_s - package.installed_s
    running = [row for row in status.services if row.running]
    old = [row.name for row in running if row.uptime_s is not None and row.uptime_s > age_s]
    if age_s < 0 or not running or any(row.uptime_s is None for row in running):
        return cannot_tell("when its services were started, against when the package was installed, is not told")
    if old:
        return not_done(f"{enumerate_names(old)} started before the package was installed: installed, not upgraded")
    return done("its services started after the package was installed")


def _service(found: ServiceStatus, want: Mapping[str, object]) -> Seen:
    name, wanted = str(want["service"]), want["state"] == "up"
    row = next((row for row in found.services if row.name == name), None)
    if row is None:
        return cannot_tell(f"its status shows no {name}")
    words = f"{name} {'runs' if row.running else 'is down'}"
    return done(words) if row.running == wanted else not_done(words)


def _index(views: Sequence[NodeView], want: Mapping[str, object]) -> Seen:
    created = created_by(views)
    if not created:
        reasons = [look.reason for view in views if isinstance(look := view.get(SearchIndex), Unknown)]
        return cannot_tell(reasons[0] if reasons else "no backend tells of the search index")
    return reached(created, want, f"the index was created by Elasticsearch {created}", parse_version)


def _front(found: FrontendPackage, want: Mapping[str, object]) -> Seen:
    words = f"Chef Infra Server is {found.version or 'not installed'}"
    if not found.version or found.version == want["before"]:
        return not_done(words)
    if found.state != "installed":
        return not_done(f"{words}, which is {found.state}")
    try:
        newer = package_version(found.version) > package_version(str(want["before"]))
    except VersionError as error:
        return cannot_tell(str(error))
    return done(f"{words}: see that it is the chosen version") if newer else not_done(words)


def _front_again(found: FrontendPackage, want: Mapping[str, object]) -> Seen:
    words = f"Chef Infra Server is {found.version or 'not installed'}"
    if found.version and found.state != "installed":
        return not_done(f"{words}, which is {found.state}")
    return done(words) if found.version == want["version"] else not_done(words)


def _front_services(found: FrontendServices, want: Mapping[str, object]) -> Seen:
    own = [name for name in found.running if name not in found.external]
    if not (own or found.down or found.kept_down or found.ailing):
        return cannot_tell("chef-server-ctl status lists none of its own services")
    if want["state"] == "down":
        return not_done(f"{enumerate_names(own)} still runs") if own else done("none of its services runs")
    kept = [f"{name}, kept down by a file `down`" for name in found.kept_down if name in NEEDED]
    ill = [*down(found), *found.ailing, *kept]
    return not_done(f"does not run: {'; '.join(ill)}") if ill or not own else done("every service runs")


def _level(views: Sequence[NodeView], _: Mapping[str, object]) -> Seen:
    levels: dict[str, str] = {}
    for view in views:
        found = view.get(FrontendPackage)
        if isinstance(found, Unknown):
            return cannot_tell(f"{view.name}: {found.reason}")
        if found.level_state == "unread":
            return cannot_tell(f"{view.name}: {found.level_problem or 'its migration-level was not read'}")
        levels[view.name] = found.migration_level or found.level_state
    words = ", ".join(f"{name} {level}" for name, level in levels.items())
    if lack := [name for name, level in levels.items() if level in ("missing", "empty")]:
        return not_done(f"{enumerate_names(lack)} {'has' if len(lack) == 1 else 'have'} no migration-level: {words}")
    return done(words) if len(set(levels.values())) == 1 else not_done(f"the levels differ: {words}")


KINDS: Mapping[str, Kind] = {
    "member-role": Kind(
        (ClusterStatus,), each(_role), lambda want: f"cluster-status shows the role {want['role']}", {"role": str}
    ),
    "cluster-whole": Kind((ClusterStatus,), _whole, lambda _: "one leader, and followers beside it"),
    "package-version": Kind(
        (InstalledPackage,),
        each_with(InstalledPackage, _package),
        lambda want: f"the package is {want['version']} or later",
        {"version": str},
    ),
    "services-restarted": Kind(
        (InstalledPackage, ServiceStatus), each(_restarted), lambda _: "its services are younger than its package"
    ),
    "service-state": Kind(
        (ServiceStatus,),
        each_with(ServiceStatus, _service),
        lambda want: f"{want['service']} is {want['state']}",
        {"service": str, "state": str},
    ),
    "index-created": Kind(
        (SearchIndex,),
        _index,
        lambda want: (
            f"the index is one of Elasticsearch {want['version']}" + ("" if want.get("exact") else " or later")
        ),
        {"version": str},
    ),
    "frontend-version": Kind(
        (FrontendPackage,),
        each_with(FrontendPackage, _front),
        lambda want: f"Chef Infra Server is newer than {want['before']}",
        {"before": str},
    ),
    "frontend-again": Kind(
        (FrontendPackage,),
        each_with(FrontendPackage, _front_again),
        lambda want: f"Chef Infra Server is {want['version']} again",
        {"version": str},
    ),
    "frontend-services": Kind(
        (FrontendServices,),
        each_with(FrontendServices, _front_services),
        lambda want: "every service runs" if want["state"] == "up" else "no service runs",
        {"state": str},
    ),
    "migration-level": Kind((FrontendPackage,), _level, lambda _: "one migration-level on all frontends"),
}


def signs(
    step: Step, hop: UpgradeStep | None, before: Sequence[Step], views: Sequence[NodeView], *, back: str = ""
) -> tuple[tuple[Sign, ...], str]:
    """The signs of `step`, and why they are not all of it; see `checks.secret_server.runbook.signs.signs`."""
    names = {view.name: view for view in views}
    if back:
        return _signs_back(step, names)
    asked = [command.where for command in step.commands if command.where in names]
    nodes = tuple(dict.fromkeys(asked))
    found = tuple(_signs(step, hop, nodes, names, before))
    unseen = UNSEEN.get(step.id, "")
    looks = (*step.commands, *(step.proof.commands if step.proof else ()))
    fronts = [name for name, view in names.items() if "frontend" in view.roles]
    if not found and not unseen and step.id in _NEWER and fronts:
        unseen = _UNREAD
    if not found and not unseen and step.id == "check-index-health":
        unseen = _AGELESS
    if not found and not unseen and any(one.where and one.where not in names for one in looks):
        about_fronts = any("chef-server" in one.text or "opscode" in one.text for one in looks)
        unseen = _UNNAMED if about_fronts and not fronts else "" if any(one.scan for one in looks) else _ROLES
    if step.id in ("stop-frontends", "start-frontends") and any("maintenance" in one.text for one in step.commands):
        unseen = _MAINTENANCE
    return found, unseen


def _signs_back(step: Step, names: Mapping[str, NodeView]) -> tuple[tuple[Sign, ...], str]:
    """The way back builds a cluster of other machines, and keeps the frontends alone."""
    fronts = _nodes_of((step,), names)
    if step.id == "back-stop-frontends" and fronts:
        return (Sign("frontend-services", fronts, {"state": "down"}),), ""
    if step.id == "back-configure-frontend" and fronts:
        before = [_installed(names[name]) for name in fronts]
        if "" in before:
            return (), _UNREAD
        again = [Sign("frontend-again", (name,), {"version": was}) for name, was in zip(fronts, before, strict=True)]
        up = Sign("frontend-services", fronts, {"state": "up"})
        return (*again, up), "which cluster it serves is not looked at; the last step asks the new one"
    return (), "the way back is built on machines that the inventory does not name yet"


def _signs(
    step: Step, hop: UpgradeStep | None, nodes: tuple[str, ...], names: Mapping[str, NodeView], before: Sequence[Step]
) -> Iterable[Sign]:
    backends = tuple(name for name, view in names.items() if "backend" in view.roles)
    frontends = tuple(name for name, view in names.items() if "frontend" in view.roles)
    version: dict[str, object] = {"version": hop.version} if hop else {}
    match step.id:
        case "identify-leader" if nodes:
            yield Sign("member-role", nodes, {"role": "leader"})
        case "check-index-health" if backends and (created := created_by(names.values())):
            yield Sign("index-created", backends, {"version": created, "exact": True})
        case "install-package" | "install-everywhere" if nodes and version:
            yield Sign("package-version", nodes, version)
        case "upgrade-backend" | "upgrade-leader" if nodes and version:
            yield Sign("package-version", nodes, version)
            yield Sign("services-restarted", nodes)
            yield Sign("member-role", nodes, {"role": "follower"})
            yield from [Sign("cluster-whole", backends)] if step.id == "upgrade-leader" else []
        case "take-leader-down" | "take-followers-down" if nodes:
            # The leader goes down first.
            first = _nodes_of([one for one in before if one.id == "take-leader-down"], names)
            yield Sign(
                "service-state", tuple(dict.fromkeys((*first, *nodes))), {"service": "postgresql", "state": "down"}
            )
        case "upgrade-down-follower" if nodes and version:
            yield Sign("package-version", nodes, version)
            yield Sign("services-restarted", nodes)
            # Those whose turn has not come stay down.
            rest = [node for one in before if one.id.startswith("take-") for node in _nodes_of((one,), names)]
            upgraded = _nodes_of([one for one in before if one.id == step.id], names)
            if down := tuple(node for node in rest if node not in (*nodes, *upgraded)):
                yield Sign("service-state", down, {"service": "postgresql", "state": "down"})
        case "upgrade-down-leader" if nodes and version:
            yield Sign("package-version", backends, version)
            yield Sign("services-restarted", backends)
            yield Sign("cluster-whole", backends)
        case "failover-on" | "start-frontends" | "reconfigure-frontends" if backends and version:
            # What its scan asks for was so before the hop, too.
            yield Sign("package-version", backends, version)
            yield Sign("services-restarted", backends)
            if hop and any(one.id == "define-index" for one in before) and (made := made_by(hop.version)):
                yield Sign("index-created", backends, {"version": made})
        case "stop-elasticsearch" | "start-elasticsearch" if nodes:
            state = "down" if step.id.startswith("stop") else "up"
            yield Sign("services-restarted", backends)
            yield Sign("service-state", nodes, {"service": "elasticsearch", "state": state})
        case "define-index" if backends and hop and (made := made_by(hop.version)):
            yield Sign("index-created", backends, {"version": made})
        case _:
            yield from _frontend_signs(step, nodes, frontends, names)


def _nodes_of(steps: Iterable[Step], names: Mapping[str, NodeView]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.where for step in steps for one in step.commands if one.where in names))


def _frontend_signs(
    step: Step, nodes: tuple[str, ...], frontends: tuple[str, ...], names: Mapping[str, NodeView]
) -> Iterable[Sign]:
    stopped = tuple(one.where for one in step.commands if one.text.endswith("chef-server-ctl stop"))
    match step.id:
        case "stop-frontends" if nodes and set(stopped) == set(nodes):
            yield Sign("frontend-services", nodes, {"state": "down"})
        case "install-first-frontend" | "install-other-frontend":
            yield from _newer(nodes, names)
        # All else was so before, too: where the version of before is not known, nothing shows.
        case "upgrade-first-frontend" | "upgrade-other-frontend" if newer := _newer(nodes, names):
            yield from newer
            yield Sign("frontend-services", nodes, {"state": "up"})
        case "test-frontends":
            yield from _newer(frontends, names)
        case "copy-migration-level" if len(frontends) > 1 and (newer := _newer(frontends[:1], names)):
            yield from newer
            yield Sign("frontend-services", frontends[:1], {"state": "up"})
            yield Sign("migration-level", frontends)
        case _:
            return


_NEWER = (
    "install-first-frontend",
    "install-other-frontend",
    "upgrade-first-frontend",
    "upgrade-other-frontend",
    "test-frontends",
    "copy-migration-level",
)
"""Steps that only another version than before shows."""


def _newer(nodes: Sequence[str], names: Mapping[str, NodeView]) -> tuple[Sign, ...]:
    """That each frontend has another version than now; nothing where that of one is not known."""
    before = [(node, _installed(names[node])) for node in nodes]
    if not all(version for _, version in before):
        return ()
    return tuple(Sign("frontend-version", (node,), {"before": version}) for node, version in before)


def _installed(view: NodeView) -> str:
    found = view.get(FrontendPackage)
    return found.version if isinstance(found, FrontendPackage) else ""

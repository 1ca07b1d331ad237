"""Which rows of `version_tasks` concern a site at a hop, and the step that each of them is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from checks.engine.upgrade_path import UpgradeStep
from checks.runbook.commands import cmd_on
from checks.runbook.model import Command, Proof, Step
from checks.secret_server.iis.appcmd import APPCMD
from checks.secret_server.runbook.site import Site, Web, named
from checks.secret_server.runbook.version_tasks import BACK, TRAITS, VERSION_TASKS, VersionTask
from checks.versions import parse_secret_server


def due(site: Site, source: str, hop: UpgradeStep, moment: str) -> Iterable[Step]:
    """The steps of `moment` on the way from `source` to `hop`."""
    return (_step(site, row) for row in _crossed(site, source, hop) if row.moment == moment)


def on_the_way_back(site: Site, source: str, hop: UpgradeStep, lead: str) -> Iterable[Step]:
    """What any way back asks for, and the settings of pools that the hop changed, as they were."""
    for step in (_step(site, row) for row in VERSION_TASKS if row.moment == BACK):
        yield replace(step, title=f"{lead}{step.title[:1].lower()}{step.title[1:]}")
    undone = [
        cmd_on(
            web.name, f"{APPCMD} set apppool {site.names.cmd(pool, f'the application pool of {web.name}')} /{key}:{old}"
        )
        for row in _crossed(site, source, hop)
        for web in site.webs
        for pool, settings in web.settings.items()
        for key, new in (row.sets,)
        if (old := settings.get(key, ""))
        and old.isascii()
        and old.replace(".", "").isalnum()
        and old.lower() != new.lower()
    ]
    if undone:
        yield Step(
            id="back-pool-settings",
            title=f"{lead}set the application pools of {named(site.webs)} to what they were",
            commands=tuple(undone),
            notes=(f"{source} ran with these; the hop changed them.",),
            proof=Proof("the values of before", tuple(_looks(site, site.webs))),
        )


def _looks(site: Site, webs: Iterable[Web]) -> Iterable[Command]:
    return (cmd_on(web.name, f"{APPCMD} list apppool {pool} /text:*") for web in webs for pool in site.pools(web))


def _crossed(site: Site, source: str, hop: UpgradeStep) -> Iterable[VersionTask]:
    low, high = parse_secret_server(source), parse_secret_server(hop.version)
    return (
        row
        for row in VERSION_TASKS
        if row.at
        and low < parse_secret_server(row.at) <= high
        and not any(site.traits.get(need) is False for need in row.needs)
    )


def _step(site: Site, row: VersionTask) -> Step:
    unsure = [TRAITS[need] for need in row.needs if site.traits.get(need) is None]
    title, told = _filled(site, row.title), []
    if unsure:
        title = f"Where {' and '.join(words for words, _ in unsure)}: {title[:1].lower()}{title[1:]}"
        keys = " and ".join(key for _, key in unsure if key)
        told = [f"The nodes do not tell; {keys} in the inventory does."] if keys else ["The nodes did not tell."]
    undeclared = row.check == "iis-authentication" and bool(unsure)
    # A scan judges it by the declaration alone: without one it gives no answer at all.
    shows = f"{row.shows}, once `integrated_windows_auth` is declared" if undeclared else row.shows
    since = (f"From {row.at} on ({row.source}).",) if row.at else (f"As in {row.source}.",)
    commands = [*_typed(site, row, row.commands), *_set(site, row)]
    proven = [*_typed(site, row, row.looks), *((site.scan(row.check),) if row.check else ())]
    return Step(
        id=row.id,
        title=title,
        commands=tuple(commands),
        notes=(*(_filled(site, note) for note in row.notes), *told, *since),
        proof=Proof(shows, tuple(proven)),
        documented=row.documented,
        url=row.url,
        answers=row.check,
    )


def _filled(site: Site, text: str) -> str:
    return text.replace("{nodes}", named(site.webs)).replace("{first}", site.first.name)


def _typed(site: Site, row: VersionTask, lines: tuple[str, ...]) -> Iterable[Command]:
    if row.elsewhere:
        return [Command(text=line, language=row.language, where=row.elsewhere) for line in lines]
    return [
        Command(text=_line(site, web, line), language=row.language, where=web.name)
        for web in site.webs
        for line in lines
    ]


def _line(site: Site, web: Web, line: str) -> str:
    # Between the quotes of the row itself.
    if "{root}" in line:
        line = line.replace("{root}", site.root(web)[1:-1])
    return line.replace("{app}", site.application(web)[1:-1]) if "{app}" in line else line


def _set(site: Site, row: VersionTask) -> Iterable[Command]:
    key, value = row.sets
    if not key:
        return
    for web in site.webs:
        for pool in site.pools(web):
            yield cmd_on(web.name, f"{APPCMD} set apppool {pool} /{key}:{value}")

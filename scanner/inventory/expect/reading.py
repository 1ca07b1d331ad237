"""Expectations from their tables. What cannot be meant is noted with its place, all of it at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from checks.common.dataclass import dataclass
from checks.engine.expect.model import ANSWERED, KINDS, ROOT_PATH, WINDOWS_SERVICE, Expectation, Kind, Wanted
from checks.outcome import Severity
from scanner.inventory.expect.keys import ABOUT, BY_KIND, EXPECT, OF_FILES, WISHES
from scanner.inventory.expect.single_select import why_not
from scanner.inventory.model import Cluster
from scanner.inventory.products import Product
from scanner.inventory.reading.values import (
    KeyPath,
    Problems,
    UnquotedPart,
    did_you_mean,
    read_keys,
    shown,
    type_of,
)
from scanner.inventory.settings.setting import by_name

_WITH_ALL = ("same", "timeout")
_LINUX_ALONE = ("mode", "max_mode", "owner", "group", "sudo", "manager", "timeout")
_SQL_ELSEWHERE = "sql is asked by the script on the host, and there the scanner itself asks SQL Server (tds)"
_SPEECH = {"sh": "Linux", "powershell": "Windows", "tds": "SQL Server, which alone is asked of it (transport tds)"}


@dataclass(frozen=True, slots=True)
class Written:
    """An expectation with where it stands."""

    expectation: Expectation
    place: KeyPath


def read_lists(clusters: Mapping[str, object], known: Mapping[str, Product], problems: Problems) -> list[Written]:
    """What [[clusters.NAME.expect]] of all clusters hold."""
    found: list[Written] = []
    for name, table in clusters.items():
        if isinstance(table, Mapping) and "expect" in table:
            found += read_list(table["expect"], ("clusters", name), known, problems, cluster=name)
    return found


def read_list(
    value: object, around: KeyPath, known: Mapping[str, Product], problems: Problems, *, cluster: str = ""
) -> list[Written]:
    """The tables of one list: of a cluster's, or where none is named, of a file's."""
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        head = f"[[clusters.{cluster}.expect]]" if cluster else "[[expect]]"
        problems.add((*around, "expect"), f"expected a list of tables, {head}, found {type_of(value)}")
        return []
    found = []
    for number, row in enumerate(value, 1):
        place = (*around, UnquotedPart(f"expect[{number}]"))
        one = _expectation(row, place, known, problems, cluster=cluster)
        if one:
            found.append(Written(one, place))
    return found


def _expectation(
    row: Mapping[str, object], place: KeyPath, known: Mapping[str, Product], problems: Problems, *, cluster: str
) -> Expectation | None:
    before = len(problems.found)
    keys = by_name(EXPECT if cluster else (*EXPECT, *OF_FILES))
    values = read_keys(row, keys, place, problems)
    for key in ABOUT:
        if key.required and key.name not in row:
            problems.add((*place, key.name), f"missing; {key.expects} is needed")
    kind = _kind(row, place, problems)
    if kind is None:
        return None
    _refuse_strays(row, kind, place, problems)
    wants = {name: wanted for name in BY_KIND[kind] if (wanted := _wanted(name, values)) is not None}
    product = str(values.get("product", ""))
    if product and product not in known:
        problems.add(
            (*place, "product"), f"{shown(product)} is none of {', '.join(known)}{did_you_mean(product, known)}"
        )
    if kind not in values or len(problems.found) > before:
        return None
    _refuse_contradictions(kind, str(values[kind]), wants, values, place, problems)
    if len(problems.found) > before:
        return None
    timeout = values.get("timeout", 30)
    return Expectation(
        id=str(values["id"]),
        title=str(values["title"]).rstrip("."),
        kind=kind,
        subject=str(values[kind]),
        wants=wants,
        same=values.get("same") is True,
        warns=values.get("effect") == "warn",
        clusters=(cluster,) if cluster else _texts(values.get("clusters")),
        products=(product,) if product else (),
        roles=_texts(values.get("roles")),
        severity=Severity(str(values.get("severity", Severity.MEDIUM))),
        why=str(values.get("why", "")),
        fix=str(values.get("fix", "")),
        url=str(values.get("url", "")),
        sudo=values.get("sudo") is True,
        timeout_s=timeout if isinstance(timeout, int) else 30,
    )


def _kind(row: Mapping[str, object], place: KeyPath, problems: Problems) -> Kind | None:
    named = [kind for kind in KINDS if kind in row]
    if len(named) == 1:
        return named[0]
    if not named:
        problems.add(place, f"says nothing to look at: one of {', '.join(KINDS)} is needed")
    else:
        problems.add(place, f"{' and '.join(named)} are both set; an expectation is about one of them")
    return None


def _refuse_strays(row: Mapping[str, object], kind: Kind, place: KeyPath, problems: Problems) -> None:
    for key in WISHES:
        if key.name in row and key.name not in (*BY_KIND[kind], *_WITH_ALL):
            goes = [other for other, names in BY_KIND.items() if key.name in names]
            problems.add(
                (*place, key.name), f"goes with {' and '.join(goes)}, and this is about a {kind}; leave it out"
            )


def _wanted(name: str, values: Mapping[str, object]) -> Wanted | None:
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, list):
        return _texts(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if name == "sha256":
        return str(value).lower()
    return value if isinstance(value, str | int | bool) else str(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list | tuple) else ()


def _refuse_contradictions(
    kind: str,
    subject: str,
    wants: Mapping[str, Wanted],
    values: Mapping[str, object],
    place: KeyPath,
    problems: Problems,
) -> None:
    absent = next((name for name in ("exists", "installed", "listening") if wants.get(name) is False), "")
    beside = [name for name in wants if name not in (absent, "name", "sudo", "protocol", "manager")]
    if absent and beside:
        problems.add(
            (*place, beside[0]), f"says something of what {absent} = false says is not there; keep one of them"
        )
    if absent and values.get("same") is True:
        problems.add((*place, "same"), f"what is not there ({absent} = false) cannot be compared; leave it out")
    if kind == "sql":
        if trouble := why_not(subject):
            problems.add((*place, "sql"), f"must be a single SELECT, and is refused: {trouble}")
        if not set(wants) - {"database"} and values.get("same") is not True:
            problems.add(place, "says nothing of what the SELECT should give: value, least, most, rows, contains, same")
    if kind == "registry" and "name" not in wants and (odd := set(wants) - {"exists"}):
        problems.add((*place, "name"), f"missing; {min(odd)} is about a value in the key")
    if kind == "registry" and "name" not in wants and values.get("same") is True:
        problems.add((*place, "name"), "missing; same compares a value in the key")
    if values.get("sudo") is True and not re.fullmatch(ROOT_PATH, subject):
        message = "as root, with sudo, only a path of letters, digits and /._@%+- is read; log in as root for others"
        problems.add((*place, "file"), message)
    for name in ("least", "most"):
        if name in wants and "value" in wants:
            problems.add((*place, name), "says less than value; keep one of them")
    if "mode" in wants and "max_mode" in wants:
        problems.add((*place, "max_mode"), "says less than mode; keep one of them")
    if kind in ("registry", "command", "sql"):
        for name in ("matches", "matches_not"):
            for text in _texts(wants.get(name)):
                try:
                    re.compile(text)
                except (re.error, RecursionError, OverflowError) as error:
                    problems.add((*place, name), f"{shown(text)} is no regular expression: {error}")


def refuse_twins(found: Sequence[Written], taken: Mapping[str, str], problems: Problems) -> None:
    """Note each id that another check has; `taken` are those that are there beforehand, each with whose it is."""
    first: dict[str, str] = {}
    for one in found:
        name = one.expectation.id
        here = ".".join(map(str, one.place))
        if name in taken:
            problems.add((*one.place, "id"), f"{shown(name)} is {taken[name]}; choose another id")
        elif name in first:
            problems.add((*one.place, "id"), f"{shown(name)} is the id of {first[name]}, too; ids are unique")
        first.setdefault(name, here)


def refuse_unanswerable(
    found: Iterable[Written], clusters: Sequence[Cluster], known: Mapping[str, Product], problems: Problems
) -> None:
    """Note what no node could answer: a role that none has, a question that does not go with their system."""
    for one in found:
        wanted, place = one.expectation, one.place
        for name in wanted.clusters:
            if name not in {cluster.name for cluster in clusters} and place[0] != "clusters":
                names = [cluster.name for cluster in clusters]
                there = did_you_mean(name, names) or f"; there are: {', '.join(names)}"
                problems.add((*place, "clusters"), f"there is no cluster {shown(name)}{there}")
        concerned = [
            cluster
            for cluster in clusters
            if (not wanted.clusters or cluster.name in wanted.clusters)
            and (not wanted.products or cluster.product in wanted.products)
        ]
        if all(cluster.product for cluster in concerned):
            _check_roles(wanted, concerned, known, place, problems)
            _check_languages(wanted, concerned, place, problems)


def _check_roles(
    wanted: Expectation, clusters: Sequence[Cluster], known: Mapping[str, Product], place: KeyPath, problems: Problems
) -> None:
    roles = dict.fromkeys(role for cluster in clusters for role in known[cluster.product].roles)
    had = {role for cluster in clusters for node in cluster.nodes for role in node.roles}
    for role in wanted.roles:
        if clusters and role not in roles:
            problems.add((*place, "roles"), f"{shown(role)} is none of {', '.join(roles)}{did_you_mean(role, roles)}")
    if clusters and wanted.roles and set(wanted.roles) <= roles.keys() and had.isdisjoint(wanted.roles):
        problems.add((*place, "roles"), f"no node is {' or '.join(wanted.roles)}, so that nothing would be looked at")


def _check_languages(wanted: Expectation, clusters: Sequence[Cluster], place: KeyPath, problems: Problems) -> None:
    for cluster in clusters:
        for node in cluster.nodes:
            if wanted.roles and set(wanted.roles).isdisjoint(node.roles):
                continue
            asks_sql_itself = node.language == "tds" or node.logs_in_to_sql
            trouble = _SQL_ELSEWHERE if wanted.kind == "sql" and asks_sql_itself else ""
            if trouble := trouble or _unanswerable(wanted, node.language, node.roles):
                message = (
                    f"{trouble}: {cluster.name}.{node.name}; name the roles of nodes that can answer it in `roles`"
                )
                problems.add((*place, wanted.kind), message)
                return


def _unanswerable(wanted: Expectation, language: str, roles: Sequence[str]) -> str:
    """Why a node that is spoken to in `language` cannot answer; empty where it can."""
    if wanted.kind not in ANSWERED[language]:
        return f"{wanted.kind} cannot be asked of a node of {_SPEECH[language]}"
    if wanted.kind == "sql" and "database" not in roles:
        return "sql is asked of nodes with the role database alone"
    if wanted.kind == "file" and (language == "sh") != wanted.subject.startswith("/"):
        return f"this is no absolute path on {_SPEECH[language]}"
    if language == "powershell":
        odd = next((name for name in _LINUX_ALONE if name in wanted.wants or (name == "sudo" and wanted.sudo)), "")
        if odd:
            return f"{odd} is for Linux, and cannot be asked of a node of Windows"
        if wanted.kind == "service" and not re.fullmatch(WINDOWS_SERVICE, wanted.subject):
            return "no service of Windows can have this name"
    elif wanted.kind == "package" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._:-]*", wanted.subject):
        return "no package of Linux can have this name"
    elif wanted.kind == "service" and re.search(r"[ $]", wanted.subject):
        return "no service of Linux can have this name"
    return ""

"""An inventory from its file: everything that is wrong with it is told at once, before anything is contacted."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from checks.scan import ATTESTATIONS
from scanner.errors import InventoryError, Problem
from scanner.inventory.expect.reading import refuse_unanswerable
from scanner.inventory.loaded import Loaded
from scanner.inventory.model import Cluster, Inventory, RunSettings
from scanner.inventory.product_settings.known import catalogue
from scanner.inventory.products import Product
from scanner.inventory.reading.clusters import Context, read_clusters
from scanner.inventory.reading.connection import Layer, layer_of
from scanner.inventory.reading.drift_overrides import read_drift
from scanner.inventory.reading.looking import is_folder
from scanner.inventory.reading.positions import nearest, positions
from scanner.inventory.reading.skip import Judges
from scanner.inventory.reading.values import Problems, read_keys, read_table, shown, unknown_key
from scanner.inventory.reading.waivers import LISTS, Accepted, Surveyed, read_accepted
from scanner.inventory.settings.catalogue import REPORTS, RUN, Catalogue, ProductSettings
from scanner.inventory.settings.setting import by_name
from scanner.inventory.settings.transports import TRANSPORTS
from scanner.inventory.settings.written_path import expanded
from scanner.loading.own_checks import read_own
from scanner.loading.registry import builtin_ids, known_drift_rules, load_registry

MOST_BYTES = 16 * 1024 * 1024
"""A larger file is no inventory."""

_TABLES = ("defaults", "clusters", "run", "reports", "drift")
_ABSENT = "there is no such file; `preflight init` writes one to start from"
_SYNTAX_ADVICE = (
    ("Unescaped '\\'", "put a text with backslashes in single quotes, like 'CORP\\name'"),
    ("hex value", "put a text with backslashes in single quotes, like 'CORP\\name'"),
    ("Invalid value", "texts need straight quotes, and true and false are lower case"),
    ("character '\\n'", "a text ends on the line it starts on; is a quote missing?"),
    ('Expected "\'"', "a text ends on the line it starts on; is a quote missing?"),
    ("at the end of a table declaration", 'a name with blanks or umlauts needs quotes: [clusters."my cluster"]'),
    ("after a key in a key/value pair", 'every key needs a value, as in key = "value"'),
    ("Invalid initial character for a key part", "a key is made of letters, digits, - and _; others need quotes"),
    ("at the end of an array declaration", "a list of tables has two brackets at each end, as in [[waivers]]"),
    ("at the end of a", "a table is named on a line of its own, as in [clusters.vault-prod]"),
    ("Unclosed array", "a list ends with ]"),
    ("Unclosed inline table", "a table in braces ends with } on the same line"),
    ("inline table", "write it as a table of its own, as in [clusters.vault-prod.nodes.web1]"),
    ("after a statement", "one key a line; is a quote or a comma missing, or a # before a comment?"),
    ("Unterminated string", "is a quote missing at its end?"),
    ("Expected '\"", "is a quote missing at its end?"),
    ("Invalid date", "write it like 2026-12-31, without quotes"),
    ("Illegal character", "take it out; it may have come with what was pasted"),
    ("invalid character", "take it out; it may have come with what was pasted"),
    ("Invalid statement", 'every line is [a.table], key = "value" or a # comment'),
    ("Unicode scalar", "put a text with backslashes in single quotes, like 'CORP\\name'"),
    ("namespace", "it stands there already, further up"),
    ("Expected", "is a quote missing?"),
    ("immutable", "it stands there already, further up"),
    ("twice", "it stands there already, further up"),
    ("overwrite", "it stands there already, further up"),
)
"""What a parser's message is usually about."""
_SYNTAX_PLACE = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


def load_inventory(path: Path) -> Inventory:
    """The inventory in the file at `path`, with every default applied. Raises InventoryError with all its problems."""
    return parse_inventory(_read(path), path, from_file=True)


def parse_inventory(
    text: str,
    path: Path,
    extra: Sequence[Product] = (),
    brought: Sequence[ProductSettings] = (),
    *,
    from_file: bool = False,
) -> Inventory:
    """The inventory written in `text`; relative paths in it are relative to the folder of `path`.

    `extra` are products beside the built-in ones, `brought` the keys of products; neither: what plugins bring.
    `from_file` says that it was read there, so that the folder `checks.d` beside it belongs to it.

    Raises InventoryError with all its problems.
    """
    table = _parse_toml(text, path)
    known = catalogue(extra, brought) if extra or brought else installed_catalogue()
    problems = Problems(known.sections)
    for name, value in table.items():
        if name in LISTS:
            continue
        if name not in _TABLES:
            advice = "; a node belongs in a cluster: [clusters.CLUSTER.nodes.NODE]" if name == "nodes" else ""
            unknown_key(name, (name,), (*_TABLES, *LISTS), problems, advice=advice)
        else:
            read_table(value, (name,), problems)
    tables: dict[str, dict[str, Any]] = {
        name: value if isinstance(value := table.get(name, {}), dict) else {} for name in _TABLES
    }
    folder = path.absolute().parent
    own = read_own(tables["clusters"], path if from_file else None, known.products, _taken(), problems)
    context = Context(
        known=known,
        defaults=_defaults(tables["defaults"], problems),
        checks=partial(_judges, own.loaded),
        folder=folder,
        problems=problems,
    )
    clusters = (
        ()
        if "clusters" in table and not isinstance(table["clusters"], dict)
        else read_clusters(tables["clusters"], context)
    )
    refuse_unanswerable(own.written, clusters, known.products, problems)
    run = read_keys(tables["run"], by_name(RUN), ("run",), problems)
    reports = read_keys(tables["reports"], by_name(REPORTS), ("reports",), problems)
    _check_reports(reports, problems)
    accepted = Accepted()
    if any(name in table for name in LISTS):
        accepted = read_accepted(table, _surveyed(_node_names(tables["clusters"]), clusters, own.loaded), problems)
    drift_rules = read_drift(tables["drift"], known_drift_rules(own.loaded), problems) if tables["drift"] else {}
    if problems.found:
        _tell_what_did_not_load(problems)
        raise InventoryError(str(path), located(problems, text))
    settings: dict[str, Any] = run
    for key in RUN:
        if key.kind == "path" and key.name in settings:
            settings[key.name] = expanded(settings[key.name], folder)
    return Inventory(
        path=path,
        clusters=clusters,
        run=RunSettings(**settings),
        reports={name: str(path) for name, path in reports.items()},
        waivers=accepted.waivers,
        attestations=accepted.attestations,
        drift_rules=drift_rules,
        text=text,
        products=known.products,
        own=own.loaded,
        digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def with_waivers(inventory: Inventory, path: Path) -> Inventory:
    """The inventory with the waivers and attestations of the file at `path` added to its own.

    Raises InventoryError with all problems of that file.
    """
    text = _read(path, "there is no such file of waivers")
    table = _parse_toml(text, path)
    problems = Problems(installed_catalogue().sections)
    for name in table:
        if name not in LISTS:
            unknown_key(name, (name,), LISTS, problems)
    names = {cluster.name: [node.name for node in cluster.nodes] for cluster in inventory.clusters}
    earlier = Accepted(inventory.waivers, inventory.attestations)
    around = _surveyed(names, inventory.clusters, inventory.own)
    accepted = read_accepted(table, around, problems, earlier=earlier, file=path.name)
    if problems.found:
        raise InventoryError(str(path), located(problems, text))
    return replace(inventory, waivers=accepted.waivers, attestations=accepted.attestations)


def lines_of(inventory: Inventory) -> dict[tuple[str, str], int]:
    """The line that each cluster, as ("vault", ""), and each node, as ("vault", "web1"), begins at in its text."""
    try:
        found = positions(inventory.text)
    except (ValueError, RecursionError):  # where something stands is a help
        return {}
    lines: dict[tuple[str, str], int] = {}
    for place, (line, _) in found.items():
        match place:
            case ("clusters", cluster):
                lines[cluster, ""] = line
            case ("clusters", cluster, "nodes", node):
                lines[cluster, node] = line
    return lines


def located(problems: Problems, text: str) -> tuple[Problem, ...]:
    """The problems, each with its line and column in the inventory's text."""
    try:
        known = positions(text)
    except (ValueError, RecursionError):  # a place is a help; without one, a problem is told all the same
        known = {}
    return problems.located(lambda place: nearest(place, known))


def installed_catalogue() -> Catalogue:
    """All keys that an inventory may have here, those of plugins' products included."""
    _, _, loaded = load_registry()
    return catalogue(loaded.brought, loaded.settings)


def _tell_what_did_not_load(problems: Problems) -> None:
    """Why a product may not be there: the plugin that brings it."""
    if any(problem.place.startswith("clusters.") and problem.place.endswith(".product") for problem in problems.found):
        for failure in load_registry()[2].failures:
            problems.add((), f"{failure.check}: {failure.message}")


def _taken() -> dict[str, str]:
    """The ids that an inventory cannot give to checks of its own, each with whose it is."""
    checks, probes, _ = load_registry()
    ours = {*builtin_ids(), ATTESTATIONS}
    ids = [*(check.id for check in checks), *(probe.id for probe in probes), ATTESTATIONS]
    return {name: f"that of {'one that comes with preflight' if name in ours else 'a plugin'}" for name in ids}


def _judges(own: Loaded) -> Judges:
    checks, _, loaded = load_registry(own)
    return Judges({check.id: check for check in checks}, complete=not loaded.failures)


def _surveyed(nodes: Mapping[str, Sequence[str]], clusters: Sequence[Cluster], own: Loaded) -> Surveyed:
    known = _judges(own)
    return Surveyed(nodes, clusters, known.checks, complete=known.complete)


def _node_names(clusters: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is written, whether it can be used or not: a node with a wrong port is there all the same."""
    nodes = {name: table.get("nodes") if isinstance(table, dict) else None for name, table in clusters.items()}
    return {name: list(written) if isinstance(written, dict) else [] for name, written in nodes.items()}


def _read(path: Path, absent: str = _ABSENT) -> str:
    def refuse(message: str) -> InventoryError:
        return InventoryError(str(path), [Problem("", message)])

    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise refuse(absent) from None
    except IsADirectoryError:
        raise refuse("this is a folder; name the inventory file in it") from None
    except PermissionError:
        if is_folder(path):  # Windows says so of folders.
            raise refuse("this is a folder; name the inventory file in it") from None
        raise refuse("you may not read this file; check its owner and mode") from None
    except (OSError, ValueError) as error:
        raise refuse(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MOST_BYTES:
        raise refuse("is larger than 16 MiB, and no inventory")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse("is UTF-16 (as Windows PowerShell's > writes it); save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(f"line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8") from None


def _parse_toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InventoryError(str(path), [Problem("", "is nested too deeply, and no inventory")]) from None
    except ValueError as error:  # TOMLDecodeError, and a number with thousands of digits.
        found = _SYNTAX_PLACE.search(str(error))
        message = _SYNTAX_PLACE.sub("", str(error))
        advice = next((advice for sign, advice in _SYNTAX_ADVICE if sign in message), "")
        place = found[1] if found else ""
        raise InventoryError(str(path), [Problem(place, f"not TOML: {message}{advice and '; ' + advice}")]) from None


def _defaults(table: Mapping[str, object], problems: Problems) -> dict[str, Layer]:
    layers = {}
    having = {transport: keys for transport, keys in TRANSPORTS.items() if keys}
    for name, value in table.items():
        place = ("defaults", name)
        if name not in having:
            advice = f"; defaults stand per transport, in {' or '.join(f'[defaults.{way}]' for way in having)}"
            unknown_key(name, place, having, problems, advice="" if isinstance(value, dict) else advice)
            continue
        written = read_table(value, place, problems)
        if written is not None:
            values = read_keys(written, by_name(having[name]), place, problems)
            layers[name] = layer_of(place, written, values, set())
    return layers


def _check_reports(reports: Mapping[str, object], problems: Problems) -> None:
    first: dict[object, str] = {}
    for name, path in reports.items():
        other = first.setdefault(path, name)
        if other != name:
            problems.add(("reports", name), f"{shown(str(path))} is already the file of reports.{other}")

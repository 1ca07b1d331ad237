"""The secrets of an inventory, each read once and before anything is contacted, with all that is missing at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from checks.common.dataclass import dataclass
from scanner.errors import InventoryError, Problem
from scanner.inventory.model import Inventory, Node, NodeKey, SecretSource, SshSettings, TdsSettings, WinrmSettings
from scanner.inventory.reading.looking import is_folder, unseen
from scanner.inventory.reading.values import KeyPath, Problems
from scanner.inventory.settings.written_path import WrittenPath, expanded
from scanner.secrets import children
from scanner.secrets.discretion import NOT_SHOWN, may_be_secret
from scanner.secrets.secret import Secret
from scanner.secrets.sources import UnusableError, look_for, no_home, read_secret

Settings = TypeVar("Settings", Node, WinrmSettings, SshSettings, TdsSettings)


def resolve(
    inventory: Inventory,
    only: AbstractSet[tuple[str, str]] | None = None,
    learn: Callable[[Secret, str], None] = lambda _, __: None,
    *,
    files: bool = True,
) -> Inventory:
    """The same inventory with every SecretSource replaced by its Secret; each source is read once.

    `only` names the nodes that are about to be asked, as (cluster, node); the others keep their sources unread.
    None: all. Commands run in the inventory's folder, without a shell, for at most the longest `connect_timeout` of the
    nodes that need what they print. Files that the nodes' settings name (keys, certificates) are looked for, too, but
    where `files` says that they are another machine's.

    Raises InventoryError with everything that is missing. `learn` is told each secret as soon as it is known, with the
    user whom it belongs to.
    """
    children.withhold(variables(inventory))
    reader = _reader(inventory, read_secret, learn, files=files)
    clusters = tuple(
        replace(
            cluster,
            nodes=tuple(
                reader.node(node) if only is None or (cluster.name, node.name) in only else node
                for node in cluster.nodes
            ),
        )
        for cluster in inventory.clusters
    )
    problems = reader.problems()
    if problems:
        raise InventoryError(str(inventory.path), problems)
    return replace(inventory, clusters=clusters)


def equip(
    nodes: Sequence[Node],
    *,
    folder: Path,
    elsewhere: bool,
    found: dict[SecretSource, Secret],
    fetch: Callable[[SecretSource, Path, float], str] = read_secret,
) -> list[tuple[Node, str]]:
    """The nodes with every secret that is not known yet, each with what this machine lacks of what it needs, or "".

    `elsewhere` says that the inventory was read on another machine: its paths mean what they mean here, relative ones
    are relative to `folder`. `found` has the secrets that were fetched here before, and gets the new ones.
    """
    there = [_placed(node, folder) for node in nodes] if elsewhere else list(nodes)
    if not elsewhere and not any(True for node in there for _ in unread(node)):
        return [(node, "") for node in there]
    children.withhold(source.env for node in there for source, _ in unread(node) if source.env)
    reader = _Reader(
        folder=folder, learn=lambda _, __: None, fetch=fetch, patience_s=patience_with(there), known=dict(found)
    )
    ready = [reader.equipped(node) for node in there]
    found.update({source: secret for source, secret in reader.known.items() if secret is not None})
    lacking: dict[tuple[str, str], str] = {}
    for cause, places in reader.failures.items():
        for place in places:
            lacking.setdefault((place[1], place[3]), f"{place[-1]}: {cause}")
    return [(node, lacking.get(node.key, "")) for node in ready]


def unread(node: Node) -> Iterator[tuple[SecretSource, str]]:
    """What the node is reached with and nobody has read yet, each with the user whom it belongs to."""
    return ((source, user) for source, user, _ in _sources(node))


def known_here(
    sources: Iterable[tuple[SecretSource, str]], *, folder: Path, elsewhere: bool, found: dict[SecretSource, Secret]
) -> frozenset[tuple[str, str]]:
    """Those of the secrets that this machine knows, with their users: to be taken out of what any node says.

    No command is run for it: what it would print is known from when a node is asked that needs it. For the rest see
    `equip`.
    """
    logins = set()
    for source, user in sources:
        there = replace(source, file=expanded(source.file, folder)) if elsewhere and source.file else source
        if there not in found and (there.env or there.file):
            children.withhold([there.env] if there.env else [])
            with suppress(UnusableError):
                found[there] = Secret(read_secret(there, folder, 0.0))
        if there in found:
            logins.add((found[there].reveal(), user))
    return frozenset(logins)


def _placed(node: Node, folder: Path) -> Node:
    """The same node with its paths as they are meant on this machine."""

    def moved(settings: Settings) -> Settings:
        changed: dict[str, Any] = {}
        for each in fields(settings):
            value = getattr(settings, each.name)
            if isinstance(value, WrittenPath):
                changed[each.name] = expanded(value, folder)
            elif isinstance(value, SecretSource) and value.file:
                changed[each.name] = replace(value, file=expanded(value.file, folder))
        return replace(settings, **changed) if changed else settings

    node = moved(node)
    return replace(
        node, winrm=node.winrm and moved(node.winrm), ssh=node.ssh and moved(node.ssh), tds=node.tds and moved(node.tds)
    )


def _nodes(inventory: Inventory) -> list[Node]:
    return [node for cluster in inventory.clusters for node in cluster.nodes]


def variables(inventory: Inventory) -> set[str]:
    """The environment variables that the inventory takes secrets from, for whichever node."""
    return {source.env for node in _nodes(inventory) for source, _ in unread(node) if source.env}


def missing(inventory: Inventory, only: AbstractSet[NodeKey], *, files: bool) -> list[Problem]:
    """What `resolve` would not find on this machine, as far as that can be told without reading a secret.

    Files are looked for and their modes looked at, variables are looked for, programs are looked for and not run.
    """
    reader = _reader(inventory, look_for, lambda _, __: None, files=files)
    for node in _nodes(inventory):
        if node.key in only:
            reader.node(node)
    return reader.problems()


@dataclass(slots=True, kw_only=True)
class _Reader:
    folder: Path
    learn: Callable[[Secret, str], None]
    fetch: Callable[[SecretSource, Path, float], str]
    patience_s: Mapping[SecretSource, float]
    """How long each may take."""
    files: bool = True
    """Whether the files that settings name are this machine's."""
    known: dict[SecretSource, Secret | None] = field(default_factory=dict)
    failures: dict[str, list[KeyPath]] = field(default_factory=dict)
    """Each thing that is wrong, with the keys that it concerns."""
    causes: dict[SecretSource, str] = field(default_factory=dict)

    def node(self, node: Node) -> Node:
        place: KeyPath = ("clusters", node.cluster, "nodes", node.name)
        if "sql_user" in node.options:
            node = replace(
                node, sql_password=self._secret(node.sql_password, "sql_password", place, str(node.options["sql_user"]))
            )
        if node.tds:
            self._check_tds(node, place)
        if node.winrm:
            return replace(node, winrm=self._winrm(node.winrm, place))
        if node.ssh:
            return replace(node, ssh=self._ssh(node.ssh, place))
        return node

    def equipped(self, node: Node) -> Node:
        """The same as `node`, where what one of them cannot be given costs the others nothing."""
        try:
            return self.node(node)
        except Exception as defect:  # noqa: BLE001  no word of it: a secret may stand in it
            what = f"finding what it needs ended in {type(defect).__name__}: a defect of preflight; please report it"
            self._fail(what, ("clusters", node.cluster, "nodes", node.name, "secrets"))
            return node

    def _check_tds(self, node: Node, place: KeyPath) -> None:
        if node.logs_in_to_sql and not find_spec("pytds"):
            self._fail(
                'SQL Server can be asked with a login only where python-tds is installed; run: pip install "'
                'preflight-scanner[tds]"',
                (*place, "sql_user"),
            )
        if node.tds and node.tds.verify:
            self._need(node.tds.ca_file, (*place, "ca_file"), folder_will_do=True)

    def problems(self) -> list[Problem]:
        """One for each cause, at the first node it concerns: a password for forty nodes is missing once."""
        found = Problems()
        for cause, places in self.failures.items():
            more = len({place[:4] for place in places}) - 1
            found.add(places[0], cause + (f" (and {more} more node{'s' * (more > 1)})" if more else ""))
        return list(found.found)

    def _winrm(self, settings: WinrmSettings, place: KeyPath) -> WinrmSettings:
        if settings.auth == "certificate":
            self._need(settings.cert_file, (*place, "cert_file"))
            self._need(settings.key_file, (*place, "key_file"))
        if settings.verify and settings.scheme == "https":
            self._need(settings.ca_file, (*place, "ca_file"), folder_will_do=True)
        # A password that is not used is not asked for.
        needed = None if settings.auth == "certificate" else settings.password
        return replace(settings, password=self._secret(needed, "password", place, settings.user))

    def _ssh(self, settings: SshSettings, place: KeyPath) -> SshSettings:
        self._need(settings.key_file, (*place, "key_file"))
        if settings.host_key_policy == "strict" and not settings.host_key:
            self._need(settings.known_hosts, (*place, "known_hosts"))
        if settings.ssh_config != SshSettings().ssh_config:
            self._need(settings.ssh_config, (*place, "ssh_config"))
        return replace(
            settings,
            passphrase=self._secret(settings.passphrase, "passphrase", place),
            password=self._secret(settings.password, "password", place, settings.user),
        )

    def _need(self, path: str, place: KeyPath, *, folder_will_do: bool = False) -> None:
        if not path or not self.files:
            return
        found = Path(path)
        if may_be_secret(found.name) or may_be_secret(path):
            path = NOT_SHOWN
        if absence := unseen(found):
            self._fail(f"{path}: {absence}{no_home(path)}", place)
        elif is_folder(found) and not folder_will_do:
            self._fail(f"{path} is a folder; name the file in it", place)
        elif not os.access(found, os.R_OK):
            self._fail(f"{path}: you may not read this file; check its owner and mode", place)

    def _secret(self, source: SecretSource | Secret | None, name: str, place: KeyPath, user: str = "") -> Secret | None:
        if not isinstance(source, SecretSource):
            return source
        if source not in self.known:
            try:
                self.known[source] = secret = Secret(self.fetch(source, self.folder, self.patience_s[source]))
                self.learn(secret, user)
            except UnusableError as error:
                self.known[source] = None
                self.causes[source] = str(error)
            except KeyboardInterrupt:
                raise
            except BaseException as defect:  # noqa: BLE001  no word of it: what was read may stand in it, and is not known yet
                self.known[source] = None
                self.causes[source] = (
                    f"reading it ended in {type(defect).__name__}: a defect of preflight; please report it"
                )
        if source in self.causes:
            part = next(part for part in ("env", "file", "command", "prompt") if getattr(source, part))
            self._fail(self.causes[source], (*place, f"{name}_{part}"))
        return self.known[source]

    def _fail(self, cause: str, place: KeyPath) -> None:
        self.failures.setdefault(cause, []).append(place)


def _reader(
    inventory: Inventory,
    fetch: Callable[[SecretSource, Path, float], str],
    learn: Callable[[Secret, str], None],
    *,
    files: bool = True,
) -> _Reader:
    folder = inventory.path.absolute().parent
    return _Reader(folder=folder, learn=learn, fetch=fetch, patience_s=patience_with(_nodes(inventory)), files=files)


def patience_with(nodes: Iterable[Node]) -> dict[SecretSource, float]:
    """For each source the longest `connect_timeout` of the nodes that need it: getting it is part of reaching them."""
    found: dict[SecretSource, float] = {}
    for node in nodes:
        for source, _, seconds in _sources(node):
            found[source] = max(seconds, found.get(source, 0.0))
    return found


def _sources(node: Node) -> Iterator[tuple[SecretSource, str, float]]:
    """The user whom each belongs to, and how long a connection with it may take."""
    for settings in (node.winrm, node.ssh):
        for source in (settings.password, getattr(settings, "passphrase", None)) if settings else ():
            if settings and isinstance(source, SecretSource):
                yield source, settings.user, settings.connect_timeout_s
    if isinstance(node.sql_password, SecretSource):
        here = [each.connect_timeout_s for each in (node.tds, node.winrm, node.ssh) if each]
        user = str(node.options.get("sql_user", ""))
        yield node.sql_password, user, here[0] if here else TdsSettings().connect_timeout_s

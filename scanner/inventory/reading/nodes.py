"""The nodes of one cluster, from tables to the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from checks.common.dataclass import dataclass
from checks.versions import VersionError
from scanner.inventory.model import Node, SecretSource, TdsSettings, WinrmSettings
from scanner.inventory.products import DEFAULT_SQL_PORT, Product
from scanner.inventory.reading.connection import HTTP_PORT, Connection, KeyConflict, Layer, connect, layer_of
from scanner.inventory.reading.values import (
    KeyPath,
    Problems,
    did_you_mean,
    format_key,
    read_keys,
    read_name,
    read_table,
    shown,
)
from scanner.inventory.settings.catalogue import Catalogue
from scanner.inventory.settings.setting import Setting, by_name
from scanner.inventory.settings.transports import TRANSPORTS, keys_of
from scanner.inventory.settings.written_path import expanded
from scanner.secrets.discretion import NOT_SHOWN, may_be_secret

HERE = "localhost"
"""The host of a node that is the machine preflight runs on."""
NOT_ON_WINDOWS = "there is no sudo on Windows; leave it out, and log in with an account that is an administrator there"

_MEANT_OVER_TDS = {
    "user": "sql_user",
    "port": "sql_port",
    "auth": "sql_auth",
    **{f"password_{way}": f"sql_password_{way}" for way in ("env", "file", "command")},
}
_USUAL_PORTS = (22, HTTP_PORT, WinrmSettings().port)
_LOOPBACK = (HERE, "127.0.0.1", "::1")


def _of_any_transport() -> dict[str, Setting]:
    return by_name(*TRANSPORTS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a node's table does not say itself."""

    cluster: str
    place: KeyPath
    """Of the cluster."""
    product: Product | None
    """None where the inventory names none that exists."""
    known: Catalogue
    values: Mapping[str, object]
    """The cluster's own usable values."""
    layer: Layer
    """Those of them that say how nodes are reached."""
    defaults: Mapping[str, Layer]
    folder: Path
    problems: Problems


def read_nodes(value: object, around: Surroundings) -> tuple[Node, ...]:
    """All nodes of the cluster. What cannot be used is noted in `around.problems`."""
    place = (*around.place, "nodes")
    table = {} if value is None else read_table(value, place, around.problems)
    if table is None:
        return ()
    if not table:
        around.problems.add(place, f"no node; add [{format_key(place)}.NAME] with its host and roles")
    nodes: list[Node] = []
    troubles: list[tuple[KeyPath, KeyConflict]] = []
    for name, entry in table.items():
        node = _node(name, entry, around, troubles)
        if node:
            nodes.append(node)
    _tell(troubles, len(nodes), around)
    _check_duplicates(nodes, around)
    return tuple(nodes)


def read_version(
    values: Mapping[str, object], key: str, place: KeyPath, product: Product | None, problems: Problems
) -> str | None:
    """The version in `key` as written, where it is one of the product's."""
    written = values.get(key)
    if not isinstance(written, str):
        return None
    try:
        if product:
            product.parse(written)
    except VersionError as error:
        told = f"{NOT_SHOWN} is no version of {product.name}" if product and may_be_secret(written) else str(error)
        problems.add((*place, key), told)
        return None
    return written


def _node(name: str, value: object, around: Surroundings, troubles: list[tuple[KeyPath, KeyConflict]]) -> Node | None:
    place = (*around.place, "nodes", name)
    problems = around.problems
    read_name(name, place, problems)
    table = read_table(value, place, problems)
    if table is None:
        return None
    transport = _transport(table, place, around)
    platform = around.product.platform if around.product else ""
    own = by_name(around.known.node, around.known.options)
    any_way = _of_any_transport()
    known = {**(by_name(keys_of(transport, platform)) if transport else any_way), **own}
    strays = [key for key in table if key in any_way and key not in known]
    for key in strays:
        if is_of_another_platform(key, around.product):
            problems.add((*place, key), NOT_ON_WINDOWS)
            continue
        owners = " and ".join(other for other, keys in TRANSPORTS.items() if key in by_name(keys))
        meant = _MEANT_OVER_TDS.get(key, "") if transport == "tds" else ""
        advice = f"; over tds it is {meant}" if meant else ""
        problems.add((*place, key), f"is a key of {owners}, and this node is reached over {transport}{advice}")
    values = read_keys({key: table[key] for key in table if key not in strays}, known, place, problems)
    if "host" not in table and transport != "local":
        # The name stands in for the host, and has to be one.
        read_keys({"host": name}, own, place, problems)
    host = str(values.get("host", HERE if transport == "local" else name))
    roles = _roles(table, values, place, around)
    layers = [
        *([around.defaults[transport]] if transport in around.defaults else []),
        around.layer,
        layer_of(place, table, values, set(own)),
    ]
    connection = connect(transport, platform, host, layers, around.folder)
    troubles.extend((place, trouble) for trouble in connection.troubles)
    options = _options(values, roles, transport, place, around)
    node = Node(
        cluster=around.cluster,
        name=name,
        host=host,
        product=around.product.name if around.product else "",
        roles=roles,
        transport=transport,
        winrm=connection.winrm,
        ssh=connection.ssh,
        local=connection.local,
        tds=_tds(connection, transport, platform, options, around),
        platform=around.product.platform if around.product else "linux",
        current=read_version(values, "current", place, around.product, problems),
        owner=str(values.get("owner", around.values.get("owner", ""))).strip(),
        contact=str(values.get("contact", around.values.get("contact", ""))).strip(),
        options=options,
        sql_password=_sql_password(values, roles, around),
    )
    _check_sql_login(node, values, place, around)
    return node


def is_of_another_platform(name: str, product: Product | None) -> bool:
    """Whether `name` is a key of a connection that machines such as the product's have no use for."""
    key = _of_any_transport().get(name)
    return bool(key and key.platforms and product and product.platform not in key.platforms)


def _transport(table: Mapping[str, object], place: KeyPath, around: Surroundings) -> str:
    """The node's transport; empty where it cannot be told."""
    product = around.product
    where = place if "transport" in table else around.place
    written = table.get("transport", around.values.get("transport"))
    if written is None:
        return product.transports[0] if product else ""
    if not isinstance(written, str) or written not in TRANSPORTS:
        return ""
    if product and written not in product.transports:
        ways = " or ".join(product.transports)
        around.problems.add((*where, "transport"), f"{product.name} is read over {ways}, not over {written}")
        return ""
    return written


def _roles(
    table: Mapping[str, object], values: Mapping[str, object], place: KeyPath, around: Surroundings
) -> tuple[str, ...]:
    here = (*place, "roles")
    choices = tuple(around.product.roles) if around.product else ("web",)
    listed = f"one or more of {', '.join(choices)}, as in " if around.product else "as in "
    some = f"{listed}roles = [{shown(choices[0])}]"
    written = values.get("roles")
    if not isinstance(written, list):
        if "roles" not in table:
            around.problems.add(here, f"missing; {some}")
        return ()
    if not written:
        around.problems.add(here, f"is empty; {some}")
    for role in written:
        if around.product and role not in choices:
            advice = did_you_mean(role, choices)
            around.problems.add(here, f"{shown(role)} is no role of {around.product.name}{advice or '; ' + some}")
        if written.count(role) > 1:
            around.problems.add(here, f"{shown(role)} stands there twice")
    return tuple(written)


def _options(
    values: Mapping[str, object], roles: tuple[str, ...], transport: str, place: KeyPath, around: Surroundings
) -> dict[str, str | int | bool]:
    options: dict[str, str | int | bool] = {}
    product = around.product
    for key in around.known.options:
        own = values.get(key.name)
        fits = not key.roles or bool(set(key.roles) & set(roles))
        if product and not key.is_for(product.name):
            if own is not None:
                owners = " and ".join(key.products)
                around.problems.add((*place, key.name), f"is a key of {owners} only; leave it out here")
            continue
        if own is not None and roles and not fits:
            need, have = " or ".join(key.roles), ", ".join(roles)
            around.problems.add((*place, key.name), f"is for nodes with the role {need}; this one has {have}")
        value = own if own is not None else around.values.get(key.name)
        if fits and not key.secret and isinstance(value, str | int | bool):
            options[key.name] = value
    if transport == "tds":
        _check_tds(roles, place, around)
    named = str(options.get("sql_instance", "")).upper() not in ("", "MSSQLSERVER")
    if "tds" in (transport, options.get("sql_transport")) and not named:
        # Where a named instance listens, SQL Server Browser tells.
        options.setdefault("sql_port", DEFAULT_SQL_PORT)
    return options


def _tds(
    connection: Connection, transport: str, platform: str, options: Mapping[str, object], around: Surroundings
) -> TdsSettings | None:
    """How the scanner itself asks SQL Server: as the node's keys say, or beside its own transport the defaults."""
    settings = connection.tds
    if settings is None and transport and options.get("sql_transport") == "tds":
        layers = [around.defaults["tds"]] if "tds" in around.defaults else []
        settings = connect("tds", platform, "", layers, around.folder).tds
    return settings and replace(settings, auth=str(options.get("sql_auth", settings.auth)))


def _sql_password(values: Mapping[str, object], roles: tuple[str, ...], around: Surroundings) -> SecretSource | None:
    """Where the SQL login's password comes from: the node's own key before the cluster's."""
    for layer in (values, around.values):
        for key in around.known.options:
            if key.secret and layer.get(key.name) is not None and set(key.roles) & set(roles):
                written = str(layer[key.name])
                if not written:
                    return None
                value = expanded(written, around.folder) if key.kind == "path" else written
                return SecretSource(**{key.name.removeprefix(f"{key.secret}_"): value})
    return None


def _check_sql_login(node: Node, values: Mapping[str, object], place: KeyPath, around: Surroundings) -> None:
    own = [name for name in values if name == "sql_user" or name.startswith("sql_password_")]
    user = node.options.get("sql_user")
    here = (*place, own[0] if own else "sql_user")
    if user and node.sql_password is None:
        around.problems.add(
            here, "no password; the SQL login needs sql_password_env, sql_password_file or sql_password_command"
        )
    elif node.sql_password is not None and not user:
        around.problems.add(here, "a password without its SQL login; set sql_user, or leave the password out")
    elif node.tds and not user and node.transport != "tds":
        around.problems.add(
            (*place, "sql_transport"), 'missing sql_user: with sql_transport = "tds" the scanner itself needs a login'
        )
    elif node.tds is None and "sql_auth" in values:
        around.problems.add(
            (*place, "sql_auth"), 'has an effect only where the scanner itself logs in; set sql_transport = "tds"'
        )
    elif node.tds and values.get("sql_transport") == "host":
        around.problems.add((*place, "sql_transport"), "a node that is reached over tds has no script that could ask")
    elif user and node.tds and node.tds.auth == "ntlm" and "\\" not in str(user) and "@" not in str(user):
        around.problems.add((*place, "sql_user"), "with sql_auth = \"ntlm\", expected 'DOMAIN\\user' in single quotes")
    elif user and node.transport and not node.tds and not node.keeps_secrets:
        way = (
            'host_key_policy = "strict", or pin the node\'s host_key'
            if node.ssh
            else "https with a verified certificate, or auth ntlm, kerberos or credssp without insecure = true"
        )
        around.problems.add(here, f"a SQL login's password is not sent where others could read it: use {way}")


def _check_tds(roles: tuple[str, ...], place: KeyPath, around: Surroundings) -> None:
    if not around.product:
        return
    more = [role for role in roles if role in around.product.roles and role not in around.product.tds_roles]
    if more:
        around.problems.add(
            (*place, "transport"),
            f"tds asks SQL Server alone, and cannot answer for the role {', '.join(more)}; "
            f"use {around.product.transports[0]}, or split the node",
        )


def _tell(troubles: list[tuple[KeyPath, KeyConflict]], nodes: int, around: Surroundings) -> None:
    """What all nodes of a cluster lack is told once, at the cluster."""
    counts = Counter(trouble for _, trouble in troubles)
    for place, trouble in troubles:
        if trouble.place:
            around.problems.add(trouble.place, trouble.message)
        elif 1 < counts[trouble] == nodes:
            around.problems.add((*around.place, trouble.key), f"{trouble.message} (for all nodes of the cluster)")
        else:
            around.problems.add((*place, trouble.key), trouble.message)


def _check_duplicates(nodes: list[Node], around: Surroundings) -> None:
    """Refuse one machine under two names: it always agrees with itself, and would hide a difference.

    What the nodes of a product are reached by nobody knows where nobody knows the product.
    """
    if not around.product:
        return
    seen: dict[tuple[object, ...], str] = {}
    for node in nodes:
        first = seen.setdefault(_machine(node), node.name)
        if first != node.name:
            around.problems.add(
                (*around.place, "nodes", node.name, "host"),
                f"is the same machine as node {shown(first)}; each node needs its own, and may have many roles",
            )


def _machine(node: Node) -> tuple[object, ...]:
    """What is the same for two nodes that are one machine.

    Behind any other port than the usual ones there may be another machine: a forwarded port, a container.
    """
    host = node.host.rstrip(".").lower()
    if node.transport == "local":
        return (HERE,)
    if node.transport == "tds":
        place = node.options.get("sql_port") or str(node.options.get("sql_instance", "")).lower()
        return (node.transport, node.sql_host.rstrip(".").lower(), place)
    if node.winrm:
        port, jump = node.winrm.port, ""
    else:
        port, jump = (node.ssh.port or 22, node.ssh.jump) if node.ssh else (22, "")
    if port not in _USUAL_PORTS or jump:
        return (node.transport, host, port, jump)
    return (HERE if host in _LOOPBACK else host,)

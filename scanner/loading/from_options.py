"""An inventory of machines that somebody named on the command line: written as TOML, and read like every other."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from checks.common.dataclass import dataclass
from scanner.errors import InventoryError, Problem, UsageError
from scanner.inventory.model import Cluster, Inventory, Node, SecretSource
from scanner.inventory.products import Product
from scanner.inventory.reading.nodes import HERE
from scanner.inventory.reading.values import did_you_mean, shown
from scanner.inventory.settings.catalogue import Catalogue
from scanner.inventory.settings.setting import NAMES, Setting, by_name
from scanner.inventory.settings.transports import TRANSPORTS
from scanner.inventory.writing import toml_text
from scanner.loading.inventory import installed_catalogue, parse_inventory
from scanner.secrets.sources import has_terminal

if TYPE_CHECKING:
    from scanner.inventory.writing.drawn import DrawnLogin

_ASKED = "PREFLIGHT_ASKED_ON_THE_TERMINAL"
"""Stands where the inventory names a variable, until the prompt takes its place; no such variable is read."""
_OWN_OPTION = {"product", "host", "roles", "nodes", "transport"}
_SPELLING = {"host": "--host", "roles": "--role", "password_env": "--ask-password"}
_SPELT = ("product", "user", "port", "key_file", "transport", "sudo")
_HOST_AND_MORE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the command line says of machines; `scanner.cli.machines` explains each."""

    host: Sequence[str] | None = None
    local: bool = False
    product: str = ""
    role: Sequence[str] | None = None
    user: str = ""
    ask_password: bool = False
    key_file: str = ""
    transport: str = ""
    port: int | None = None
    sudo: bool = False
    settings: Sequence[str] | None = None
    whole: bool = False


def named_inventory(said: Machines) -> Inventory:
    """The inventory that the options make. Its path is what was said, for reports to show.

    Raises UsageError for whatever an inventory that says the same would be refused for, in the options' own words.
    """
    known = installed_catalogue()
    product = product_named(said.product, known)
    roles = _roles(said.role or (), product)
    if said.ask_password and not has_terminal():
        raise UsageError(
            "--ask-password: there is no terminal to ask on; take the password from where it is kept: "
            "--set password_env=NAME, password_file=FILE or password_command=COMMAND"
        )
    cluster, node = said_settings(said.settings or (), product, known)
    node |= _connection(said)
    hosts = list(said.host or [])
    twice = next((host for host in hosts if hosts.count(host) > 1), "")
    if twice:
        raise UsageError(f"--host {shown(twice)} is given twice")
    place = " ".join(f"--host {host}" for host in hosts[:_HOST_AND_MORE]) if hosts else "--local"
    more = len(hosts) - _HOST_AND_MORE
    path = Path(f"{place} and {more} more" if more > 0 else place)
    named = {_name(host, number): {"host": host} for number, host in enumerate(hosts, 1)} or {_this_machine(): {}}
    nodes = {name: {**host, "roles": roles, **node} for name, host in named.items()}
    table = {"clusters": {product.name: {"product": product.name, **cluster, "nodes": nodes}}}
    try:
        inventory = parse_inventory(toml_text.dumps(table), path)
    except InventoryError as error:
        raise UsageError("\n".join(["cannot be asked like that", *_in_options(error.problems)])) from None
    clusters = (_asked(inventory.clusters[0], whole=said.whole),)
    return replace(inventory, clusters=clusters, digest="")


def login_of(said: Machines) -> DrawnLogin:
    """How the machines are reached, for a file. Paths become absolute: those of a file are relative to that file.

    A password that was typed has to come from somewhere: a variable stands for it, which `about` names.
    """
    from scanner.inventory.writing.drawn import DrawnLogin

    known = installed_catalogue()
    product = product_named(said.product, known)
    cluster, node = said_settings(said.settings or (), product, known)
    values = _connection(said) | node
    transport = str(values.pop("transport", product.transports[0]))
    about: tuple[str, ...] = ()
    if values.get("password_env") == _ASKED:
        variable = f"PREFLIGHT_{transport.upper()}_PASSWORD"
        values["password_env"] = variable
        about = (f"The password that was asked for has to be in the environment variable {variable}.",)
    keys = by_name(TRANSPORTS[transport])
    for name, value in values.items():
        if name in keys and keys[name].kind == "path" and value:
            text = os.path.expanduser(str(value))  # noqa: PTH111  Path.expanduser raises without a home
            values[name] = str(value) if str(value).startswith("~") and text != value else str(Path(text).absolute())
    if transport != product.transports[0]:
        cluster = {"transport": transport, **cluster}
    return DrawnLogin(
        transport=transport,
        defaults={name: value for name, value in values.items() if name in keys},
        cluster=cluster,
        of_asked={name: value for name, value in values.items() if name not in keys},
        about=about,
    )


def product_named(written: str, among: Catalogue) -> Product:
    """The product that `--product` means. Raises UsageError."""
    known = among.products
    found = known.get(written.strip())
    if found is None:
        told = f"{shown(written)} is none of" if written else "missing; one of"
        raise UsageError(f"--product: {told} {', '.join(known)}{did_you_mean(written, known) if written else ''}")
    return found


def _roles(written: Sequence[str], product: Product) -> list[str]:
    listed = "; ".join(f"{role} ({what})" for role, what in product.roles.items())
    for role in written:
        if role not in product.roles:
            advice = did_you_mean(role, product.roles) or f"; one of {listed}"
            raise UsageError(f"--role: {shown(role)} is no role of {product.name}{advice}")
    if not written:
        raise UsageError(f"--role: missing; what does the machine do? {listed}")
    return list(dict.fromkeys(written))


def _connection(said: Machines) -> dict[str, object]:
    found: dict[str, object] = {
        "transport": "local" if said.local else said.transport,
        "user": said.user,
        "key_file": said.key_file,
        "port": said.port,
        "sudo": said.sudo,
        "password_env": _ASKED if said.ask_password else "",
    }
    return {name: value for name, value in found.items() if value not in ("", None, False)}


def said_settings(
    texts: Iterable[str], product: Product, known: Catalogue
) -> tuple[dict[str, object], dict[str, object]]:
    """What `--set` says of the cluster, and of its nodes. Raises UsageError."""
    of_nodes = by_name(known.node, known.options, *(TRANSPORTS[way] for way in product.transports))
    of_cluster = by_name(known.cluster)
    cluster: dict[str, object] = {}
    node: dict[str, object] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise UsageError("--set: expected KEY=VALUE, as in --set known_hosts=FILE")
        key = of_nodes.get(name) or of_cluster.get(name)
        if key and name in _OWN_OPTION:
            raise UsageError(f"--set {name}: has an option of its own, {_option(name)}")
        # What it is called is left to the reader of inventories to refuse, who knows what may be a secret.
        (node if name in of_nodes or key is None else cluster)[name] = _value(key, value)
    return cluster, node


def _value(key: Setting | None, text: str) -> object:
    """`text` as the key's kind of value, where it is one; else as it is, to be refused like any other."""
    if key and key.kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if key and key.kind == "integer" and re.fullmatch(r"[0-9]{1,15}", text):
        return int(text)
    if key and key.kind == "number" and re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text):
        return float(text)
    return text


def _name(host: str, number: int) -> str:
    return host if re.fullmatch(NAMES, host) else f"machine-{number}"


def _this_machine() -> str:
    name = socket.gethostname()
    return name if re.fullmatch(NAMES, name) else HERE


def _asked(cluster: Cluster, *, whole: bool) -> Cluster:
    """The cluster with a prompt in place of each password that is to be asked for."""
    names = [node.host for node in cluster.nodes]
    where = names[0] if len(names) == 1 else f"{len(names)} machines"
    nodes = tuple(_with_prompt(node, where) for node in cluster.nodes)
    return replace(cluster, nodes=nodes, open_ended=not whole)


def _with_prompt(node: Node, where: str) -> Node:
    settings = node.winrm or node.ssh
    if settings is None or settings.password != SecretSource(env=_ASKED):
        return node
    source = SecretSource(prompt=f"Password for {f'{settings.user} on ' if settings.user else ''}{where}: ")
    if node.winrm:
        return replace(node, winrm=replace(node.winrm, password=source))
    return replace(node, ssh=replace(node.ssh, password=source)) if node.ssh else node


def _in_options(problems: Sequence[Problem]) -> list[str]:
    """The problems of the inventory that was made, each at the option that it came from."""
    return list(dict.fromkeys(f"{_option(_last(problem.place))}: {_told(problem)}" for problem in problems))


def _last(place: str) -> str:
    return place.rpartition(".")[2].strip('"')


def _option(key: str) -> str:
    return _SPELLING.get(key) or (f"--{key.replace('_', '-')}" if key in _SPELT else f"--set {key}")


def _told(problem: Problem) -> str:
    if _last(problem.place) == "password_env" and problem.message.startswith("no password"):
        return "no password; give this, or --set password_env=NAME (or password_file, password_command)"
    return problem.message

"""Machines that another program's files know, and which node of which cluster each one becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.errors import UsageError
from scanner.inventory.products import Product
from scanner.inventory.reading.values import did_you_mean, shown
from scanner.inventory.settings.setting import by_name
from scanner.inventory.settings.transports import TRANSPORTS
from scanner.inventory.writing.drawn import Drawn, DrawnCluster, DrawnNode, Reader, drawn_text

_LISTED = 30
_PASSWORDS = {"winrm": "PREFLIGHT_WINRM_PASSWORD"}
"""By transport that does not go without a password: the variable that stands for it until somebody says where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine as the other program knows it."""

    name: str
    host: str
    transport: str = ""
    """Empty: whatever the product's own is."""
    keys: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What could not be taken over."""


@dataclass(frozen=True, slots=True)
class Place:
    """What becomes of a group of machines."""

    cluster: str
    role: str


def read_map(texts: Iterable[str], product: Product) -> dict[str, Place]:
    """`--map` values, GROUP=CLUSTER:ROLE, or GROUP=ROLE in a cluster named as the product. Raises UsageError."""
    places: dict[str, Place] = {}
    for text in texts:
        group, equals, rest = text.rpartition("=")
        cluster, _, role = rest.rpartition(":")
        if not equals or not group.strip() or not role.strip():
            raise UsageError(
                f"--map {shown(text)}: expected GROUP=CLUSTER:ROLE, as in --map backends=chef-prod:backend"
            )
        if role not in product.roles:
            listed = ", ".join(product.roles)
            raise UsageError(
                f"--map {shown(text)}: {shown(role)} is no role of {product.name}"
                f"{did_you_mean(role, product.roles) or f'; one of {listed}'}"
            )
        if group in places:
            raise UsageError(f"--map: {shown(group)} is mapped twice")
        places[group] = Place(cluster or product.name, role)
    return places


def inventory_of(
    members: Callable[[str], Sequence[Machine]],
    places: Mapping[str, Place],
    *,
    product: Product,
    source: str,
    path: Path,
    reader: Reader,
) -> str:
    """The inventory's text. `members` gives the machines of a group; one in several groups has all their roles."""
    roles: dict[str, dict[str, list[str]]] = {}
    machines: dict[str, Machine] = {}
    for group, place in places.items():
        for machine in members(group):
            machines[machine.name] = machine
            has = roles.setdefault(place.cluster, {}).setdefault(machine.name, [])
            has += [place.role] if place.role not in has else []
    ways = {name: machine.transport or product.transports[0] for name, machine in machines.items()}
    defaults = {
        way: _shared(way, [machines[name] for name in machines if ways[name] == way]) for way in set(ways.values())
    }
    for way, variable in _PASSWORDS.items():
        if way in defaults and _takes_password(defaults[way]):
            defaults[way]["password_env"] = variable
    clusters = tuple(
        DrawnCluster(
            name=cluster,
            product=product,
            nodes=tuple(_node(machines[name], has, ways[name], defaults, product) for name, has in nodes.items()),
            blanks=("dpapi",) if product.name == "secret-server" else (),
        )
        for cluster, nodes in roles.items()
    )
    told = f"Drawn up from {source} by `preflight init`. Passwords are not taken over: say where each one is."
    then = (
        f"Then: `preflight validate {path} --connect` logs in everywhere, and `preflight scan {path}` asks: may we go?"
    )
    return drawn_text(
        Drawn(head=(told, then), defaults=dict(sorted(defaults.items())), clusters=clusters), path, reader
    )


def _shared(way: str, machines: Sequence[Machine]) -> dict[str, object]:
    """The keys of a transport that all its machines have alike."""
    first, *others = machines
    known = by_name(TRANSPORTS[way])
    return {
        name: value
        for name, value in first.keys.items()
        if name in known and all(other.keys.get(name) == value for other in others)
    }


def _takes_password(defaults: Mapping[str, object]) -> bool:
    return defaults.get("auth", "ntlm") not in ("kerberos", "certificate")


def _node(
    machine: Machine, roles: Sequence[str], way: str, defaults: Mapping[str, Mapping[str, object]], product: Product
) -> DrawnNode:
    keys = {name: value for name, value in machine.keys.items() if name not in defaults[way]}
    if way != product.transports[0]:
        keys = {"transport": way, **keys}
    return DrawnNode(name=machine.name, host=machine.host, roles=tuple(roles), keys=keys, notes=machine.notes)


def unknown_group(group: str, known: Mapping[str, int], source: str) -> UsageError:
    """The error for a group that there is not; `known` are the groups with how many machines each has."""
    listed = ", ".join(f"{name} ({number})" for name, number in list(known.items())[:_LISTED]) or "none"
    return UsageError(f"--map: {source} knows no {shown(group)}{did_you_mean(group, known)}; it knows {listed}")


def nothing_mapped(product: Product, known: Mapping[str, int], source: str, example: str) -> UsageError:
    """The error where nobody has said which machine does what."""
    listed = ", ".join(f"{name} ({number})" for name, number in list(known.items())[:_LISTED]) or "no machine"
    roles = "; ".join(f"{role} ({what})" for role, what in product.roles.items())
    return UsageError(
        f"{source} knows {listed}. Say with --map which of them are what, as in --map {example}={product.name}:"
        f"{next(iter(product.roles))}. Roles: {roles}"
    )

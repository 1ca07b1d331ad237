"""What was found out of a cluster as an inventory."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.inventory.discover.model import FoundCluster
from scanner.inventory.products import Product
from scanner.inventory.writing.drawn import Drawn, DrawnCluster, DrawnLogin, DrawnNode, Reader, drawn_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the text comes from and where it goes."""

    command: str
    """What drew it up, as it can be typed."""
    day: date
    path: Path
    """Its file; only what relative paths are relative to."""


def inventory_text(
    found: FoundCluster, *, name: str, product: Product, login: DrawnLogin, origin: Origin, reader: Reader
) -> str:
    """The inventory: what is guessed says so, and what is not known is a blank."""
    origins = f"A {product.title} cluster, drawn up by `{origin.command}` on {origin.day.isoformat()}."
    advice = "What is guessed says so; read it, and fill in what is blank. Passwords never stand in here."
    then = f"Then: `preflight validate {origin.path} --connect` logs in everywhere, and `preflight scan {origin.path}`"
    own = {True: login.of_asked, False: {}}
    nodes = tuple(
        DrawnNode(name=node.name, host=node.host, roles=node.roles, keys=own[node.is_asked], notes=node.notes)
        for node in found.nodes
    )
    cluster = DrawnCluster(
        name=name,
        product=product,
        nodes=nodes,
        keys=login.cluster,
        installed=f"Installed on {found.asked}: {found.version}." if found.version else "",
        blanks=found.blanks,
    )
    drawn = Drawn(
        head=(f"{origins} {advice}", f"{then} asks: may we go?"),
        missing=found.missing,
        about_login=login.about or ("How to log in, as on the command line.",),
        defaults={login.transport: login.defaults},
        clusters=(cluster,),
    )
    return drawn_text(drawn, origin.path, reader)
